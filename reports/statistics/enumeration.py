"""How often tests and intervals are wrong, by complete enumeration: no simulation, every table of n pairs counted."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from types import MappingProxyType
from typing import TypeAlias

import numpy as np
from scipy.stats import multinomial

from reports.statistics.difference import bonett_price, newcombe, noninferiority_p, tango, wald
from reports.statistics.mcnemar import mcnemar_exact, mcnemar_midp
from reports.statistics.power import Counts, Floats
from reports.statistics.unconditional import noninferiority_exact_p
from reports.statistics.values import Interval, PairedTable

STEP = 0.05  # of the grid over both discordant rates
FINE = 0.0025  # of the grid along equal rates
SPLITS = (0.0, 0.5, 1.0)  # share of the pairs alike that both arms get right
ROUNDING = 1e-9

Rates: TypeAlias = tuple[float, float]  # tuned only, base only

INTERVALS: Mapping[str, Callable[[PairedTable, float], Interval]] = MappingProxyType(
    {"Tango": tango, "Newcombe": newcombe, "Bonett-Price": bonett_price, "Wald": wald}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Worst:
    """The worst value over a grid of true rates, and where it stands."""

    value: float
    rates: Rates


def triangle(step: float = STEP) -> tuple[Rates, ...]:
    """Every (tuned only, base only) whose rates are multiples of `step` and sum to at most 1: 231 points at 0.05."""
    count = round(1 / step)
    return tuple((i * step, j * step) for i in range(count + 1) for j in range(count + 1 - i))


def equal_rates(step: float = FINE) -> tuple[Rates, ...]:
    """Every pair of equal rates that are multiples of `step`, up to a half each: 200 points at 0.0025."""
    return tuple((i * step, i * step) for i in range(1, round(0.5 / step) + 1))


def worst_size(n: int, *, alpha: float = 0.05, midp: bool = False) -> Worst:
    """The largest probability that McNemar's two-sided test calls arms different whose rates are equal."""
    p = mcnemar_midp if midp else mcnemar_exact
    rejects = np.array([p(b, c) <= alpha * (1 + ROUNDING) for b, c in _discordant(n)])
    return _worst(max, ((_chance(n, rates, rejects), rates) for rates in equal_rates()))


def worst_promotion(n: int, *, alpha: float = 0.05) -> Worst:
    """The largest probability that the gate's superiority claim holds although tuned is no better than base."""
    met = np.array([b > c and mcnemar_exact(b, c) <= alpha * (1 + ROUNDING) for b, c in _discordant(n)])
    no_better = [rates for rates in (*equal_rates(), *triangle()) if rates[0] <= rates[1]]
    return _worst(max, ((_chance(n, rates, met), rates) for rates in no_better))


def worst_noninferiority(n: int, margin: float, *, alpha: float = 0.05, exact: bool = False) -> Worst:
    """The largest probability that the score test rules a loss of `margin` out although that is the true one.

    `exact` asks for the exact test, the gate's: then n is at most MOST_EXACT.
    """
    p = noninferiority_exact_p if exact else noninferiority_p
    shown = np.array([p(_table(n, b, c), margin) <= alpha * (1 + ROUNDING) for b, c in _discordant(n)])
    most = round((1 - margin) / 2 / FINE)
    edge = [(i * FINE, i * FINE + margin) for i in range(most + 1)]
    return _worst(max, ((_chance(n, rates, shown), rates) for rates in edge))


def worst_coverage(n: int, interval: Callable[[PairedTable, float], Interval], level: float = 0.95) -> Worst:
    """The smallest probability that the interval contains the true difference, over `triangle` and SPLITS."""
    cells = _cells(n)
    limits = np.array(
        [interval(PairedTable(both=a, tuned_only=b, base_only=c, neither=d), level) for a, b, c, d in cells]
    )

    def covered(rates: Rates, split: float) -> float:
        alike = max(0.0, 1 - sum(rates))
        truth = rates[0] - rates[1]
        inside = (limits[:, 0] <= truth + ROUNDING) & (truth <= limits[:, 1] + ROUNDING)
        shares = (alike * split, *rates, alike * (1 - split))
        return float(multinomial.pmf(cells[inside], n, shares).sum())

    return _worst(min, ((covered(rates, split), rates) for rates in triangle() for split in SPLITS))


def _worst(pick: Callable[..., tuple[float, Rates]], found: Iterator[tuple[float, Rates]]) -> Worst:
    value, rates = pick(((round(value, 12), rates) for value, rates in found), key=lambda each: each[0])
    return Worst(value=value, rates=rates)


@cache
def _discordant(n: int) -> Sequence[tuple[int, int]]:
    return [(b, c) for b in range(n + 1) for c in range(n + 1 - b)]


def _table(n: int, b: int, c: int) -> PairedTable:
    return PairedTable(both=n - b - c, tuned_only=b, base_only=c, neither=0)


def _cells(n: int) -> Counts:
    return np.array([(a, b, c, n - a - b - c) for b, c in _discordant(n) for a in range(n + 1 - b - c)], dtype=np.int64)


def _chance(n: int, rates: Rates, happens: Floats) -> float:
    """The probability of the tables of which something holds."""
    outcomes = np.array([(b, c, n - b - c) for b, c in _discordant(n)], dtype=np.int64)
    return float(multinomial.pmf(outcomes[happens], n, (*rates, max(0.0, 1 - sum(rates)))).sum())
