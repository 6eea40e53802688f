"""Paired differences of a measure (turns, seconds, tokens): is there one, and how large is it?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import floor, fsum, sqrt
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from reports.statistics.clusters import DRAWS, SEED, SignFlip, drawn, exact_sign_flip
from reports.statistics.values import Interval, check_level, two_sided_z

Floats: TypeAlias = NDArray[np.float64]
Indices: TypeAlias = NDArray[np.int64]

ENUMERATED = 36  # differences up to which all 2^K flips are counted, as two halves of 2^18
LOOKUPS = 30_000_000  # table look-ups that random flips may cost: about half a second
FEWEST_DRAWS = 10_000
RANKED = 200  # differences up to which the signed-rank distribution is exact
COLLECTED = 200_000  # Walsh averages that are held at once
ROUNDING = 1e-11  # relative: sums of floats closer than this are the same


@dataclass(frozen=True, slots=True, kw_only=True)
class HodgesLehmann:
    """A typical difference, and the interval of its signed-rank test; None where no interval reaches the level."""

    estimate: float
    interval: Interval | None
    exact: bool  # whether the interval's ranks are exact or from the normal approximation


def sign_flip_mean(differences: Sequence[float], *, seed: int = SEED) -> SignFlip:
    """The two-sided sign-flip test of paired differences (tuned minus base): could their mean be chance?

    Fisher 1935, The Design of Experiments, section 21. Under no effect every difference is as likely with the
    opposite sign. Exact for whole numbers where convolution is cheap, and for up to 36 differences by counting all
    flips; beyond, from random flips with the standard error that these have. Pairs must be independent: average the
    repeats of a scenario first. ValueError for what is not finite.
    """
    sizes = np.sort(np.abs(_finite(differences)))
    sizes = sizes[sizes > 0]
    seen = abs(fsum(differences))
    tolerance = ROUNDING * float(sizes.sum())
    if seen <= tolerance:
        return SignFlip(p=1.0, standard_error=0.0, exact=True)
    if bool((sizes == np.floor(sizes)).all()) and float(sizes.sum()) < 2**53:
        exact = exact_sign_flip([int(value) for value in differences])
        if exact is not None:
            return SignFlip(p=exact, standard_error=0.0, exact=True)
    if len(sizes) <= ENUMERATED:
        return SignFlip(p=_enumerated(sizes, seen - tolerance), standard_error=0.0, exact=True)
    return _random_flips(sizes, seen - tolerance, seed)


def hodges_lehmann(differences: Sequence[float], level: float = 0.95) -> HodgesLehmann | None:
    """The median of all pairwise means of the differences, with its distribution-free interval; None without any.

    Hodges and Lehmann 1963, Annals of Mathematical Statistics 34:598-611; the interval is Tukey's, from the ranks
    of Wilcoxon's signed-rank test: Hollander, Wolfe and Chicken 2014, Nonparametric Statistical Methods, 3rd edition,
    sections 3.2 and 3.3. Exact ranks up to 200 differences, beyond by the normal approximation with
    continuity correction. Differences of 0 are kept. Right for differences that are symmetric around their centre;
    with ties the interval, limits included, covers at least its level. O(n log n) per limit, memory linear.
    """
    check_level(level)
    x = np.sort(_finite(differences))
    n = len(x)
    if n == 0:
        return None
    count = n * (n + 1) // 2
    middle = (_walsh(x, (count + 1) // 2) + _walsh(x, count // 2 + 1)) / 2
    rank = _signed_rank(n, level)
    interval = Interval(_walsh(x, rank), _walsh(x, count + 1 - rank)) if rank else None
    return HodgesLehmann(estimate=middle, interval=interval, exact=n <= RANKED)


def _finite(differences: Sequence[float]) -> Floats:
    values: Floats = np.asarray(differences, dtype=np.float64)
    if not np.isfinite(values).all():
        msg = "differences are finite numbers"
        raise ValueError(msg)
    return values


def _flipped(sizes: Floats) -> Floats:
    """The sums of `sizes` under every choice of signs."""
    sums: Floats = np.zeros(1)
    for size in sizes:
        sums = np.concatenate((sums - size, sums + size))
    return sums


def _enumerated(sizes: Floats, least: float) -> float:
    """The share of all flips whose sum lies at least `least` from 0: every sum is one of each half's."""
    one, other = _flipped(sizes[::2]), np.sort(_flipped(sizes[1::2]))
    beyond = len(one) * len(other) - int(np.searchsorted(other, least - np.sort(one), side="left").sum())
    return min(1.0, 2 * beyond / 2.0 ** len(sizes))


def _random_flips(sizes: Floats, least: float, seed: int) -> SignFlip:
    """Random flips, eight signs at a time: one random byte looks up the sum of eight signed sizes."""
    rng = np.random.default_rng(seed)
    blocks = [sizes[start : start + 8] for start in range(0, len(sizes), 8)]
    draws = max(FEWEST_DRAWS, min(DRAWS, LOOKUPS // len(blocks)))
    totals: Floats = np.zeros(draws)
    for block in blocks:
        table = _flipped(block)
        totals += table[rng.integers(0, len(table), draws, dtype=np.uint16)]
    return drawn(int(np.count_nonzero(np.abs(totals) >= least)), draws)


def _signed_rank(n: int, level: float) -> int:
    """The largest rank c >= 1 with P(W < c) <= (1 - level) / 2 for the signed-rank statistic W of n; 0 if none."""
    tail = (1 - level) / 2
    if n > RANKED:
        middle, deviation = n * (n + 1) / 4, sqrt(n * (n + 1) * (2 * n + 1) / 24)
        return max(0, floor(middle + 0.5 - two_sided_z(level) * deviation))
    chances: Floats = np.ones(1)
    for rank in range(1, n + 1):
        longer: Floats = np.zeros(len(chances) + rank)
        longer[: len(chances)] = chances / 2
        longer[rank:] += chances / 2
        chances = longer
    below = np.cumsum(chances) * (1 - 1e-12)  # rounding aside
    return min(int(np.searchsorted(below, tail, side="right")), (len(chances) + 1) // 2)


def _walsh(x: Floats, k: int) -> float:
    """The k-th smallest, from 1, of the means (x_i + x_j) / 2 with i <= j of sorted x, without holding them all."""
    n = len(x)
    rows: Indices = np.arange(n, dtype=np.int64)

    def ends(total: float) -> Indices:
        """For each row i, where the j >= i end with x_i + x_j <= total."""
        return np.maximum(rows, np.searchsorted(x, total - x, side="right").astype(np.int64))

    low, high = float(np.nextafter(2 * x[0], -np.inf)), float(2 * x[-1])
    starts, stops = rows, np.full(n, n, dtype=np.int64)
    while (stops - starts).sum() > COLLECTED:
        middle = low / 2 + high / 2
        if not low < middle < high:  # all that are left are one value, rounding aside
            row = int(np.argmax(stops > starts))
            return float(x[row] + x[starts[row]]) / 2
        found = ends(middle)
        if (found - rows).sum() >= k:
            high, stops = middle, found
        else:
            low, starts = middle, found
    lengths = stops - starts
    left = np.repeat(rows, lengths)
    right = np.arange(len(left)) + np.repeat(starts - (np.cumsum(lengths) - lengths), lengths)
    place = k - 1 - int((starts - rows).sum())
    return float(np.partition(x[left] + x[right], place)[place]) / 2
