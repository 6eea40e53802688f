"""Parity: what the server read, compared on every turn with what the render contract says."""
