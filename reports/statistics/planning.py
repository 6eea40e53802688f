"""How many pairs a run needs: the smallest number from which a test's exact power stays at what is asked."""

from __future__ import annotations

from collections.abc import Callable
from math import ceil, sqrt
from typing import TypeAlias

import numpy as np
from scipy.stats import binom, norm

from reports.statistics.difference import tango_scores
from reports.statistics.power import NEGLIGIBLE, Counts, Floats, critical_counts
from reports.statistics.unconditional import MOST_EXACT, critical_score

MOST = 50_000  # pairs; more is not looked for
WHOLE = 128  # up to here every n up to twice as many is looked at; beyond, so many roots of n further:
ROOTS = 8  # the power jumps by about 1 / root n and rises by about 1 / n from one n to the next
CHUNK = 64
SLACK = 1e-12

Powers: TypeAlias = Callable[[int, int], Floats]  # first and last n -> the power at each of them


def mcnemar_powers(tuned_only: float, base_only: float, first: int, last: int, *, alpha: float = 0.05) -> Floats:
    """The power of exact McNemar's two-sided test at each n from `first` to `last`; as `mcnemar_power`.

    What it does given the number of discordant pairs is the same for every n (Duffy 1984, Biometrics 40:1005-1015),
    so it is computed once.
    """
    discordant = min(1.0, tuned_only + base_only)
    sizes = np.arange(first, last + 1)
    if discordant * last < NEGLIGIBLE:
        return np.zeros(len(sizes))
    share = tuned_only / (tuned_only + base_only)
    m: Counts = np.arange(last + 1, dtype=np.int64)
    critical = critical_counts(0, last, alpha)
    tails = binom.cdf(critical, m, share) + binom.sf(m - critical - 1, m, share)
    given = np.where(critical >= 0, tails, 0.0)
    found = np.empty(len(sizes))
    for start in range(0, len(sizes), CHUNK):
        chunk = sizes[start : start + CHUNK]
        low = int(binom.ppf(NEGLIGIBLE, chunk[0], discordant))
        high = int(binom.isf(NEGLIGIBLE, chunk[-1], discordant))
        band = m[max(0, low) : high + 1]
        found[start : start + CHUNK] = binom.pmf(band, chunk[:, None], discordant) @ given[band]
    return np.asarray(np.minimum(found, 1.0), dtype=np.float64)


def noninferiority_power(tuned_only: float, base_only: float, n: int, margin: float, *, alpha: float = 0.05) -> float:
    """The probability that the gate's test of n pairs rules out a loss of `margin` or more."""
    return float(noninferiority_powers(tuned_only, base_only, n, n, margin, alpha=alpha)[0])


def noninferiority_powers(
    tuned_only: float, base_only: float, first: int, last: int, margin: float, *, alpha: float = 0.05
) -> Floats:
    """The power of the gate's test at each n from `first` to `last`: exact, beyond MOST_EXACT pairs Tango's.

    By complete enumeration of both discordant counts; for each number of losses, the fewest wins that suffice are
    found by bisection, since the statistic rises with every pair that moves from neither to won (Barnard's
    convexity, which Sidik 2003, Statistics in Medicine 22:265-278, uses of it).
    """
    if not (min(tuned_only, base_only) >= 0 and tuned_only + base_only <= 1 + 1e-12 and 1 <= first <= last):
        msg = "power needs probabilities of 0 or more that sum to at most 1, and n of at least 1"
        raise ValueError(msg)
    if not (0 < margin < 1 and 0 < alpha < 1):
        msg = "margin and alpha lie between 0 and 1"
        raise ValueError(msg)
    if base_only * last < NEGLIGIBLE:  # none is ever lost (and SciPy overflows on the tiniest probabilities)
        base_only = 0.0
    left = min(1.0, tuned_only / (1 - base_only)) if base_only < 1 else 0.0
    found = []
    for start in range(first, last + 1, CHUNK):
        n: Counts = np.arange(start, min(start + CHUNK, last + 1), dtype=np.int64)[:, None]
        fewest_losses = _quantile(start, base_only, upper=False)
        losses = np.arange(fewest_losses, _quantile(int(n[-1, 0]), base_only, upper=True) + 1, dtype=np.int64)
        rest = np.maximum(n - losses, 0)  # where there are more losses than pairs, their weight is 0
        fewest = _fewest_wins(losses, n, margin, _critical_scores(n, margin, alpha))
        met = np.where(fewest <= rest, binom.sf(fewest - 1, rest, left), 0.0)
        found.append((binom.pmf(losses, n, base_only) * met).sum(axis=1))
    return np.asarray(np.minimum(np.concatenate(found), 1.0), dtype=np.float64)


def _quantile(n: int, rate: float, *, upper: bool) -> int:
    if n * rate < NEGLIGIBLE:
        return 0
    return max(0, int(binom.isf(NEGLIGIBLE, n, rate) if upper else binom.ppf(NEGLIGIBLE, n, rate)))


def _critical_scores(n: Counts, margin: float, alpha: float) -> Floats:
    tango = float(norm.isf(alpha))
    critical = [critical_score(each, margin, alpha) if each <= MOST_EXACT else tango for each in n[:, 0].tolist()]
    return np.array(critical)[:, None]


def _fewest_wins(losses: Counts, n: Counts, margin: float, z: Floats) -> Counts:
    """For each n and number of losses, the fewest wins with a score of z or more; more than fit if none has one."""
    # the statistic's variance is at most n, so that its root bounds how far wins may lie from no distance
    about, spread = losses - n * margin, z * np.sqrt(n)
    least, most = about + np.minimum(0.0, spread), about + np.maximum(0.0, spread)
    none = np.maximum(n - losses, 0) + 1
    low: Counts = np.clip(np.floor(least).astype(np.int64) - 1, -1, none - 1)
    high: Counts = np.clip(np.ceil(most).astype(np.int64) + 1, low + 1, none)
    while np.any(high - low > 1):
        middle = np.maximum((low + high) // 2, 0)
        enough = tango_scores(middle, losses, n, margin) >= z - SLACK * np.abs(z)
        high = np.where(enough & (high - low > 1), middle, high)
        low = np.where(~enough & (high - low > 1), middle, low)
    return high


def lasting(powers: Powers, target: float) -> int | None:
    """The smallest n from which the power stays at `target` or above; None if that is beyond MOST.

    The power of an exact test goes up and down with n, so the first n that reaches the target may be a lucky one.
    The search doubles n, bisects, and then looks at every n around that may be one: up to twice the crossing, beyond
    WHOLE as far as a power can fall back.
    """
    reached = 8
    while float(powers(reached, reached)[0]) < target - SLACK:
        if reached >= MOST:
            return None
        reached = min(2 * reached, MOST)
    short = reached // 2
    while reached - short > 1:
        middle = (short + reached) // 2
        if float(powers(middle, middle)[0]) < target - SLACK:
            short = middle
        else:
            reached = middle
    return _settled(powers, target, reached)


def _settled(powers: Powers, target: float, about: int) -> int | None:
    """The n after the last one below the target, in windows that grow until both of their ends are settled."""
    reach = about if about <= WHOLE else ceil(ROOTS * sqrt(about))
    first, last = max(1, about - 1), about + reach + 16  # the bisection has seen one before it fail
    while True:
        below = np.flatnonzero(powers(first, last) < target - SLACK)
        if len(below) == 0 and first > 1:
            first = max(1, first - reach)
            continue
        answer = first + int(below[-1]) + 1 if len(below) else 1
        if answer > last - reach // 4:
            last += reach
            if answer > MOST:
                return None
            continue
        return answer


def pairs_for_superiority(effect: float, *, losses: float, power: float, alpha: float = 0.05) -> int | None:
    """The smallest n from which exact McNemar finds the effect with `power`; None if that is beyond MOST.

    `effect` is the rate of pairs that only tuned gets right minus `losses`, the rate that only base gets right.
    """
    return lasting(lambda a, b: mcnemar_powers(losses + effect, losses, a, b, alpha=alpha), power)


def pairs_for_noninferiority(
    effect: float, margin: float, *, losses: float, power: float, alpha: float = 0.05
) -> int | None:
    """The smallest n from which a loss of `margin` is ruled out with `power` if the true difference is `effect`."""

    def powers(first: int, last: int) -> Floats:
        return noninferiority_powers(losses + effect, losses, first, last, margin, alpha=alpha)

    return lasting(powers, power)


def smallest_margin(effect: float, n: int, *, losses: float, power: float, alpha: float = 0.05) -> float | None:
    """A margin that n pairs rule out with `power` and from which they would not rule out less; None if there is none.

    A smaller one may exist by luck: the power of an exact test goes up and down with the margin, too.
    """
    none, enough = max(0.0, -effect), 1 - 1e-9

    def shown(margin: float) -> bool:
        return noninferiority_power(losses + effect, losses, n, margin, alpha=alpha) >= power - SLACK

    if none >= enough or not shown(enough):
        return None
    while enough - none > 1e-7:
        middle = (none + enough) / 2
        none, enough = (none, middle) if shown(middle) else (middle, enough)
    return enough
