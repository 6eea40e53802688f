"""Records into pairs: the last attempt of each trial counts, and no pair is ever dropped in silence."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from harness.values import Arm, Outcome, TrialKey, TrialRecord
from reports.facts import ScenarioFacts
from reports.plain import plain
from reports.schema import Cause, Exclusion, ExclusionKind, Pair, PairResult, TrialSummary

NEVER_RAN = "no record: this trial has not run"


def last_attempts(records: Iterable[TrialRecord]) -> Mapping[TrialKey, TrialRecord]:
    """The record that counts for each trial: the highest attempt, and of two alike the later one."""
    return {record.key: record for record in latest(records)}


def latest(records: Iterable[TrialRecord]) -> Iterable[TrialRecord]:
    """The same records without their keys."""
    kept: dict[tuple[str, Arm, int], TrialRecord] = {}
    for record in records:
        cell = record.scenario, record.arm, record.repeat
        held = kept.get(cell)
        if held is None or _rank(record) >= _rank(held):
            kept[cell] = record
    return kept.values()


def _rank(record: TrialRecord) -> tuple[int, str]:
    return record.attempt, record.started_at


def pair_up(
    records: Iterable[TrialRecord],
    planned: Sequence[tuple[str, int]] = (),
    *,
    facts: Iterable[ScenarioFacts] = (),
    order: Sequence[tuple[str, int]] = (),
) -> tuple[tuple[Pair, ...], tuple[Exclusion, ...]]:
    """Every pair that was planned or begun, sorted by scenario and repeat, and why some do not count.

    A pair counts if both arms have a verdict on the same version of the scenario. One with an INVALID
    or missing arm, or with arms that ran different scenarios, gets the result `invalid` and an exclusion.
    `facts` tell of scenarios without a record; `order` is the preset order of a run that may stop early.
    """
    cells: dict[tuple[str, int], dict[Arm, TrialRecord]] = {}
    for record in latest(records):
        cells.setdefault((record.scenario, record.repeat), {})[record.arm] = record
    known = {fact.id: fact for fact in facts}
    ran = {arm.scenario: arm for cell in sorted(cells) for arm in cells[cell].values()}
    places = {cell: place for place, cell in enumerate(order)}
    pairs, exclusions = [], []
    for scenario, repeat in sorted(cells.keys() | set(planned)):
        arms = cells.get((scenario, repeat), {})
        base, tuned = arms.get(Arm.BASE), arms.get(Arm.TUNED)
        causes = _causes(base, tuned)
        if causes:
            exclusions.append(Exclusion(scenario=plain(scenario), repeat=repeat, causes=causes))
        trial = tuned or base or ran.get(scenario)
        fact = _told(trial) if trial else known.get(scenario) or ScenarioFacts(id=scenario)
        result = PairResult.INVALID if causes else _result(base, tuned)
        pairs.append(_pair(fact, repeat, (base, tuned), result, places.get((scenario, repeat))))
    return tuple(pairs), tuple(exclusions)


def _told(record: TrialRecord) -> ScenarioFacts:
    """What a record tells of its scenario."""
    return ScenarioFacts(
        id=record.scenario,
        digest=record.scenario_digest,
        archetype=record.archetype,
        critical=record.critical,
        expected_terminal=record.expected_terminal,
        tags=dict(record.tags),
    )


def _causes(base: TrialRecord | None, tuned: TrialRecord | None) -> tuple[Cause, ...]:
    if base is None and tuned is None:
        return (Cause(arm="both", kind=ExclusionKind.MISSING, failed_part=None, reason=NEVER_RAN),)
    causes = [cause for arm, record in ((Arm.BASE, base), (Arm.TUNED, tuned)) if (cause := _cause(arm, record))]
    if base and tuned and base.scenario_digest != tuned.scenario_digest:
        reason = "the arms ran different versions of the scenario (digests differ)"
        causes.append(Cause(arm="both", kind=ExclusionKind.MISMATCH, failed_part=None, reason=reason))
    elif base and tuned and not _agree(base, tuned):
        reason = "the arms' records say different things of the scenario"
        causes.append(Cause(arm="both", kind=ExclusionKind.MISMATCH, failed_part=None, reason=reason))
    return tuple(causes)


def _agree(base: TrialRecord, tuned: TrialRecord) -> bool:
    """Whether both records say the same of their scenario."""
    return (
        base.archetype == tuned.archetype
        and base.critical == tuned.critical
        and base.expected_terminal is tuned.expected_terminal
        and base.tags == tuned.tags
    )


def _cause(arm: Arm, record: TrialRecord | None) -> Cause | None:
    if record is None:
        return Cause(arm=arm.value, kind=ExclusionKind.MISSING, failed_part=None, reason=NEVER_RAN)
    if record.outcome is not Outcome.INVALID:
        return None
    failure = record.failure
    return Cause(
        arm=arm.value,
        kind=ExclusionKind.INVALID,
        failed_part=plain(failure.address) if failure else None,
        reason=plain(failure.message if failure else record.reason),
    )


def _pair(
    fact: ScenarioFacts,
    repeat: int,
    trials: tuple[TrialRecord | None, TrialRecord | None],
    result: PairResult,
    position: int | None,
) -> Pair:
    base, tuned = trials
    return Pair(
        scenario=plain(fact.id),
        repeat=repeat,
        archetype=None if fact.archetype is None else plain(fact.archetype),
        critical=fact.critical,
        expected_terminal=fact.expected_terminal,
        result=result,
        base=summary(base) if base else None,
        tuned=summary(tuned) if tuned else None,
        scenario_digest=None if fact.digest is None else plain(fact.digest),
        tags={plain(name, 60): plain(value, 60) for name, value in fact.tags.items()},
        position=position,
    )


def _result(base: TrialRecord | None, tuned: TrialRecord | None) -> PairResult:
    won = int(tuned is not None and tuned.outcome is Outcome.PASS)
    held = int(base is not None and base.outcome is Outcome.PASS)
    return (PairResult.LOSS, PairResult.TIE, PairResult.WIN)[won - held + 1]


def summary(record: TrialRecord) -> TrialSummary:
    """A record in short, with all that a model or a server wrote made plain."""
    return TrialSummary(
        outcome=record.outcome,
        reason=plain(record.reason),
        terminal=record.terminal,
        exit_status=record.exit_status,
        panic_reason=plain(record.panic_reason),
        attempt=record.attempt,
        turns=record.turns,
        seconds=record.seconds,
        prompt_tokens=record.prompt_tokens,
        completion_tokens=record.completion_tokens,
        failed_part=plain(record.failure.address) if record.failure else None,
        metrics=record.metrics,
        seed=record.seed,
    )
