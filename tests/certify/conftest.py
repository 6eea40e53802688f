"""Engines for the certification tests."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

import pytest

from harness.sandbox import choose
from harness.sandbox.protocol import Engine


@pytest.fixture
def each_engine(engine_name: str) -> Iterator[Engine]:
    """Each that this machine has: for what the operator does to a machine."""
    with closing(choose(engine_name)) as made:
        yield made


@pytest.fixture
def engine(any_engine: str) -> Iterator[Engine]:
    """The quickest that this machine has: what is concluded from verdicts is the same on all."""
    with closing(choose(any_engine)) as made:
        yield made
