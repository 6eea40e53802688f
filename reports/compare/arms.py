"""One arm of two runs compared: every metric, the rows that changed, and the rows left out."""

from __future__ import annotations

from collections.abc import Sequence

from harness.values import Arm
from reports.compare.rows import Rows
from reports.compare.schema import ArmComparison, Change, ComparedMetric, Counts, Ending, Finding, RunDifference
from reports.metrics import compare_metrics
from reports.schema import Pair, TrialSummary
from reports.schema_numbers import Metric
from reports.statistics.mcnemar import smallest_p
from reports.tally import METRICS, Better, cell_of


def compare_arm(rows: Rows, arm: Arm, metric: str, level: float) -> ArmComparison:
    """The comparison of one arm over its rows; `changes` are those of `metric`."""
    return ArmComparison(
        arm=arm.value,
        rows=len(rows.compared) + len(rows.left_out),
        compared=len(rows.compared),
        metrics=tuple(_metric(found, level) for found in compare_metrics(rows.compared)),
        changes=tuple(change for pair in rows.compared if (change := _change(pair, metric))),
        left_out=rows.left_out,
    )


def differing(rows: Rows) -> int:
    """How many rows ended otherwise in B than in A: outcome, terminal, turns or any metric."""
    return sum(_told(pair.base) != _told(pair.tuned) for pair in rows.compared)


def changes_in(pairs: Sequence[Pair], metric: str) -> int:
    """How many rows give another answer to one metric."""
    cells = (cell_of(pair, metric) for pair in pairs)
    return sum(cell is not None and cell[0] != cell[1] for cell in cells)


def _told(trial: TrialSummary | None) -> tuple[object, ...]:
    return (trial.outcome, trial.terminal, trial.turns, trial.metrics) if trial else ()


def _metric(found: Metric, level: float) -> ComparedMetric:
    pairs, difference = found.pairs, found.difference
    return ComparedMetric(
        name=found.name,
        question=found.question,
        better=found.better,
        a=found.base,
        b=found.tuned,
        pairs=Counts(
            n=pairs.n, both=pairs.both, b_only=pairs.tuned_only, a_only=pairs.base_only, neither=pairs.neither
        ),
        difference=(
            RunDifference(estimate=difference.estimate, tango=difference.tango, newcombe=difference.newcombe)
            if difference
            else None
        ),
        test=found.test,
        finding=_finding(found, 1 - level),
    )


def _finding(found: Metric, alpha: float) -> Finding:
    if found.test is None or found.difference is None:
        return Finding.UNMEASURED
    if smallest_p(found.test.clusters) > alpha:
        return Finding.UNDECIDABLE
    if found.test.p > alpha:
        return Finding.NOT_SHOWN
    b_better = (found.difference.estimate > 0) == (found.better == "higher")
    return Finding.B_BETTER if b_better else Finding.A_BETTER


def _change(pair: Pair, metric: str) -> Change | None:
    cell = cell_of(pair, metric)
    if cell is None or cell[0] == cell[1] or pair.base is None or pair.tuned is None:
        return None
    b_better = cell[1] == (METRICS[metric].better is Better.HIGHER)
    return Change(
        scenario=pair.scenario,
        repeat=pair.repeat,
        better="b" if b_better else "a",
        a=_ending(pair.base),
        b=_ending(pair.tuned),
    )


def _ending(trial: TrialSummary) -> Ending:
    return Ending(outcome=trial.outcome, terminal=trial.terminal, turns=trial.turns, reason=trial.reason)
