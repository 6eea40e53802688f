"""The valid pairs as columns of numbers, so that counting them by any grouping takes milliseconds."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from harness.values import Arm
from reports.schema import Pair, PairedCounts
from reports.statistics.clustered import ClusterCount
from reports.tally import METRICS, MetricKind, Tally

Codes = NDArray[np.int64]
Floats = NDArray[np.float64]

UNMEASURED = -1
OTHER = "(other)"


@dataclass(frozen=True, slots=True, kw_only=True)
class Grouping:
    """Pairs sorted into named groups: the code of each pair's group, an index of `names`."""

    names: tuple[str, ...]
    codes: Codes


@dataclass(frozen=True, slots=True, kw_only=True)
class Columns:
    """The valid pairs: each one's scenario, and what its arms show of every metric (1, 0, or -1 for unmeasured)."""

    scenarios: Grouping
    shown: Mapping[str, Mapping[Arm, Codes]]

    @property
    def everything(self) -> Grouping:
        """All pairs as one group."""
        return Grouping(names=("",), codes=np.zeros(len(self.scenarios.codes), dtype=np.int64))


@dataclass(frozen=True, slots=True, kw_only=True)
class Counted:
    """One arm in one group: how many of n measured trials met the metric, and by how much repeats shrink n."""

    count: int
    n: int
    weight: float


def columns(valid: Sequence[Pair]) -> Columns:
    """The valid pairs as columns."""
    return Columns(
        scenarios=grouped([pair.scenario for pair in valid]),
        shown={
            name: {Arm.BASE: _shown(valid, kind, Arm.BASE), Arm.TUNED: _shown(valid, kind, Arm.TUNED)}
            for name, kind in METRICS.items()
        },
    )


def _shown(valid: Sequence[Pair], kind: MetricKind, arm: Arm) -> Codes:
    read, codes = kind.read, {None: UNMEASURED, False: 0, True: 1}
    trials = [pair.base if arm is Arm.BASE else pair.tuned for pair in valid]
    return np.array([UNMEASURED if trial is None else codes[read(trial)] for trial in trials], dtype=np.int64)


def grouped(values: Sequence[str], *, most: int | None = None, order: Callable[[str], object] = str) -> Grouping:
    """Values as codes of their sorted names; with `most`, the rarer values are pooled under one name."""
    counts = Counter(values)
    if most is not None and len(counts) > most:
        kept = {name for name, _ in sorted(counts.items(), key=lambda item: (-item[1], item[0]))[: most - 1]}
        values = [value if value in kept else OTHER for value in values]
    names = sorted(set(values), key=lambda name: (name == OTHER, order(name)))
    index = {name: code for code, name in enumerate(names)}
    return Grouping(
        names=tuple(names), codes=np.fromiter((index[v] for v in values), dtype=np.int64, count=len(values))
    )


def count_arm(table: Columns, metric: str, arm: Arm, groups: Grouping) -> tuple[Counted | None, ...]:
    """One arm's counts in every group, over the pairs in which that arm was measured; None where none was."""
    shown = table.shown[metric][arm]
    measured = shown >= 0
    codes, size = groups.codes[measured], len(groups.names)
    n = np.bincount(codes, minlength=size)
    count = np.bincount(codes, weights=shown[measured], minlength=size)
    weights = _weights(codes, table.scenarios.codes[measured], n, len(table.scenarios.names))
    return tuple(
        Counted(count=int(c), n=int(m), weight=float(w)) if m else None
        for c, m, w in zip(count, n, weights, strict=True)
    )


def _weights(codes: Codes, scenarios: Codes, n: Codes, scenario_count: int) -> Floats:
    """For each group the sum of squares of its scenarios' pairs over their sum: the factor of `repeat_weight`."""
    keys, sizes = np.unique(codes * scenario_count + scenarios, return_counts=True)
    squares = np.bincount(keys // max(1, scenario_count), weights=sizes.astype(np.float64) ** 2, minlength=len(n))
    return np.asarray(squares / np.maximum(n, 1), dtype=np.float64)


def cells(table: Columns, metric: str, groups: Grouping) -> Codes:
    """A row a group: how many pairs show the metric in neither arm, only tuned, only base, both."""
    base, tuned = table.shown[metric][Arm.BASE], table.shown[metric][Arm.TUNED]
    measured = (base >= 0) & (tuned >= 0)
    keys = groups.codes[measured] * 4 + 2 * base[measured] + tuned[measured]
    return np.bincount(keys, minlength=4 * len(groups.names)).reshape(-1, 4)


def count_pairs(table: Columns, metric: str, groups: Grouping) -> tuple[PairedCounts, ...]:
    """The paired table of every group, over the pairs in which both arms were measured."""
    rows = cells(table, metric, groups).tolist()
    return tuple(
        PairedCounts(n=sum(row), both=row[3], tuned_only=row[1], base_only=row[2], neither=row[0]) for row in rows
    )


def cluster_counts(table: Columns, metric: str, groups: Grouping) -> tuple[ClusterCount, ...]:
    """The pairs and discordant pairs of every group that has a pair measured in both arms."""
    rows = cells(table, metric, groups).tolist()
    return tuple(ClusterCount(pairs=sum(row), tuned_only=row[1], base_only=row[2]) for row in rows if any(row))


def tally_of(table: Columns, metric: str) -> Tally:
    """All pairs counted for one metric, with their scenarios' sums and sizes."""
    neither, tuned_only, base_only, both = cells(table, metric, table.everything).sum(axis=0).tolist()
    by_scenario = cells(table, metric, table.scenarios)
    by_scenario = by_scenario[by_scenario.sum(axis=1) > 0]
    return Tally(
        both=both,
        tuned_only=tuned_only,
        base_only=base_only,
        neither=neither,
        sums=tuple((by_scenario[:, 1] - by_scenario[:, 2]).tolist()),
        sizes=tuple(by_scenario.sum(axis=1).tolist()),
    )
