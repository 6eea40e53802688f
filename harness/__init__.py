"""Runs trials: sandbox, terminal, endpoint, store, and the campaign over them."""
