"""What the tests of the session shell share: one that has landed, and one whose turns are short."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.terminal import ShellTerminal
from tests.terminal.local import landed
from tests.terminal.typed import HASTY


@pytest.fixture
def terminal(tmp_path: Path) -> Iterator[ShellTerminal]:
    with landed(tmp_path) as terminal:
        yield terminal


@pytest.fixture
def hasty(tmp_path: Path) -> Iterator[ShellTerminal]:
    with landed(tmp_path, limits=HASTY) as terminal:
        yield terminal
