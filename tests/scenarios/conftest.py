"""What the tests of other formats share: an engine, and a task that may be spoilt."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from harness.sandbox import choose
from harness.sandbox.protocol import Engine
from tests.scenarios.harbor import GOLDEN


@pytest.fixture
def engine(any_engine: str) -> Iterator[Engine]:
    with closing(choose(any_engine)) as made:
        yield made


@pytest.fixture
def task(tmp_path: Path) -> Path:
    """A copy of the golden task, to be spoilt."""
    return Path(shutil.copytree(GOLDEN, tmp_path / "tide-table"))
