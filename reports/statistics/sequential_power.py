"""What early stopping by an e-process costs: its exact power and expected length, beside a test of all pairs."""

from __future__ import annotations

from dataclasses import dataclass
from math import log

import numpy as np
from scipy.special import betaln
from scipy.stats import binom

from reports.statistics.power import NEGLIGIBLE, Floats, mcnemar_power, smallest_detectable

MOST = 1000  # pairs; beyond, a report would take longer to say what it cost than to be made
ROUNDING = 1e-9  # relative, of a threshold


@dataclass(frozen=True, slots=True, kw_only=True)
class SequentialPower:
    """How often a run that stops at e >= 1/alpha shows that tuned is better, and how many pairs it takes on average."""

    power: float
    wrong: float  # how often it shows that tuned is worse
    expected: float  # pairs that are run


@dataclass(frozen=True, slots=True, kw_only=True)
class Price:
    """One effect, found by exact McNemar over all pairs and by the e-process that may stop on the way."""

    effect: float
    losses: float
    fixed: float
    sequential: SequentialPower


def sequential_power(
    tuned_only: float, base_only: float, n: int, *, alpha: float = 0.05, at_least: int = 0
) -> SequentialPower:
    """Exact operating characteristics of the two-sided uniform-prior e-process over at most n pairs.

    It stops at the first e >= 1/alpha (Ville 1939), but not for success before `at_least` pairs. Whether it
    crosses depends on the discordant pairs alone: by complete enumeration of the walk over their wins and losses,
    then of how many pairs are discordant. Stops without hope are left out, so a real run is rather shorter.

    Raises ValueError for impossible probabilities, or more than MOST pairs.
    """
    discordant = min(1.0, tuned_only + base_only)
    if not (min(tuned_only, base_only) >= 0 and tuned_only + base_only <= 1 + 1e-12 and 0 < alpha < 1):
        msg = "probabilities are 0 or more and sum to at most 1, and alpha lies between 0 and 1"
        raise ValueError(msg)
    if not 1 <= n <= MOST:
        msg = f"the e-process is enumerated for 1 to {MOST} pairs, not {n}"
        raise ValueError(msg)
    if discordant * n < NEGLIGIBLE:  # none is ever discordant
        return SequentialPower(power=0.0, wrong=0.0, expected=float(n))
    up, down = _crossings(tuned_only / (tuned_only + base_only), n, alpha)
    m = np.arange(1, n + 1)
    reached: Floats = np.asarray(binom.sf(m - 1, n, discordant), dtype=np.float64)
    return SequentialPower(
        power=min(1.0, float(np.dot(up, reached))),
        wrong=min(1.0, float(np.dot(down, reached))),
        expected=_expected(up, down, discordant, n, at_least),
    )


def pairs_for_sequential(
    effect: float, *, losses: float, power: float, alpha: float = 0.05
) -> tuple[int, SequentialPower] | None:
    """How many pairs to plan so that a run that may stop early finds the effect with `power`; None if beyond MOST."""
    won = losses + effect
    if effect <= 0:
        return None
    up, _ = _crossings(won / (won + losses), MOST, alpha)
    m, discordant = np.arange(1, MOST + 1), min(1.0, won + losses)
    short, enough = 0, MOST
    if float(np.dot(up, binom.sf(m - 1, MOST, discordant))) < power:
        return None
    while enough - short > 1:
        middle = (short + enough) // 2
        reached = float(np.dot(up, binom.sf(m - 1, middle, discordant))) >= power
        short, enough = (short, middle) if reached else (middle, enough)
    return enough, sequential_power(won, losses, enough, alpha=alpha)


def price(n: int, *, losses: float = 0.05, alpha: float = 0.05, power: float = 0.8, at_least: int = 0) -> Price | None:
    """What stopping early costs at the smallest effect that exact McNemar finds with `power` on all n pairs.

    None where no effect is found that often, or n is beyond what is enumerated.
    """
    if not 1 <= n <= MOST:
        return None
    effect = smallest_detectable(n, losses, alpha=alpha, power=power)
    if effect is None:
        return None
    won = losses + effect
    return Price(
        effect=effect,
        losses=losses,
        fixed=mcnemar_power(won, losses, n, alpha=alpha),
        sequential=sequential_power(won, losses, n, alpha=alpha, at_least=at_least),
    )


def _crossings(share: float, most: int, alpha: float) -> tuple[Floats, Floats]:
    """The probability that e first reaches 1/alpha at the m-th discordant pair (m = 1..most), upwards and downwards."""
    up, down = np.zeros(most), np.zeros(most)
    alive: Floats = np.ones(1)  # by wins, among walks that have not crossed
    bar = -log(alpha) - ROUNDING
    for m in range(1, most + 1):
        step = np.zeros(m + 1)
        step[1:] += alive * share
        step[:-1] += alive * (1 - share)
        wins = np.arange(m + 1)
        over = betaln(wins + 1, m - wins + 1) + m * log(2) >= bar
        up[m - 1] = step[over & (2 * wins > m)].sum()
        down[m - 1] = step[over & (2 * wins < m)].sum()
        alive = np.where(over, 0.0, step)
    return up, down


def _expected(up: Floats, down: Floats, discordant: float, n: int, at_least: int) -> float:
    """The mean number of pairs run: the sum over t of the probability that a run goes on after t pairs."""
    early = np.concatenate(([0.0], np.cumsum(up + down)))  # crossed by the m-th discordant pair
    lost = np.concatenate(([0.0], np.cumsum(down)))
    total = 0.0
    for t in range(n):
        m = np.arange(t + 1)
        crossed = early[: t + 1] if t >= at_least else lost[: t + 1]
        total += 1.0 - float(np.dot(binom.pmf(m, t, discordant), crossed))
    return total
