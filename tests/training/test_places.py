"""Directories appear whole or not at all, and are made by one process at a time."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from harness.errors import BadInputError
from harness.training.places import alone, whole_directory


def test_a_directory_takes_its_place_when_the_block_ends_well(tmp_path: Path) -> None:
    target = tmp_path / "made"
    with whole_directory(target) as scratch:
        (scratch / "file").write_text("one")
        assert not target.exists()
    assert (target / "file").read_text() == "one"
    assert [path.name for path in tmp_path.iterdir()] == ["made"]


def test_a_failed_block_leaves_what_was_there(tmp_path: Path) -> None:
    target = tmp_path / "made"
    target.mkdir()
    (target / "file").write_text("old")
    with pytest.raises(ZeroDivisionError):
        _fill_and_fail(target)
    assert (target / "file").read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["made"]


def _fill_and_fail(target: Path) -> float:
    with whole_directory(target) as scratch:
        return len(str((scratch / "file").write_text("new"))) / 0


def test_what_a_killed_process_left_is_cleared_away(tmp_path: Path) -> None:
    target = tmp_path / "made"
    program = (
        "import os, signal; from pathlib import Path; from harness.training.places import alone, whole_directory\n"
        f"target = Path({str(target)!r})\n"
        "with alone(target), whole_directory(target) as scratch:\n"
        "    (scratch / 'stale').write_text('x'); os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == -9
    assert not target.exists()
    with alone(target), whole_directory(target) as scratch:
        (scratch / "fresh").write_text("y")
    assert [path.name for path in target.iterdir()] == ["fresh"]
    assert sorted(path.name for path in tmp_path.iterdir()) == [".made.lock", "made"]


def test_a_folder_that_cannot_be_made_is_the_users_to_mend(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(BadInputError, match="cannot write into"), alone(tmp_path / "file" / "target"):
        pass
