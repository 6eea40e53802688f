"""Tests of the endpoint room."""
