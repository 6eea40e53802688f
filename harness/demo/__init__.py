"""The demonstration: a real small model and an adapter for it, made on an ordinary machine in minutes."""
