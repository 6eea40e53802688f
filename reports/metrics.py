"""Each metric compared between the arms: rates, discordant pairs, intervals and tests."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

from harness.values import Arm
from reports.columns import (
    Columns,
    Counted,
    Grouping,
    cluster_counts,
    columns,
    count_arm,
    count_pairs,
    grouped,
    tally_of,
)
from reports.schema import (
    ArchetypeRow,
    AxisRow,
    ClusteredTests,
    Difference,
    Metric,
    Pair,
    PairedCounts,
    PairedTest,
    PairedTestName,
    PairResult,
    Rate,
    TrialSummary,
    WinOdds,
)
from reports.statistics.clustered import Conclusion, compare_clusters
from reports.statistics.difference import newcombe, tango
from reports.statistics.mcnemar import mcnemar_exact, mcnemar_midp
from reports.statistics.multiplicity import benjamini_hochberg
from reports.statistics.odds import win_odds
from reports.statistics.power import smallest_detectable
from reports.statistics.proportion import clopper_pearson, wilson
from reports.tally import METRICS, Better, Tally

LEVEL = 0.95  # of every interval in a report
AXIS_VALUES = 30  # of one axis that are shown; the rarer ones are pooled
_CONCLUSIONS = {
    Conclusion.DIFFERENT: "different",
    Conclusion.NOT_SHOWN: "not_shown",
    Conclusion.INCONCLUSIVE: "inconclusive",
}


def compare_metrics(pairs: Sequence[Pair]) -> tuple[Metric, ...]:
    """Every metric of the table over the valid pairs: overall, by archetype and by axis."""
    valid = valid_of(pairs)
    table = columns(valid)
    archetypes = grouped([pair.archetype or "" for pair in valid])
    axes = {name: _axis(valid, name) for name in sorted({name for pair in valid for name in pair.tags})}
    known = _Known()
    return _adjusted([_metric(name, table, archetypes, axes, known) for name in METRICS])


class _Known:
    """What was computed once for one report: many groups and metrics have the same counts."""

    def __init__(self) -> None:
        self.rate = cache(_rate)
        self.smallest_detectable = cache(smallest_detectable)


def valid_of(pairs: Sequence[Pair]) -> list[Pair]:
    """The pairs in which both arms have a verdict that counts."""
    return [pair for pair in pairs if pair.result not in {PairResult.INVALID, PairResult.STOPPED}]


def arm_of(pair: Pair, arm: Arm) -> TrialSummary | None:
    """The pair's trial of one arm."""
    return pair.base if arm is Arm.BASE else pair.tuned


def _axis(valid: Sequence[Pair], name: str) -> Grouping:
    return grouped([pair.tags.get(name, "") for pair in valid], most=AXIS_VALUES)


def _metric(name: str, table: Columns, archetypes: Grouping, axes: dict[str, Grouping], known: _Known) -> Metric:
    kind, counted = METRICS[name], tally_of(table, name)
    base, tuned = (_rates(table, name, arm, table.everything, known)[0] for arm in Arm)
    return Metric(
        name=name,
        question=kind.question,
        better=kind.better.value,
        base=base,
        tuned=tuned,
        pairs=count_pairs(table, name, table.everything)[0],
        difference=_difference(counted) if counted.n else None,
        test=_test(counted, known) if counted.n else None,
        unmeasured_reason=None if counted.n else _why_unmeasured(table, base, tuned),
        by_archetype=tuple(
            ArchetypeRow(archetype=value, base=base, tuned=tuned, pairs=pairs)
            for value, base, tuned, pairs in _rows(table, name, archetypes, known)
        ),
        win_odds=_win_odds(counted, kind.better) if counted.n and not counted.clustered else None,
        by_axis=tuple(
            AxisRow(axis=axis, value=value, base=base, tuned=tuned, pairs=pairs)
            for axis, groups in axes.items()
            for value, base, tuned, pairs in _rows(table, name, groups, known)
        ),
        clustered=_clustered(table, name, counted, archetypes),
    )


def _rows(
    table: Columns, name: str, groups: Grouping, known: _Known
) -> list[tuple[str, Rate | None, Rate | None, PairedCounts]]:
    base, tuned = (_rates(table, name, arm, groups, known) for arm in Arm)
    return list(zip(groups.names, base, tuned, count_pairs(table, name, groups), strict=True))


def _rates(table: Columns, name: str, arm: Arm, groups: Grouping, known: _Known) -> list[Rate | None]:
    return [known.rate(counted) if counted else None for counted in count_arm(table, name, arm, groups)]


def _rate(counted: Counted) -> Rate:
    """Counts are trials; where a scenario has repeats, the intervals are those of the shrunken n."""
    x, n = counted.count / counted.weight, counted.n / counted.weight
    return Rate(
        count=counted.count,
        n=counted.n,
        rate=counted.count / counted.n,
        wilson=wilson(x, n, LEVEL),
        clopper_pearson=clopper_pearson(x, n, LEVEL),
    )


def _difference(counted: Tally) -> Difference:
    table = counted.table(LEVEL)
    return Difference(
        estimate=(counted.tuned_only - counted.base_only) / counted.n,
        tango=tango(table, LEVEL),
        newcombe=newcombe(table, LEVEL),
    )


def _test(counted: Tally, known: _Known) -> PairedTest:
    clustered = counted.clustered
    return PairedTest(
        name=PairedTestName.SIGN_FLIP if clustered else PairedTestName.MCNEMAR_EXACT,
        p=counted.p,
        mcnemar_exact_p=None if clustered else mcnemar_exact(counted.tuned_only, counted.base_only),
        mcnemar_midp=None if clustered else mcnemar_midp(counted.tuned_only, counted.base_only),
        clusters=len(counted.sizes),
        smallest_detectable=known.smallest_detectable(len(counted.sizes), counted.base_only / counted.n),
    )


def _adjusted(metrics: Sequence[Metric]) -> tuple[Metric, ...]:
    """The metrics with their p-values adjusted for how many there are."""
    tests = [metric.test for metric in metrics if metric.test]
    adjusted = iter(benjamini_hochberg([test.p for test in tests]))
    return tuple(
        metric.model_copy(update={"test": metric.test.model_copy(update={"p_bh": next(adjusted)})})
        if metric.test
        else metric
        for metric in metrics
    )


def _win_odds(counted: Tally, better: Better) -> WinOdds:
    wins, losses = counted.tuned_only, counted.base_only
    if better is Better.LOWER:
        wins, losses = losses, wins
    odds = win_odds(wins, losses, LEVEL)
    return WinOdds(
        wins=wins,
        losses=losses,
        odds=odds.odds,
        median=odds.median,
        interval=odds.interval,
        probability_better=odds.probability_better,
    )


def _clustered(table: Columns, name: str, counted: Tally, archetypes: Grouping) -> tuple[ClusteredTests, ...]:
    """The comparison by scenario where these have repeats, and by archetype where there are several."""
    rows = []
    if counted.n and counted.clustered:
        rows.append(_clustered_by("scenario", table, name, table.scenarios))
    if counted.n and len(archetypes.names) > 1:
        rows.append(_clustered_by("archetype", table, name, archetypes))
    return tuple(rows)


def _clustered_by(by: str, table: Columns, name: str, groups: Grouping) -> ClusteredTests:
    found = compare_clusters(cluster_counts(table, name, groups), LEVEL)
    return ClusteredTests.model_validate(
        {
            "by": by,
            "clusters": found.clusters,
            "pairs": found.pairs,
            "difference": found.difference,
            "standard_error": found.standard_error,
            "cluster_robust": found.cluster_robust,
            "signflip_p": found.signflip_p,
            "yang_z": found.yang_z,
            "yang_p": found.yang_p,
            "durkalski_chi2": found.durkalski_chi2,
            "durkalski_p": found.durkalski_p,
            "conclusion": _CONCLUSIONS[found.conclusion],
            "reason": found.reason,
        }
    )


def _why_unmeasured(table: Columns, base: Rate | None, tuned: Rate | None) -> str:
    if not table.scenarios.names:
        return "there is no valid pair"
    if base is None and tuned is None:
        return "no trial of a valid pair measured it, or it applies to none of them"
    return "no pair measured it in both arms"
