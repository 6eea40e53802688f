"""Mirrors harness.preflight."""
