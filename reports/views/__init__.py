"""What a report looks like: each view is a pure function from a report to text."""
