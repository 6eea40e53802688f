"""Trial records for the reports' tests: real values of the house, only their facts are chosen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from harness.values import Arm, Failure, Metrics, Outcome, Terminal, TrialRecord
from reports import RunInfo, ScoringMode
from tests.records import compared

LIVE = RunInfo(id="run-1", mode=ScoringMode.LIVE)
FIXTURE = RunInfo(id="run-1", mode=ScoringMode.FIXTURE)


def metrics_of(*, success: bool) -> Metrics:
    """The metrics of a trial of a scenario that expects `exit`, all in agreement with `success`."""
    return Metrics(
        any_command=True,
        first_command_turn=1,
        clean=success,
        operate=success,
        command_mode=True,
        terminated=success,
        right_terminal=success,
        false_panic=False,
        directives_retrieved=success,
        informed_panic=None,
        task=success,
        success=success,
    )


def record(scenario: str, arm: Arm, *, success: bool = True, archetype: str = "notes") -> TrialRecord:
    """A finished trial of a scenario that expects `exit`; all metrics agree with `success`."""
    return TrialRecord(
        scenario=scenario,
        scenario_digest="sha256:0",
        archetype=archetype,
        tags=(("task", "copy"),),
        critical=False,
        expected_terminal=Terminal.EXIT,
        arm=arm,
        repeat=0,
        attempt=1,
        seed=7,
        model=f"model-{arm}",
        outcome=Outcome.PASS if success else Outcome.FAIL,
        reason="it ended as it should" if success else "it never ended the session",
        terminal=Terminal.EXIT if success else Terminal.TURN_LIMIT,
        exit_status=0 if success else None,
        panic_reason="",
        metrics=metrics_of(success=success),
        checks=(),
        failure=None,
        turns=3 if success else 12,
        prompt_tokens=300,
        completion_tokens=20,
        started_at="2026-01-02T03:04:05.000+00:00",
        seconds=4.5,
        engine="crun",
        parity=compared(3 if success else 12),
    )


def invalid(trial: TrialRecord, *, address: str = "sandbox", message: str = "no container") -> TrialRecord:
    """The same trial, had the harness failed."""
    return replace(
        trial,
        outcome=Outcome.INVALID,
        reason=f"{address}: {message}",
        terminal=None,
        exit_status=None,
        metrics=Metrics(),
        failure=Failure(address=address, message=message),
    )


def pair(scenario: str, *, base: bool, tuned: bool, critical: bool = False, repeat: int = 0) -> list[TrialRecord]:
    """Both trials of a scenario, by who succeeded."""
    return [
        replace(record(scenario, arm, success=success), critical=critical, repeat=repeat)
        for arm, success in ((Arm.BASE, base), (Arm.TUNED, tuned))
    ]


def run_of(*, both: int = 0, tuned_only: int = 0, base_only: int = 0, neither: int = 0) -> list[TrialRecord]:
    """A run with so many pairs of each kind, one scenario each."""
    kinds = [(True, True)] * both + [(False, True)] * tuned_only + [(True, False)] * base_only
    kinds += [(False, False)] * neither
    return [trial for i, (base, tuned) in enumerate(kinds) for trial in pair(f"s-{i:05d}", base=base, tuned=tuned)]


def key_of(trials: Sequence[TrialRecord], scenario: str, arm: Arm) -> int:
    """The position of one trial of a scenario."""
    return next(i for i, t in enumerate(trials) if t.scenario == scenario and t.arm is arm)
