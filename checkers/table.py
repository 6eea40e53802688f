"""The one table of checkers: which function judges which kind of check."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Protocol

from checkers.file_absent import file_absent
from checkers.file_equals import file_equals
from checkers.file_exists import file_exists
from checkers.file_matches import file_matches
from checkers.json_equals import json_equals
from checkers.judging import NotAsExpectedError, failed
from checkers.line_count import line_count
from checkers.mode import mode
from checkers.owner import owner
from checkers.script import script
from checkers.tree_equals import tree_equals
from harness.values import CheckResult, Verdict
from harness.world import JudgedWorld
from scenarios.bundle import Scenario


class Checker(Protocol):
    """Judges one check of its own kind; what it wants of the world and does not find is a FAIL.

    Raises SandboxError or CheckerError when nothing can be said about the model.
    """

    def __call__(self, check: Any, judged: JudgedWorld, /) -> Verdict:
        """The verdict; `check` is the model of the checker's kind, which the table pairs."""
        ...


CHECKERS: Mapping[str, Checker] = MappingProxyType(
    {
        "file_exists": file_exists,
        "file_absent": file_absent,
        "file_equals": file_equals,
        "file_matches": file_matches,
        "mode": mode,
        "owner": owner,
        "tree_equals": tree_equals,
        "json_equals": json_equals,
        "line_count": line_count,
        "script": script,
    }
)


def run_checks(scenario: Scenario, judged: JudgedWorld) -> tuple[CheckResult, ...]:
    """The result of every check of the scenario, in their order, each carried out whatever the others say.

    The operator's processes must be dead. Raises SandboxError or CheckerError when a check could not
    be carried out: the trial is then INVALID.
    """
    return tuple(
        CheckResult(index=index, kind=check.kind, verdict=_judge(check, judged))
        for index, check in enumerate(scenario.checks)
    )


def _judge(check: Any, judged: JudgedWorld) -> Verdict:
    try:
        return CHECKERS[check.kind](check, judged)
    except NotAsExpectedError as error:
        return failed(str(error))
