"""Checks that a regular expression is, or is not, found in a file."""

from __future__ import annotations

from checkers.judging import NotAsExpectedError, failed, passed, text
from checkers.patterns import PatternTooSlowError, searches
from harness.values import Verdict
from harness.world import JudgedWorld
from scenarios.bundle import FileMatches
from scenarios.problems import quoted


def file_matches(check: FileMatches, judged: JudgedWorld) -> Verdict:
    """PASS if the pattern is found anywhere in the text (`negate`: nowhere), as Python's re.search finds it.

    With `negate` the file must still be there: a check that something is not in a file says nothing
    about a file that is gone. A text on which the pattern takes too long fails, with `negate` too:
    the text is the model's, so no verdict may be had by making it slow.
    """
    shown = text(judged.world, check.path)
    try:
        (found,) = searches(check.pattern, (shown,))
    except PatternTooSlowError as error:
        raise NotAsExpectedError(f"{quoted(check.path)}: {error}") from None
    where = f"{quoted(check.pattern)} is {'found' if found else 'not found'} in {quoted(check.path)}"
    return passed(where) if found is not check.negate else failed(where)
