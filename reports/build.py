"""Records and a policy into a report."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from statistics import median

from harness.values import Arm, Outcome, TrialRecord
from reports.gate import decide, ineligible
from reports.metrics import LEVEL, arm_of, compare_metrics
from reports.pairing import last_attempts, pair_up
from reports.parity import parity_section
from reports.plain import plain
from reports.policy import Policy
from reports.run_info import RunInfo
from reports.schema import (
    Arms,
    ArmSection,
    Pair,
    PairResult,
    Pairwise,
    Report,
    RunSection,
    Scoring,
    ScoringMode,
    TrialSummary,
)


def build_report(records: Iterable[TrialRecord], *, run: RunInfo, policy: Policy) -> Report:
    """The whole report of one run; it depends on the records, not on their order."""
    kept = tuple(last_attempts(records).values())
    pairs, exclusions = pair_up(kept, run.planned)
    valid = [pair for pair in pairs if pair.result is not PairResult.INVALID]
    parity = parity_section(kept)
    scoring = _scoring(kept, pairs, valid, run)
    scoring = scoring.model_copy(update={"promotion_eligible": not ineligible(scoring, parity, policy)})
    decision = decide(pairs, exclusions, scoring, parity, policy)
    return Report(
        run=_run_section(kept, pairs, run),
        arms=Arms(base=_arm(Arm.BASE, kept, valid), tuned=_arm(Arm.TUNED, kept, valid)),
        scoring=scoring,
        parity=parity,
        metrics=compare_metrics(pairs),
        pairs=pairs,
        exclusions=exclusions,
        critical_pass_rate=_pass_rate([pair for pair in valid if pair.critical]),
        pairwise=_pairwise(pairs),
        aggregate_score=_pass_rate(valid),
        gate_result=decision.gate_result,
        promotion_recommendation=decision.promotion_recommendation,
        rationale=decision.rationale,
    )


def _run_section(kept: Sequence[TrialRecord], pairs: Sequence[Pair], run: RunInfo) -> RunSection:
    engines = sorted({record.engine for record in kept})
    return RunSection(
        id=plain(run.id),
        started_at=run.started_at or min((record.started_at for record in kept), default=None),
        finished_at=max((end for record in kept if (end := _ended(record))), default=None),
        evalh_version=run.evalh_version,
        engine=run.engine or (", ".join(engines) if engines else None),
        seed=run.seed,
        temperature=run.temperature,
        repeats=run.repeats,
        planned_pairs=len(set(run.planned)) or len(pairs),
        level=LEVEL,
        digests={name: plain(digest) for name, digest in run.digests},
    )


def _ended(record: TrialRecord) -> str | None:
    try:
        start = datetime.fromisoformat(record.started_at)
        return (start + timedelta(seconds=record.seconds)).astimezone(UTC).isoformat(timespec="milliseconds")
    except (ValueError, OverflowError):
        return None


def _arm(arm: Arm, kept: Sequence[TrialRecord], valid: Sequence[Pair]) -> ArmSection:
    own = [record for record in kept if record.arm is arm]
    trials = [trial for pair in valid if (trial := arm_of(pair, arm))]
    return ArmSection(
        model=", ".join(plain(name) for name in sorted({record.model for record in own})) or None,
        trials=len(own),
        passed=sum(record.outcome is Outcome.PASS for record in own),
        failed=sum(record.outcome is Outcome.FAIL for record in own),
        invalid=sum(record.outcome is Outcome.INVALID for record in own),
        median_turns=_median([trial.turns for trial in trials]),
        median_seconds=_median([trial.seconds for trial in trials]),
        median_prompt_tokens=_median([trial.prompt_tokens for trial in trials]),
        median_completion_tokens=_median([trial.completion_tokens for trial in trials]),
    )


def _median(values: Sequence[float | None]) -> float | None:
    """The median of what was measured; None if nothing was."""
    measured = [value for value in values if value is not None]
    return float(median(measured)) if measured else None


def _pass_rate(pairs: Sequence[Pair]) -> float | None:
    passed: list[TrialSummary] = [pair.tuned for pair in pairs if pair.tuned and pair.tuned.outcome is Outcome.PASS]
    return len(passed) / len(pairs) if pairs else None


def _pairwise(pairs: Sequence[Pair]) -> Pairwise:
    results = [pair.result for pair in pairs]
    return Pairwise(
        wins=results.count(PairResult.WIN),
        losses=results.count(PairResult.LOSS),
        ties=results.count(PairResult.TIE),
        invalid=results.count(PairResult.INVALID),
    )


def _scoring(kept: Sequence[TrialRecord], pairs: Sequence[Pair], valid: Sequence[Pair], run: RunInfo) -> Scoring:
    live = run.mode is ScoringMode.LIVE
    blockers = [plain(text) for text in run.blockers]
    names = {arm: {record.model for record in kept if record.arm is arm} for arm in Arm}
    if names[Arm.BASE] & names[Arm.TUNED]:
        blockers.append("both arms were served under the same model name")
    if any(len(models) > 1 for models in names.values()):
        blockers.append("one arm was served under more than one model name")
    notes = [f"not eligible: {text}" for text in blockers] + [plain(note) for note in run.notes]
    if len({pair.scenario for pair in pairs}) < len(pairs):
        notes.append(
            "scenarios have repeats: the test flips whole scenarios, and intervals count repeats as adding nothing"
        )
    if any(_seeds_differ(pair_records) for pair_records in _by_pair(kept)):
        notes.append("in some pairs the arms ran with different seeds")
    return Scoring(
        mode=run.mode,
        quality_signal=live and bool(valid),
        promotion_eligible=live and not blockers,
        notes=tuple(notes),
    )


def _by_pair(kept: Sequence[TrialRecord]) -> Iterable[list[TrialRecord]]:
    groups: dict[tuple[str, int], list[TrialRecord]] = {}
    for record in kept:
        groups.setdefault((record.scenario, record.repeat), []).append(record)
    return groups.values()


def _seeds_differ(records: Sequence[TrialRecord]) -> bool:
    return len({record.seed for record in records}) > 1
