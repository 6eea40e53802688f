"""Parity: what the server read is compared, token for token, with the contract's render of the same conversation."""
