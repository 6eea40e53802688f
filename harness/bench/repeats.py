"""How often the interval of a difference contains the truth where pairs are repeats of scenarios: a simulation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from reports.statistics.clusters import design_effect, repeat_weight
from reports.statistics.difference import tango_z
from reports.statistics.values import PairedTable, two_sided_z

Counts: TypeAlias = NDArray[np.int64]

LEVEL = 0.95
REPEATS = 5
RUNS = 1_000  # at each place: a coverage of .95 is seen to within .014, 19 times of 20
LIKENESS = (0.0, 0.3, 0.7, 1.0)  # correlation of the repeats of a scenario: from none to all the same
RATES = ((0.05, 0.05), (0.25, 0.25), (0.1, 0.2), (0.3, 0.1), (0.0, 0.1), (0.5, 0.0), (0.02, 0.12))  # won, lost
SEED = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """At one number of scenarios and one likeness: the smallest coverage of all rates, and how wide the interval is."""

    coverage: float
    rates: tuple[float, float]  # won and lost, where it is smallest
    pairs: float  # for how many independent pairs a scenario counts on average


def least_coverage(scenarios: int, likeness: float, *, runs: int = RUNS, repeats: int = REPEATS) -> Seen:
    """The smallest share of runs, over RATES, in which the interval contains the true difference."""
    rng = np.random.default_rng([SEED, scenarios, round(100 * likeness)])
    z, found, weights = two_sided_z(LEVEL), [], []
    sizes = (repeats,) * scenarios
    for rates in RATES:
        covered = 0
        for won, lost in zip(*_drawn(rng, rates, likeness, (runs, scenarios), repeats), strict=True):
            wins, losses = int(won.sum()), int(lost.sum())
            effect = design_effect((won - lost).tolist(), sizes, wins + losses, LEVEL)
            rest = scenarios * repeats - wins - losses
            table = PairedTable(both=rest, tuned_only=wins, base_only=losses, neither=0).shrunk(effect)
            covered += abs(tango_z(table, rates[0] - rates[1])) <= z
            weights.append(repeat_weight(sizes) / effect)
        found.append((covered / runs, rates))
    smallest, where = min(found)
    return Seen(coverage=smallest, rates=where, pairs=float(np.mean(weights)))


def _drawn(
    rng: np.random.Generator, rates: tuple[float, float], likeness: float, shape: tuple[int, int], repeats: int
) -> tuple[Counts, Counts]:
    """Wins and losses by run and scenario: Dirichlet-multinomial, whose intraclass correlation is the likeness."""
    mean = np.array([*rates, 1 - sum(rates)])
    if likeness >= 1:
        chances = np.eye(3)[rng.choice(3, size=shape, p=mean)]
    elif likeness <= 0:
        chances = np.broadcast_to(mean, (*shape, 3))
    else:
        drawn = rng.gamma(mean * (1 / likeness - 1), size=(*shape, 3)) + np.array([0.0, 0.0, 1e-300])
        chances = drawn / drawn.sum(axis=-1, keepdims=True)
    won: Counts = rng.binomial(repeats, np.clip(chances[..., 0], 0, 1))
    left = 1 - chances[..., 0]
    lost: Counts = rng.binomial(repeats - won, np.clip(chances[..., 1] / np.where(left > 0, left, 1), 0, 1))
    return won, lost


def repeats_row(scenarios: int) -> str:
    """The row of a Markdown table for one number of scenarios."""
    seen = [least_coverage(scenarios, likeness) for likeness in LIKENESS]
    cells = (f"{s.coverage:.3f} ({s.rates[0]:.3g}, {s.rates[1]:.3g}), {s.pairs:.1f}" for s in seen)
    return f"| {scenarios} | {' | '.join(cells)} |"
