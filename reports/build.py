"""Records and a policy into a report."""

from __future__ import annotations

import gc
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from statistics import median

from harness.values import Arm, Outcome, TrialRecord
from reports.claims import finding_rows
from reports.early import settle
from reports.eligibility import blockers
from reports.gate import decide, ineligible
from reports.measures import compare_measures
from reports.metrics import LEVEL, arm_of, compare_metrics, valid_of
from reports.pairing import latest, pair_up
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
from reports.sound import sound
from reports.steadiness import repeats_section


@contextmanager
def _no_collection() -> Iterator[None]:
    """No search for cyclic garbage meanwhile: a report makes none, and ten thousand pairs are walked in vain."""
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was:
            gc.enable()


@_no_collection()
def build_report(records: Iterable[TrialRecord], *, run: RunInfo, policy: Policy) -> Report:
    """The whole report of one run; it depends on the records, not on their order.

    Raises:
        BadInputError: a record holds what no run can have written.
    """
    every = sound(records)
    kept = sorted(latest(every), key=lambda record: (record.scenario, record.repeat, record.arm))
    rule = run.stop_rule
    pairs, exclusions = pair_up(kept, run.planned, facts=run.scenarios, order=rule.order if rule else ())
    stopped = None
    if rule is not None:
        pairs, exclusions, stopped = settle(pairs, exclusions, rule)
    valid = valid_of(pairs)
    parity = parity_section(kept)
    scoring = _scoring(blockers(every, kept, run), pairs, valid, run)
    scoring = scoring.model_copy(update={"promotion_eligible": not ineligible(scoring, parity, policy)})
    decision = decide(pairs, exclusions, scoring, parity, policy, stopped=stopped)
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
        policy=decision.policy,
        findings=finding_rows(decision.findings),
        measures=compare_measures(valid, LEVEL),
        repeats=repeats_section(valid),
        calibration=run.calibration,
        stopped=stopped,
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
        top_p=run.top_p,
        max_tokens=run.max_tokens,
        deterministic=run.deterministic,
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


def _scoring(reasons: Sequence[str], pairs: Sequence[Pair], valid: Sequence[Pair], run: RunInfo) -> Scoring:
    live = run.mode is ScoringMode.LIVE
    notes = [f"not eligible: {text}" for text in reasons] + [plain(note) for note in run.notes]
    if len({pair.scenario for pair in pairs}) < len(pairs):
        notes.append(
            "scenarios have repeats: the test flips whole scenarios, the interval of a difference counts repeats for "
            "as much as they differ, and that of a rate as adding nothing"
        )
    return Scoring(
        mode=run.mode,
        quality_signal=live and bool(valid),
        promotion_eligible=live and not reasons,
        notes=tuple(notes),
    )
