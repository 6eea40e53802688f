"""Two runs into a comparison, or into the reasons why there is none."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from harness.values import Arm
from reports.compare.arms import compare_arm
from reports.compare.control import drift, gain
from reports.compare.identity import facts, qualifications, refusals
from reports.compare.rows import Rows, match_rows
from reports.compare.schema import ArmComparison, Comparison, Drift, Fact, RunSide, Status, Verdict, Why
from reports.compare.side import Side
from reports.schema import ScoringMode
from reports.wording import plural

LEFT_OUT = {
    Why.ONLY_A: "only in A",
    Why.ONLY_B: "only in B",
    Why.OTHER_VERSION: "of different versions of the scenario",
    Why.INVALID: "INVALID",
    Why.NOT_RUN: "not run in at least one run",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Question:
    """What is asked of the two runs."""

    metric: str
    arm: Arm
    level: float


def compare_runs(
    a: Side, b: Side, *, metric: str = "success", arm: Arm = Arm.TUNED, allowed: frozenset[str] = frozenset()
) -> Comparison:
    """Run B against run A on one arm; `metric` decides what counts as a change. Differences are B minus A.

    `allowed` names facts (`ALLOWABLE`) whose difference qualifies the comparison instead of refusing it.
    """
    level = a.report.run.level
    asked = _Question(metric=metric, arm=arm, level=level)
    found = facts(a, b, allowed)
    rows = match_rows(a, b, arm)
    reasons = refusals(found) + (() if rows.compared else (_nothing(rows),))
    if reasons:
        return _comparison(a, b, asked, found, Verdict.REFUSED, reasons=reasons)
    first = compare_arm(rows, arm, metric, level)
    arms: tuple[ArmComparison, ...] = (first,)
    control = None
    if arm is Arm.TUNED:
        base_rows = match_rows(a, b, Arm.BASE)
        base = compare_arm(base_rows, Arm.BASE, metric, level)
        arms, control = (first, base), drift(base_rows, base, found, metric, level)
    reservations = (*qualifications(found), *_versions(a, b), *_left_out(arms), *_doubts(a, b, control))
    verdict = Verdict.QUALIFIED if reservations else Verdict.COMPARABLE
    made = _comparison(a, b, asked, found, verdict, reservations=reservations)
    return made.model_copy(
        update={
            "arms": arms,
            "base_control": control,
            "gain": gain(a, b, metric) if arm is Arm.TUNED else None,
        }
    )


def _comparison(
    a: Side,
    b: Side,
    asked: _Question,
    found: tuple[Fact, ...],
    verdict: Verdict,
    *,
    reasons: tuple[str, ...] = (),
    reservations: tuple[str, ...] = (),
) -> Comparison:
    return Comparison(
        verdict=verdict,
        metric=asked.metric,
        arm=asked.arm.value,
        a=_side(a),
        b=_side(b),
        facts=found,
        refusals=reasons,
        qualifications=reservations,
        notes=_notes(a, b, found),
        level=asked.level,
        arms=(),
        base_control=None,
        gain=None,
    )


def _side(side: Side) -> RunSide:
    run, arms = side.report.run, side.report.arms
    return RunSide(
        run=run.id,
        source="records" if side.from_records else "report",
        started_at=run.started_at,
        evalh_version=run.evalh_version,
        mode=side.report.scoring.mode,
        base_model=arms.base.model,
        tuned_model=arms.tuned.model,
        pairs=len(side.report.pairs),
    )


def _nothing(rows: Rows) -> str:
    if not rows.left_out:
        return "rows: neither run has any"
    return f"rows: nothing can be compared: {_counted(rows)}"


def _counted(rows: Rows | ArmComparison) -> str:
    counts = Counter(row.why for row in rows.left_out)
    return ", ".join(f"{counts[why]} {words}" for why, words in LEFT_OUT.items() if counts[why])


def _left_out(arms: tuple[ArmComparison, ...]) -> tuple[str, ...]:
    return tuple(
        f"rows of the {arm.arm} arm: {len(arm.left_out)} of {arm.rows} not compared: {_counted(arm)}"
        for arm in arms
        if arm.left_out
    )


def _versions(a: Side, b: Side) -> tuple[str, ...]:
    """Whether both runs tell which version of each common scenario they ran."""
    common = {pair.scenario for pair in a.report.pairs} & {pair.scenario for pair in b.report.pairs}
    told = [{pair.scenario for pair in side.report.pairs if pair.scenario_digest} for side in (a, b)]
    silent = [len(common - known) for known in told]
    return tuple(
        f"scenarios: the version of {plural(count, 'scenario')} is unknown in {name}, not compared"
        for name, count in zip("AB", silent, strict=True)
        if count
    )


def _doubts(a: Side, b: Side, control: Drift | None) -> tuple[str, ...]:
    stopped = [name for name, side in (("A", a), ("B", b)) if side.report.stopped and side.report.stopped.decision]
    doubts = [
        f"run {name} stopped as soon as it was decided: its own result leans towards what stopped it"
        for name in stopped
    ]
    if control and control.drifted:
        doubts.append(f"base: {control.sentence}")
    return tuple(doubts)


def _notes(a: Side, b: Side, found: tuple[Fact, ...]) -> tuple[str, ...]:
    notes = []
    if a.report.run.id == b.report.run.id and a.report.pairs == b.report.pairs:
        notes.append("A and B are the same run")
    if ScoringMode.FIXTURE in {a.report.scoring.mode, b.report.scoring.mode}:
        notes.append("a script answered, not a model: this says nothing about a model")
    if any(fact.name == "tuned" and fact.status is Status.SAME for fact in found):
        notes.append("the tuned model is the same in both runs: what differs is the runs, not the model")
    return tuple(notes)
