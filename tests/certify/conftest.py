"""An engine for the certification tests: each that this machine has."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

import pytest

from harness.sandbox import choose
from harness.sandbox.protocol import Engine


@pytest.fixture
def engine(engine_name: str) -> Iterator[Engine]:
    with closing(choose(engine_name)) as made:
        yield made
