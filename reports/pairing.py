"""Records into pairs: the last attempt of each trial counts, and no pair is ever dropped in silence."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from harness.values import Arm, Outcome, TrialKey, TrialRecord
from reports.plain import plain
from reports.schema import Cause, Exclusion, ExclusionKind, Pair, PairResult, TrialSummary

NEVER_RAN = "no record: this trial has not run"


def last_attempts(records: Iterable[TrialRecord]) -> Mapping[TrialKey, TrialRecord]:
    """The record that counts for each trial: the highest attempt, and of two alike the later one."""
    kept: dict[TrialKey, TrialRecord] = {}
    for record in records:
        held = kept.get(record.key)
        if held is None or _rank(record) >= _rank(held):
            kept[record.key] = record
    return kept


def _rank(record: TrialRecord) -> tuple[int, str]:
    return record.attempt, record.started_at


def pair_up(
    records: Iterable[TrialRecord], planned: Sequence[tuple[str, int]] = ()
) -> tuple[tuple[Pair, ...], tuple[Exclusion, ...]]:
    """Every pair that was planned or begun, sorted by scenario and repeat, and why some do not count.

    A pair counts if both arms have a verdict on the same version of the scenario. One with an INVALID
    or missing arm, or with arms that ran different scenarios, gets the result `invalid` and an exclusion.
    """
    kept = last_attempts(records)
    names = sorted({(key.scenario, key.repeat) for key in kept} | set(planned))
    facts = {record.scenario: record for record in kept.values()}
    pairs, exclusions = [], []
    for scenario, repeat in names:
        base, tuned = (kept.get(TrialKey(scenario=scenario, arm=arm, repeat=repeat)) for arm in Arm)
        causes = _causes(base, tuned)
        if causes:
            exclusions.append(Exclusion(scenario=plain(scenario), repeat=repeat, causes=causes))
        pairs.append(_pair(scenario, repeat, base, tuned, facts.get(scenario), excluded=bool(causes)))
    return tuple(pairs), tuple(exclusions)


def _causes(base: TrialRecord | None, tuned: TrialRecord | None) -> tuple[Cause, ...]:
    if base is None and tuned is None:
        return (Cause(arm="both", kind=ExclusionKind.MISSING, failed_part=None, reason=NEVER_RAN),)
    causes = [cause for arm, record in zip(Arm, (base, tuned), strict=True) if (cause := _cause(arm, record))]
    if base and tuned and base.scenario_digest != tuned.scenario_digest:
        reason = "the arms ran different versions of the scenario (digests differ)"
        causes.append(Cause(arm="both", kind=ExclusionKind.MISMATCH, failed_part=None, reason=reason))
    return tuple(causes)


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
    scenario: str,
    repeat: int,
    base: TrialRecord | None,
    tuned: TrialRecord | None,
    facts: TrialRecord | None,
    *,
    excluded: bool,
) -> Pair:
    known = tuned or base or facts
    return Pair(
        scenario=plain(scenario),
        repeat=repeat,
        archetype=plain(known.archetype) if known else None,
        critical=known.critical if known else None,
        expected_terminal=known.expected_terminal if known else None,
        result=PairResult.INVALID if excluded else _result(base, tuned),
        base=_summary(base) if base else None,
        tuned=_summary(tuned) if tuned else None,
    )


def _result(base: TrialRecord | None, tuned: TrialRecord | None) -> PairResult:
    won = int(tuned is not None and tuned.outcome is Outcome.PASS)
    held = int(base is not None and base.outcome is Outcome.PASS)
    return (PairResult.LOSS, PairResult.TIE, PairResult.WIN)[won - held + 1]


def _summary(record: TrialRecord) -> TrialSummary:
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
    )
