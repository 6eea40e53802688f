"""The resident server: one base in memory, its adapters beside it, every trial's requests in one running batch."""
