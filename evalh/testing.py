"""Parity as a test for a training repository: `from evalh.testing import test_parity`, and pytest does the rest.

    pytest --evalh-endpoint URL --evalh-tokenizer DIR [--evalh-model NAME]

gives one test for each hard conversation and each served model, and one for its stop token.
"""

from __future__ import annotations

from collections.abc import Callable


def test_parity(evalh_parity: Callable[[], str | None]) -> None:
    """What the served model reads is, token for token, what this tokenizer's render contract says."""
    difference = evalh_parity()
    assert difference is None, difference  # noqa: S101 - this is a test, to be collected elsewhere


__all__ = ["test_parity"]
