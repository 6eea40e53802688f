"""How many scenarios a claim needs so that some result could meet it."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from math import ceil, log, log1p

from scipy.stats import norm

from reports.policy import Claim
from reports.sequential import needed
from reports.statistics.difference import superiority_p
from reports.statistics.mcnemar import smallest_p
from reports.statistics.unconditional import MOST_EXACT, noninferiority_exact_p
from reports.statistics.values import PairedTable
from reports.words import ClaimKind

ROUNDING = 1e-9


def pairs_needed(claim: Claim, *, sequential: bool = False, repeats: bool = False) -> int:
    """The fewest scenarios on which the claim can be decided at all; `sequential` if the run may stop early.

    For non-inferiority those on which arms that always agree meet it; `repeats` if scenarios have more than one pair.
    """
    if claim.alpha is None:
        return 1
    alpha = claim.alpha
    if claim.kind is ClaimKind.SUPERIORITY:
        if sequential:
            return needed(alpha)
        fewest = _first(lambda n: smallest_p(n) <= alpha, 1)
        least = claim.minimum_effect
        return fewest if least is None else _first(lambda n: 2 * _all_won(n, least) <= alpha, fewest)
    if claim.kind is ClaimKind.NON_INFERIORITY and claim.margin is not None:
        return _agreeing(claim.margin, alpha, exact=not repeats)
    if claim.kind is ClaimKind.MINIMUM_RATE and claim.threshold is not None and claim.threshold < 1:
        # Clopper and Pearson's one-sided lower limit of n of n is alpha^(1/n)
        return max(1, ceil(log(alpha) / log(claim.threshold) - ROUNDING))
    if claim.kind is ClaimKind.MAXIMUM_COST:
        return _first(lambda n: 0.5**n <= alpha, 1)  # the sign test's and the signed-rank test's smallest p
    return 1


@lru_cache(maxsize=64)
def _agreeing(margin: float, alpha: float, *, exact: bool) -> int:
    """The fewest pairs, the arms agreeing on each, that rule out a loss of `margin`."""
    # Tango's statistic of n pairs that all agree is sqrt(n margin / (1 - margin))
    score = ceil(float(norm.isf(alpha)) ** 2 * (1 - margin) / margin)
    if not exact:
        return score
    # no pair is lost of n with a probability of (1 - margin)^n, so that the exact p is no smaller
    fewest = max(1, ceil(log(alpha) / log1p(-margin) - ROUNDING))
    for n in range(fewest, MOST_EXACT + 1):
        if noninferiority_exact_p(PairedTable(both=n, tuned_only=0, base_only=0, neither=0), margin) <= alpha:
            return n
    return max(MOST_EXACT + 1, score)


def _all_won(n: int, least: float) -> float:
    return superiority_p(PairedTable(both=0, tuned_only=n, base_only=0, neither=0), least)


def _first(enough: Callable[[int], bool], low: int) -> int:
    """The smallest number from `low` on that is enough, where all larger ones are, too."""
    high = low
    while not enough(high):
        low, high = high + 1, 2 * high
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if enough(middle) else (middle + 1, high)
    return low
