"""Each metric compared between the arms: rates, discordant pairs, intervals and the exact test."""

from __future__ import annotations

from collections.abc import Sequence

from harness.values import Arm
from reports.schema import (
    ArchetypeRow,
    Difference,
    Metric,
    Pair,
    PairedCounts,
    PairedTest,
    PairedTestName,
    PairResult,
    Rate,
    TrialSummary,
)
from reports.statistics.clusters import repeat_weight
from reports.statistics.difference import newcombe, tango
from reports.statistics.mcnemar import mcnemar_exact, mcnemar_midp
from reports.statistics.power import smallest_detectable
from reports.statistics.proportion import clopper_pearson, wilson
from reports.tally import METRICS, MetricKind, Tally, tally

LEVEL = 0.95  # of every interval in a report


def compare_metrics(pairs: Sequence[Pair]) -> tuple[Metric, ...]:
    """Every metric of the table over the valid pairs, overall and by archetype."""
    valid = [pair for pair in pairs if pair.result is not PairResult.INVALID]
    groups: dict[str, list[Pair]] = {}
    for pair in valid:
        groups.setdefault(pair.archetype or "", []).append(pair)
    return tuple(_metric(name, kind, valid, groups) for name, kind in METRICS.items())


def rate_of(pairs: Sequence[Pair], arm: Arm, kind: MetricKind) -> Rate | None:
    """One arm's rate over the pairs in which that arm was measured; None if none was.

    Counts are trials; where a scenario has repeats, the intervals are those of the shrunken n.
    """
    sizes: dict[str, int] = {}
    count = 0
    for pair in pairs:
        trial = arm_of(pair, arm)
        met = kind.read(trial) if trial else None
        if met is not None:
            sizes[pair.scenario] = sizes.get(pair.scenario, 0) + 1
            count += met
    n = sum(sizes.values())
    if n == 0:
        return None
    weight = repeat_weight(tuple(sizes.values()))
    return Rate(
        count=count,
        n=n,
        rate=count / n,
        wilson=wilson(count / weight, n / weight, LEVEL),
        clopper_pearson=clopper_pearson(count / weight, n / weight, LEVEL),
    )


def arm_of(pair: Pair, arm: Arm) -> TrialSummary | None:
    """The pair's trial of one arm."""
    return pair.base if arm is Arm.BASE else pair.tuned


def _metric(name: str, kind: MetricKind, valid: Sequence[Pair], groups: dict[str, list[Pair]]) -> Metric:
    counted = tally(valid, name)
    base, tuned = (rate_of(valid, arm, kind) for arm in Arm)
    return Metric(
        name=name,
        question=kind.question,
        better=kind.better.value,
        base=base,
        tuned=tuned,
        pairs=_counts(counted),
        difference=_difference(counted) if counted.n else None,
        test=_test(counted) if counted.n else None,
        unmeasured_reason=None if counted.n else _why_unmeasured(valid, base, tuned),
        by_archetype=tuple(_row(archetype, name, kind, groups[archetype]) for archetype in sorted(groups)),
    )


def _row(archetype: str, name: str, kind: MetricKind, pairs: Sequence[Pair]) -> ArchetypeRow:
    base, tuned = (rate_of(pairs, arm, kind) for arm in Arm)
    return ArchetypeRow(archetype=archetype, base=base, tuned=tuned, pairs=_counts(tally(pairs, name)))


def _counts(counted: Tally) -> PairedCounts:
    return PairedCounts(
        n=counted.n,
        both=counted.both,
        tuned_only=counted.tuned_only,
        base_only=counted.base_only,
        neither=counted.neither,
    )


def _difference(counted: Tally) -> Difference:
    table = counted.table
    return Difference(
        estimate=(counted.tuned_only - counted.base_only) / counted.n,
        tango=tango(table, LEVEL),
        newcombe=newcombe(table, LEVEL),
    )


def _test(counted: Tally) -> PairedTest:
    clustered = counted.clustered
    clusters = len(counted.sizes)
    return PairedTest(
        name=PairedTestName.SIGN_FLIP if clustered else PairedTestName.MCNEMAR_EXACT,
        p=counted.p,
        mcnemar_exact_p=None if clustered else mcnemar_exact(counted.tuned_only, counted.base_only),
        mcnemar_midp=None if clustered else mcnemar_midp(counted.tuned_only, counted.base_only),
        clusters=clusters,
        smallest_detectable=None if clustered else smallest_detectable(counted.n, counted.base_only / counted.n),
    )


def _why_unmeasured(valid: Sequence[Pair], base: Rate | None, tuned: Rate | None) -> str:
    if not valid:
        return "there is no valid pair"
    if base is None and tuned is None:
        return "no trial of a valid pair measured it, or it applies to none of them"
    return "no pair measured it in both arms"
