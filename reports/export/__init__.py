"""A run's records in the formats of other tools: one row a trial, each with what it means written down."""
