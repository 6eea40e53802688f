"""What a test of n pairs can see: power of McNemar's test, and the smallest effect it would find."""

from __future__ import annotations

from functools import lru_cache
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq
from scipy.stats import binom

Counts: TypeAlias = NDArray[np.int64]
Floats: TypeAlias = NDArray[np.float64]

NEGLIGIBLE = 1e-12  # probability of discordant counts that are left out of the sum
BLOCK = 1024  # numbers of discordant pairs whose critical counts are computed at once
ROUNDING = 1e-9  # relative, of a p that is as large as alpha


def critical_counts(first: int, last: int, alpha: float, *, midp: bool = False) -> Counts:
    """For each number of discordant pairs m, the largest smaller count that is significant; -1 if none is."""
    blocks = range(first // BLOCK, last // BLOCK + 1)
    joined = np.concatenate([_critical(block, alpha, midp=midp) for block in blocks])
    return joined[first % BLOCK :][: last - first + 1]


@lru_cache(maxsize=256)
def _critical(block: int, alpha: float, *, midp: bool) -> Counts:
    """`critical_counts` of one block of m. A search asks for the same ones again and again: they know no rates."""
    m: Counts = np.arange(block * BLOCK, (block + 1) * BLOCK, dtype=np.int64)
    middle = np.asarray(binom.ppf(alpha / 2, m, 0.5), dtype=np.int64)
    best = np.full_like(m, -1)
    for shift in (-2, -1, 0, 1):
        k = middle + shift
        p = 2 * binom.cdf(k, m, 0.5) - (binom.pmf(k, m, 0.5) if midp else 0.0)
        best = np.where((p <= alpha * (1 + ROUNDING)) & (k >= 0), k, best)
    best = np.asarray(np.where(2 * best < m, best, -1), dtype=np.int64)
    best.flags.writeable = False
    return best


def mcnemar_power(tuned_only: float, base_only: float, n: int, *, alpha: float = 0.05, midp: bool = False) -> float:
    """The probability that McNemar's two-sided test of n pairs rejects at `alpha`.

    `tuned_only` and `base_only` are the true probabilities of the two discordant cells. By complete
    enumeration: a binomial number of discordant pairs, and given it a binomial number of wins
    (Duffy 1984, Biometrics 40:1005-1015).
    """
    discordant = tuned_only + base_only
    if not (min(tuned_only, base_only) >= 0 and discordant <= 1 + 1e-12 and n >= 1 and 0 < alpha < 1):
        msg = "power needs probabilities of 0 or more that sum to at most 1, n of at least 1 and alpha in (0, 1)"
        raise ValueError(msg)
    discordant = min(1.0, discordant)
    if discordant * n < NEGLIGIBLE:  # none is ever discordant (and SciPy overflows on the tiniest probabilities)
        return 0.0
    lowest, highest = binom.ppf(NEGLIGIBLE, n, discordant), binom.isf(NEGLIGIBLE, n, discordant)
    m: Counts = np.arange(int(lowest), int(highest) + 1, dtype=np.int64)
    critical = critical_counts(int(lowest), int(highest), alpha, midp=midp)
    share = tuned_only / (tuned_only + base_only)
    reject: Floats = np.asarray(binom.cdf(critical, m, share) + binom.sf(m - critical - 1, m, share), dtype=np.float64)
    weights: Floats = np.asarray(binom.pmf(m, n, discordant), dtype=np.float64)
    return min(1.0, float(np.dot(weights, np.where(critical >= 0, reject, 0.0))))


def smallest_detectable(n: int, base_only: float, *, alpha: float = 0.05, power: float = 0.8) -> float | None:
    """The smallest difference that the exact test of n pairs would find with `power`, losses at `base_only`.

    None if no difference that leaves room for those losses would be found that often; 0 if even none is (alpha is
    then above `power`).
    """
    room = 1.0 - base_only

    def short(tuned_only: float) -> float:
        return mcnemar_power(tuned_only, base_only, n, alpha=alpha) - power

    if room <= base_only or short(room) < 0:
        return None
    if short(base_only) >= 0:
        return 0.0
    return float(brentq(short, base_only, room, xtol=1e-10)) - base_only
