"""Checks that a file's text is exactly what is expected."""

from __future__ import annotations

from checkers.judging import content, difference, failed, passed
from harness.values import Verdict
from harness.world import JudgedWorld
from scenarios.bundle import FileEquals
from scenarios.problems import quoted


def file_equals(check: FileEquals, judged: JudgedWorld) -> Verdict:
    """PASS if the text is equal; with `strip`, blank space at line ends and at the end does not count."""
    differs = difference(content(judged.world, check.path), check.content, strip=check.strip)
    if differs:
        return failed(f"{quoted(check.path)}: {differs}")
    return passed(f"{quoted(check.path)} holds what is expected")
