"""Checks that something of a kind is at a path."""

from __future__ import annotations

from checkers.judging import failed, noun, passed
from harness.values import Verdict
from harness.world import EntryKind, JudgedWorld
from scenarios.bundle import FileExists
from scenarios.problems import quoted


def file_exists(check: FileExists, judged: JudgedWorld) -> Verdict:
    """PASS if the path is of the check's type: links are followed, unless a link is what is asked for."""
    wanted = EntryKind(check.type)
    entry = judged.world.stat(check.path, follow=wanted is not EntryKind.SYMLINK)
    if entry is None:
        return failed(f"nothing is at {quoted(check.path)}")
    if entry.kind is not wanted:
        return failed(f"{quoted(check.path)} is {noun(entry.kind)}, not {noun(wanted)}")
    return passed(f"{quoted(check.path)} is {noun(wanted)}")
