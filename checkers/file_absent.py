"""Checks that nothing is at a path."""

from __future__ import annotations

from checkers.judging import failed, noun, passed
from harness.values import Verdict
from harness.world import JudgedWorld
from scenarios.bundle import FileAbsent
from scenarios.problems import quoted


def file_absent(check: FileAbsent, judged: JudgedWorld) -> Verdict:
    """PASS if nothing is there; a dangling symbolic link is something."""
    entry = judged.world.stat(check.path, follow=False)
    if entry is None:
        return passed(f"nothing is at {quoted(check.path)}")
    return failed(f"{quoted(check.path)} is there, {noun(entry.kind)}")
