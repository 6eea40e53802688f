"""A record that no run can have written is refused by name, whatever number was edited into it."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import pytest

from harness.errors import BadInputError
from harness.values import Metrics, Outcome, TrialRecord
from reports import build_report, load_policy
from tests.records import compared
from tests.reports.records import LIVE, invalid, metrics_of, run_of
from tests.reports.test_cli import a_run, evalh

HUGE = 10**400


def built(trials: list[TrialRecord]) -> None:
    build_report(trials, run=LIVE, policy=load_policy())


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"repeat": -1}, "repeat is -1"),
        ({"attempt": 0}, "attempt is 0"),
        ({"turns": -3}, "turns is -3"),
        ({"turns": HUGE}, "turns is beyond every count"),
        ({"prompt_tokens": HUGE}, "prompt_tokens is beyond every count"),
        ({"completion_tokens": -1}, "completion_tokens is -1"),
        ({"seconds": math.nan}, "seconds is nan"),
        ({"seconds": math.inf}, "seconds is inf"),
        ({"seconds": 1e308}, "seconds is 1e+308"),
        ({"seed": HUGE}, "seed is beyond every count"),
        ({"exit_status": -HUGE}, "exit_status is beyond every count"),
        ({"metrics": replace(metrics_of(success=True), first_command_turn=-1)}, "first_command_turn is -1"),
        ({"parity": replace(compared(3), rejoined=-1)}, "parity.rejoined is -1"),
        ({"parity": replace(compared(3), agreed=4)}, "parity counts 4 + 0 of 3 prompts"),
        ({"outcome": Outcome.FAIL}, "its outcome is FAIL, and its metric success says true"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_number_that_none_can_have_is_refused_with_the_record_that_holds_it(
    change: dict[str, object], said: str
) -> None:
    trials = run_of(both=3)
    edited = [replace(trials[0], **change), *trials[1:]]  # type: ignore[arg-type]
    with pytest.raises(BadInputError, match=r"the record s-00000\.base") as caught:
        built(edited)
    assert said in caught.value.message
    assert "\n" not in str(caught.value)


def test_what_was_not_measured_is_no_fault() -> None:
    trials = run_of(both=3)
    silent = replace(trials[0], prompt_tokens=None, completion_tokens=None, parity=None, metrics=Metrics())
    built([silent, invalid(trials[1]), *trials[2:]])


@pytest.mark.parametrize("command", ["gate", "report"])
def test_every_command_says_it_in_one_line_and_exits_30(command: str, tmp_path: Path) -> None:
    run = a_run(tmp_path / "run", [replace(trial, seconds=-1.0) for trial in run_of(tuned_only=9)])
    done = evalh(command, run)
    assert (done.returncode, done.stdout) == (30, "")
    assert done.stderr.count("\n") == 1
    assert "the record s-00000.base.0, attempt 1: seconds is -1.0" in done.stderr
