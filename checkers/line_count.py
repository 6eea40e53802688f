"""Checks how many lines a file has."""

from __future__ import annotations

from checkers.judging import NotAsExpectedError, failed, passed, text
from checkers.patterns import PatternTooSlowError, searches
from harness.values import Verdict
from harness.world import JudgedWorld
from scenarios.bundle import LineCount
from scenarios.problems import quoted


def line_count(check: LineCount, judged: JudgedWorld) -> Verdict:
    """PASS if exactly `count` lines are not blank (and, with `pattern`, have it in them).

    Lines end with a newline only; a last line without one counts too.
    """
    lines = tuple(line for line in text(judged.world, check.path).split("\n") if line.strip())
    what = "lines that are not blank"
    count = len(lines)
    if check.pattern is not None:
        what = f"lines with {quoted(check.pattern)}"
        try:
            count = sum(searches(check.pattern, lines))
        except PatternTooSlowError as error:
            raise NotAsExpectedError(f"{quoted(check.path)}: {error}") from None
    if count != check.count:
        return failed(f"{quoted(check.path)} has {count} {what}, not {check.count}")
    return passed(f"{quoted(check.path)} has {count} {what}")
