"""Intervals for the difference of two paired proportions: tuned minus base."""

from __future__ import annotations

from math import atan, sqrt

import numpy as np
from scipy.optimize import brentq
from scipy.stats import norm

from reports.statistics.power import Counts, Floats
from reports.statistics.proportion import wilson
from reports.statistics.values import Interval, PairedTable, two_sided_z


def tango_z(table: PairedTable, difference: float) -> float:
    """Tango's score statistic against the hypothesis that the true difference is `difference`.

    Tango 1998, Statistics in Medicine 17:891-908: the statistic of section 3 with the constrained
    maximum-likelihood estimate of the base-only probability. Infinite where the hypothesis leaves no variance.
    """
    if difference < 0:  # the arms change places, so that no digits are lost
        return -_score(table.n, table.base_only, table.tuned_only, -difference)
    return _score(table.n, table.tuned_only, table.base_only, difference)


def _score(n: float, b: float, c: float, d: float) -> float:
    """The statistic for a difference d of 0 or more, b pairs that add to it and c that take from it."""
    linear = -b - c + (2 * n - b + c) * d
    root = sqrt(linear * linear + 8 * n * c * d * (1 - d))
    # both forms are the larger root; each is used where it does not cancel
    q = (root - linear) / (4 * n) if linear <= 0 else 2 * c * d * (1 - d) / (root + linear)
    variance = n * (2 * q + d * (1 - d))
    distance = b - c - n * d
    if variance <= 0:
        return 0.0 if abs(distance) <= 1e-12 * n else float("inf") if distance > 0 else float("-inf")
    return distance / sqrt(variance)


def tango_scores(wins: Counts, losses: Counts, n: Counts, margin: float) -> Floats:
    """Tango's statistic against a true difference of -margin, for whole arrays; as `tango_z`."""
    d = margin  # for the arms in each other's place
    linear = -wins - losses + (2 * n - losses + wins) * d
    product = wins * d * (1 - d)
    root = np.sqrt(linear * linear + 8 * n * product)
    with np.errstate(divide="ignore", invalid="ignore"):
        q = np.where(linear <= 0, (root - linear) / (4 * n), 2 * product / (root + linear))
        variance = n * (2 * np.nan_to_num(q) + d * (1 - d))
        distance = wins - losses + n * d
        ratio = distance / np.sqrt(np.maximum(variance, 0.0))
    return np.asarray(np.where(variance > 0, ratio, np.where(distance > 0, np.inf, -np.inf)), dtype=np.float64)


def tango(table: PairedTable, level: float = 0.95) -> Interval:
    """Tango's score interval: the differences that his test does not reject (same source)."""
    z, seen = two_sided_z(level), table.difference

    def beyond(d: float, side: float) -> float:
        # squashed, so that the infinities at the corners stay finite for the root finder
        return atan(tango_z(table, d)) - atan(side * z)

    def limit(end: float, side: int) -> float:
        if seen == end or side * beyond(end, side) <= 0:
            return end
        if side * beyond(seen, side) >= 0:  # a level so low that the interval has no width
            return seen
        return float(brentq(beyond, min(end, seen), max(end, seen), args=(side,), xtol=1e-13))

    return Interval(min(limit(-1.0, 1), seen), max(limit(1.0, -1), seen))


def noninferiority_p(table: PairedTable, margin: float) -> float:
    """One-sided p of Tango's score test that tuned is worse than base by `margin` or more (0 < margin < 1)."""
    return float(norm.sf(tango_z(table, -check_margin(margin))))


def check_margin(margin: float) -> float:
    """The margin itself; ValueError unless it lies strictly between 0 and 1."""
    if not 0 < margin < 1:
        msg = f"a margin lies between 0 and 1, not {margin}"
        raise ValueError(msg)
    return margin


def superiority_p(table: PairedTable, minimum: float = 0.0) -> float:
    """One-sided p of Tango's score test that tuned is better than base by `minimum` at most (0 <= minimum < 1)."""
    if not 0 <= minimum < 1:
        msg = f"a minimum effect is at least 0 and below 1, not {minimum}"
        raise ValueError(msg)
    return float(norm.sf(tango_z(table, minimum)))


def newcombe(table: PairedTable, level: float = 0.95, *, method: int = 10) -> Interval:
    """Newcombe's square-and-add interval from two Wilson intervals: method 8, or 10 with a corrected phi.

    Newcombe 1998, Statistics in Medicine 17:2635-2650, methods 8 and 10.
    """
    n, a, b, c, d = table.n, table.both, table.tuned_only, table.base_only, table.neither
    tuned, base = (a + b) / n, (a + c) / n
    tuned_low, tuned_high = wilson(min(a + b, n), n, level)
    base_low, base_high = wilson(min(a + c, n), n, level)
    phi = _phi(a, b, c, d, method)
    below, above = tuned - tuned_low, tuned_high - tuned
    base_below, base_above = base - base_low, base_high - base
    lower = sqrt(max(0.0, below**2 - 2 * phi * below * base_above + base_above**2))
    upper = sqrt(max(0.0, above**2 - 2 * phi * above * base_below + base_below**2))
    seen = table.difference
    return Interval(max(-1.0, seen - lower), min(1.0, seen + upper))


def _phi(a: float, b: float, c: float, d: float, method: int) -> float:
    if method not in {8, 10}:
        msg = f"Newcombe's methods here are 8 and 10, not {method}"
        raise ValueError(msg)
    below = (a + b) * (c + d) * (a + c) * (b + d)
    if below <= 0:
        return 0.0
    above = a * d - b * c
    if method == 10 and above > 0:
        above = max(0.0, above - (a + b + c + d) / 2)
    return above / sqrt(below)


def bonett_price(table: PairedTable, level: float = 0.95) -> Interval:
    """The Laplace-adjusted Wald interval, cut to [-1, 1].

    Bonett and Price 2012, Statistical Methods in Medical Research 21:479-488, the adjusted Wald interval
    with one added to each discordant count and two to n.
    """
    size = table.n + 2
    won, lost = (table.tuned_only + 1) / size, (table.base_only + 1) / size
    half = two_sided_z(level) * sqrt((won + lost - (won - lost) ** 2) / size)
    return Interval(max(-1.0, won - lost - half), min(1.0, won - lost + half))


def wald(table: PairedTable, level: float = 0.95) -> Interval:
    """The textbook interval, for comparison only: it covers far too little at small n (see docs/statistics.md).

    Method 1 of Newcombe 1998, Statistics in Medicine 17:2635-2650; cut to [-1, 1].
    """
    seen = table.difference
    spread = (table.tuned_only + table.base_only) / table.n - seen * seen
    half = two_sided_z(level) * sqrt(max(0.0, spread) / table.n)
    return Interval(max(-1.0, seen - half), min(1.0, seen + half))
