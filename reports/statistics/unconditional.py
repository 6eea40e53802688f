"""The exact unconditional test of non-inferiority: the largest chance of a Tango score as high as the one seen.

Largest over all true rates that the hypothesis allows (Hsueh, Liu and Chen 2001, Biometrics 57:478-483). It is not
searched for on a grid but bounded from above, so that the test errs at most as often as its alpha says.

The edge of the hypothesis, a true difference of exactly -margin, is enough, as in that paper. Every set of tables that
is looked at here holds with a table also that with one loss less. Where tuned is worse by more than the margin, let
losses become pairs alike until it is worse by just the margin: the set has not become less likely.

On that edge a share s between 0 and 1 is unknown: a pair is drawn by the rates (won, lost) = (0, margin), or with
probability s by ((1 - margin) / 2, (1 + margin) / 2). How likely the set is, given that k of the n pairs were drawn in
the second way, does not depend on s. These n + 1 probabilities are the Bernstein coefficients of the polynomial in s
whose maximum is wanted. No polynomial is above the largest of its coefficients, and the coefficients of both halves
(de Casteljau) lie closer to the curve: halves that cannot hold the maximum are dropped, the others halved again.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from scipy.stats import norm

from reports.statistics.difference import check_margin, tango_scores
from reports.statistics.power import Counts, Floats
from reports.statistics.values import PairedTable

MOST_EXACT = 500  # pairs; beyond, the gate takes Tango's own p
NEAR = 1e-9  # relative: how far the bound may lie above the largest probability that was found
LEAST = 1e-300  # probabilities below are as good as 0
HALVINGS = 60
TIE = 1e-9  # scores that differ by less may be the same, rounded differently


def noninferiority_exact_p(table: PairedTable, margin: float) -> float:
    """The exact one-sided p that tuned is worse than base by `margin` or more (0 < margin < 1).

    Raises:
        ValueError: the margin is not one, the counts are not whole, or there are more than MOST_EXACT pairs.
    """
    n, scores = _scores_of(table, margin)
    seen = float(scores[int(table.tuned_only), int(table.base_only)])
    return _highest(_coefficients(n, margin, _at_least(scores, seen - TIE * max(1.0, abs(seen)))))


def inferiority_exact_p(table: PairedTable, margin: float) -> float:
    """The exact one-sided p of the opposite, that tuned is worse by `margin` at most: of scores as low as this one.

    Raises:
        ValueError: as `noninferiority_exact_p`.
    """
    n, scores = _scores_of(table, margin)
    seen = float(scores[int(table.tuned_only), int(table.base_only)])
    return _highest(1.0 - _coefficients(n, margin, _above(scores, seen + TIE * max(1.0, abs(seen)))))


def largest_error(n: int, margin: float, least: float) -> float:
    """How often a test that rejects from the score `least` on rejects wrongly, at the worst of all rates."""
    return _highest(_coefficients(n, margin, _at_least(_scores(n, margin), least)))


@lru_cache(maxsize=4096)
def critical_score(n: int, margin: float, alpha: float) -> float:
    """The lowest score from which the exact test of n pairs rejects at `alpha`; above all scores if none does."""
    scores = _scores(n, margin)
    ordered = np.unique(scores[np.isfinite(scores)])
    bounds = ordered - TIE * np.maximum(1.0, np.abs(ordered))

    def rejects(place: int) -> bool:
        coefficients = _coefficients(n, margin, _at_least(scores, float(bounds[place])))
        return _highest(coefficients, alpha) <= alpha

    # it lies near Tango's own, beyond it by about what that test errs too often
    errs = largest_error(n, margin, float(norm.isf(alpha)))
    about = float(norm.isf(alpha * alpha / max(alpha, errs)))
    start = min(int(np.searchsorted(ordered, about)), len(ordered) - 1)
    low, high, step = start - 1, start, 1
    while high < len(ordered) and not rejects(high):
        low, high, step = high, high + step, 2 * step
    high, step = min(high, len(ordered)), 1
    while low >= 0 and rejects(low):
        low, high, step = low - step, low, 2 * step
    low = max(low, -1)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if rejects(middle) else (middle, high)
    return float(bounds[high]) if high < len(ordered) else float(ordered[-1]) + 1


def _scores_of(table: PairedTable, margin: float) -> tuple[int, Floats]:
    check_margin(margin)
    whole = all(float(count).is_integer() for count in (table.tuned_only, table.base_only, table.n))
    if not whole or table.n > MOST_EXACT:
        msg = f"the exact test takes whole counts of at most {MOST_EXACT} pairs"
        raise ValueError(msg)
    return int(table.n), _scores(int(table.n), margin)


@lru_cache(maxsize=4)
def _scores(n: int, margin: float) -> Floats:
    """The score of each table, by wins and losses; nan where both are more than n."""
    wins: Counts = np.arange(n + 1, dtype=np.int64)
    scores = tango_scores(wins[:, None], wins, np.array(n), margin)
    scores[wins[:, None] + wins > n] = np.nan
    scores.flags.writeable = False
    return scores


def _at_least(scores: Floats, bound: float) -> Counts:
    """For each number of wins, the most losses with a score of `bound` or more; -1 if there are none."""
    enough = scores >= bound
    last = scores.shape[1] - 1 - np.argmax(enough[:, ::-1], axis=1)
    return np.asarray(np.where(enough.any(axis=1), last, -1), dtype=np.int64)


def _above(scores: Floats, bound: float) -> Counts:
    """For each number of wins, the most losses up to which every score is above `bound`; -1 if there are none."""
    above = scores > bound
    first_not = np.where(above.all(axis=1), scores.shape[1], np.argmin(above, axis=1))
    return np.asarray(first_not - 1, dtype=np.int64)


def _coefficients(n: int, margin: float, most: Counts) -> Floats:
    """The probability of the tables with at most so many losses for their wins, for k = 0 to n pairs of the second way.

    Of those k pairs, all differ, and as many are won as fair coins of (1 - margin) / 2 say; of the others, each is
    lost with the probability `margin`, and none won.
    """
    ways, lost = _tables(-(-n // 64) * 64, margin)
    k = np.arange(n + 1)[:, None]
    wins = np.arange(n + 1)
    rest = np.clip(most - (k - wins), -1, n - k)  # losses that are left for the pairs of the first way
    return np.asarray((ways[: n + 1, : n + 1] * lost[n - k, rest + 1]).sum(axis=1), dtype=np.float64)


@lru_cache(maxsize=4)
def _tables(size: int, margin: float) -> tuple[Floats, Floats]:
    """The chance of so many wins in k pairs of the second way, and of fewer losses than that in k of the first."""
    cumulated = np.cumsum(_binomials(size, margin), axis=1)
    return _binomials(size, (1 - margin) / 2), np.hstack([np.zeros((size + 1, 1)), np.minimum(cumulated, 1.0)])


def _binomials(size: int, rate: float) -> Floats:
    """The binomial probabilities of every number of trials up to `size`, one row each."""
    rows = np.zeros((size + 1, size + 1))
    rows[0, 0] = 1.0
    for k in range(size):
        rows[k + 1] = rows[k] * (1 - rate)
        rows[k + 1, 1:] += rows[k, :-1] * rate
    return rows


@lru_cache(maxsize=4)
def _halving(size: int) -> Floats:
    return _binomials(size, 0.5)


def _highest(coefficients: Floats, level: float = 0.0) -> float:
    """A bound of the polynomial's maximum, at most NEAR above it; where it is all below `level`, no more than that."""
    size = len(coefficients)
    halves = _halving(-(-size // 64) * 64)[:size, :size].T
    rows, best = coefficients[None, :], 0.0
    for _ in range(HALVINGS):
        best = max(best, float(rows[:, 0].max()), float(rows[:, -1].max()))  # the values at both ends
        rows = rows[rows.max(axis=1) > max(level, best * (1 + NEAR), LEAST)]
        if len(rows) == 0 or 0 < level < best:
            break
        rows = np.concatenate([rows @ halves, (rows[:, ::-1] @ halves)[:, ::-1]])
    bound = max(best * (1 + NEAR), float(rows.max(initial=0.0)))
    return min(1.0, bound)
