"""Runs whose outcomes are drawn at random, through the real report and the real gate."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from harness.stopping import Watch
from harness.store import StopRule
from harness.values import Arm, Metrics, Outcome, ParityLevel, ParityTally, Terminal, TrialKey, TrialRecord
from reports import Policy, RunInfo, ScoringMode, build_report
from reports.facts import ScenarioFacts
from reports.run_info import StopRule as PairRule
from reports.schema import GateResult
from reports.sequential import preset_order

ALPHA = 0.05
TURNS = 3
DIGEST = "sha256:drawn"


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawn:
    """One run that was drawn: whether the gate promotes, and how many pairs were run."""

    promoted: bool
    pairs: int


def drawn_run(seed: int, pairs: int, rates: Mapping[Arm, float], policy: Policy, *, stops: bool) -> Drawn:
    """Draw every trial's success by its arm's rate, report on the run as on any other, and ask the gate.

    With `stops` only the pairs are run that the stopping rule asks for. The records say that a model answered and
    that every prompt was compared, so that nothing but the numbers decides.
    """
    draw = random.Random(f"drawn run:{seed}")  # noqa: S311 - a simulation
    names = [f"scenario-{index:04d}" for index in range(pairs)]
    records = {name: [_record(name, arm, success=draw.random() < rates[arm]) for arm in Arm] for name in names}
    order = preset_order(names, (), seed)
    ran = _until_decided(records, order) if stops else names
    planned = tuple((name, 0) for name in (order if stops else names))
    run = RunInfo(
        id=f"drawn-{seed}",
        mode=ScoringMode.LIVE,
        seed=seed,
        repeats=1,
        planned=planned,
        scenarios=tuple(ScenarioFacts(id=name, digest=DIGEST, archetype="drawn", critical=False) for name in names),
        stop_rule=PairRule(metric="success", alpha=ALPHA, order=planned) if stops else None,
    )
    report = build_report([record for name in ran for record in records[name]], run=run, policy=policy)
    return Drawn(promoted=report.gate_result is GateResult.PASS, pairs=len(ran))


def _until_decided(records: Mapping[str, Sequence[TrialRecord]], order: Sequence[str]) -> list[str]:
    """The scenarios that a campaign runs one after the other until the stopping rule decides."""
    watch = Watch(StopRule(metric="success", alpha=ALPHA, order=tuple(order)), repeats=1, attempts=1)
    latest: dict[TrialKey, TrialRecord] = {}
    for count, name in enumerate(order, start=1):
        latest |= {record.key: record for record in records[name]}
        if watch.look(latest):
            return list(order[:count])
    return list(order)


_METRICS = MappingProxyType(
    {
        success: Metrics(
            any_command=True,
            first_command_turn=1,
            clean=success,
            operate=success,
            command_mode=True,
            terminated=success,
            right_terminal=success,
            false_panic=False,
            directives_retrieved=success,
            task=success,
            success=success,
        )
        for success in (True, False)
    }
)


def _record(scenario: str, arm: Arm, *, success: bool) -> TrialRecord:
    return TrialRecord(
        scenario=scenario,
        scenario_digest=DIGEST,
        archetype="drawn",
        tags=(),
        critical=False,
        expected_terminal=Terminal.EXIT,
        arm=arm,
        repeat=0,
        attempt=1,
        seed=0,
        model=f"drawn-{arm}",
        outcome=Outcome.PASS if success else Outcome.FAIL,
        reason="drawn",
        terminal=Terminal.EXIT if success else Terminal.TURN_LIMIT,
        exit_status=0 if success else None,
        panic_reason="",
        metrics=_METRICS[success],
        checks=(),
        failure=None,
        turns=TURNS,
        prompt_tokens=None,
        completion_tokens=None,
        started_at="2026-01-01T00:00:00.000+00:00",
        seconds=1.0,
        engine="drawn",
        parity=ParityTally(level=ParityLevel.REPLY_IDS, prompts=TURNS, agreed=TURNS, differed=0, rejoined=0),
    )
