"""Paired yes/no results in clusters: tests and an interval that let the pairs of a cluster be alike."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from math import copysign, sqrt
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy.stats import chi2, norm, t

from reports.statistics.clusters import SignFlip, sign_flip_sums
from reports.statistics.mcnemar import smallest_p
from reports.statistics.values import Interval, check_level

Floats: TypeAlias = NDArray[np.float64]

FEWEST = 6  # clusters below which nothing is concluded at any level: 2 / 2^5 > .05


class Conclusion(StrEnum):
    """What the exact sign-flip test on the clusters says at 1 - level."""

    DIFFERENT = "different"
    NOT_SHOWN = "not shown"
    INCONCLUSIVE = "inconclusive"  # too few clusters: no result could have reached it


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterCount:
    """One cluster: how many pairs, and how many of them only one arm won. ValueError for impossible counts."""

    pairs: int
    tuned_only: int
    base_only: int

    def __post_init__(self) -> None:
        if not (self.tuned_only >= 0 and self.base_only >= 0 and 1 <= self.pairs >= self.tuned_only + self.base_only):
            msg = f"a cluster needs a pair and no more discordant ones than pairs, not {self}"
            raise ValueError(msg)


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusteredComparison:
    """Every answer on one set of clusters; None is what one cluster, or clusters without a difference, cannot say."""

    clusters: int
    pairs: int
    difference: float  # tuned minus base, over all pairs
    yang_z: float | None
    yang_p: float | None
    durkalski_chi2: float | None
    durkalski_p: float | None
    obuchowski_chi2: float | None
    obuchowski_p: float | None
    sign_flip: SignFlip
    standard_error: float | None  # of the difference, cluster-robust
    cluster_robust: Interval | None
    equal_sizes: bool
    conclusion: Conclusion
    reason: str

    @property
    def signflip_p(self) -> float:
        """The p that the conclusion rests on."""
        return self.sign_flip.p


def count_clusters(rows: Iterable[tuple[Hashable, bool, bool]]) -> tuple[ClusterCount, ...]:
    """Count rows of (cluster, base, tuned), one a pair, by cluster; clusters in order of appearance."""
    counts: dict[Hashable, list[int]] = {}
    for cluster, base, tuned in rows:
        row = counts.setdefault(cluster, [0, 0, 0])
        row[0] += 1
        row[1] += tuned and not base
        row[2] += base and not tuned
    return tuple(ClusterCount(pairs=n, tuned_only=b, base_only=c) for n, b, c in counts.values())


def compare_clusters(clusters: Sequence[ClusterCount], level: float = 0.95) -> ClusteredComparison:
    """Compare two arms on pairs that come in clusters. ValueError without a cluster or for a level outside (0, 1).

    Which to read: the conclusion is that of the sign-flip test, the only one that is exact. Among the others, Yang's
    where all clusters have the same size or there are 50 or more, else Durkalski's: so Yang et al. 2010 recommend.
    """
    check_level(level)
    if not clusters:
        msg = "a clustered comparison needs at least one cluster"
        raise ValueError(msg)
    sizes: Floats = np.array([cluster.pairs for cluster in clusters], dtype=np.float64)
    sums: Floats = np.array([cluster.tuned_only - cluster.base_only for cluster in clusters], dtype=np.float64)
    z, durkalski, obuchowski = yang_z(sums, sizes), durkalski_chi2(sums, sizes), obuchowski_chi2(sums)
    error = cluster_robust_error(sums, sizes)
    flip = sign_flip_sums(cluster.tuned_only - cluster.base_only for cluster in clusters)
    conclusion, reason = _concluded(len(clusters), flip.p, level, better=bool(sums.sum() > 0))
    difference = float(sums.sum() / sizes.sum())
    return ClusteredComparison(
        clusters=len(clusters),
        pairs=int(sizes.sum()),
        difference=difference,
        yang_z=z,
        yang_p=None if z is None else min(1.0, 2 * float(norm.sf(abs(z)))),
        durkalski_chi2=durkalski,
        durkalski_p=None if durkalski is None else float(chi2.sf(durkalski, 1)),
        obuchowski_chi2=obuchowski,
        obuchowski_p=None if obuchowski is None else float(chi2.sf(obuchowski, 1)),
        sign_flip=flip,
        standard_error=error,
        cluster_robust=None if error is None else _interval(difference, error, len(clusters), level),
        equal_sizes=bool((sizes == sizes[0]).all()),
        conclusion=conclusion,
        reason=reason,
    )


def yang_z(sums: Floats, sizes: Floats) -> float | None:
    """The modified Obuchowski statistic of Yang, Sun and Hardin, signed like the difference.

    Yang, Sun and Hardin 2010, Biometrical Journal 52:638-652: Obuchowski's statistic with the two variances taken
    under the hypothesis and the covariance around each arm's own rate, which makes the sum of squares the mean of
    the one around 0 and the one around the observed difference. `sums` are wins minus losses, `sizes` pairs, both
    by cluster. The paper gives z squared. None for one cluster, or where every sum is 0.
    """
    k = len(sums)
    squares = (float(np.square(sums).sum()) + _around(sums, sizes)) / 2
    if k < 2 or squares <= 0:
        return None
    total = float(sums.sum())
    return copysign(sqrt((k - 1) / k / squares) * abs(total), total)


def obuchowski_chi2(sums: Floats) -> float | None:
    """Obuchowski's statistic, 1 degree of freedom: the sum of squares around 0, as the hypothesis says.

    Obuchowski 1998, Statistics in Medicine 17:1495-1507, both rates pooled; None as in `yang_z`.
    """
    k, squares = len(sums), float(np.square(sums).sum())
    return None if k < 2 or squares <= 0 else (k - 1) / k * float(sums.sum()) ** 2 / squares


def durkalski_chi2(sums: Floats, sizes: Floats) -> float | None:
    """Durkalski's statistic, 1 degree of freedom: every cluster weighs the same, whatever its size.

    Durkalski, Palesch, Lipsitz and Rust 2003, Statistics in Medicine 22:2417-2428. With one pair a cluster it is
    McNemar's chi-squared without correction. None as in `yang_z`.
    """
    means = sums / sizes
    squares = float(np.square(means).sum())
    return None if len(sums) < 2 or squares <= 0 else float(means.sum()) ** 2 / squares


def cluster_robust_error(sums: Floats, sizes: Floats) -> float | None:
    """The cluster-robust standard error of the difference, with the factor K / (K - 1); None for one cluster.

    Liang and Zeger 1986, Biometrika 73:13-22, for a mean, with the small-sample factor of Cameron and Miller 2015,
    Journal of Human Resources 50:317-372: what least squares on a constant give.
    """
    k = len(sums)
    return None if k < 2 else sqrt(k / (k - 1) * _around(sums, sizes)) / float(sizes.sum())


def _around(sums: Floats, sizes: Floats) -> float:
    """The sum of squares of cluster sums around what the overall difference lets expect of them."""
    return float(np.square(sums - sizes * (sums.sum() / sizes.sum())).sum())


def _interval(difference: float, error: float, clusters: int, level: float) -> Interval:
    half = float(t.isf((1 - level) / 2, clusters - 1)) * error
    return Interval(max(-1.0, difference - half), min(1.0, difference + half))


def _concluded(clusters: int, p: float, level: float, *, better: bool) -> tuple[Conclusion, str]:
    alpha = (1 - level) * (1 + 1e-9)  # rounding aside
    needed = FEWEST
    while smallest_p(needed) > alpha:
        needed += 1
    if clusters < needed:
        least = smallest_p(clusters)
        can = f"the smallest p that {clusters} clusters can reach is 2/2^{clusters} = {least:.3g}"
        return Conclusion.INCONCLUSIVE, f"{can}; at least {needed} are needed"
    if p > alpha:
        return Conclusion.NOT_SHOWN, f"sign-flip p = {p:.3g} > {1 - level:.3g}"
    side = "better" if better else "worse"
    return Conclusion.DIFFERENT, f"sign-flip p = {p:.3g} <= {1 - level:.3g}: the tuned model is {side}"
