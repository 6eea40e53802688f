"""The odds that a pair which tells the arms apart is won by the tuned one."""

from __future__ import annotations

from dataclasses import dataclass

from scipy.stats import beta

from reports.statistics.values import Interval, check_level


@dataclass(frozen=True, slots=True, kw_only=True)
class WinOdds:
    """Wins to losses: as seen (None without losses), and what the posterior says of the true odds."""

    odds: float | None
    median: float
    interval: Interval
    probability_better: float  # that the true odds are above 1


def win_odds(tuned_only: int, base_only: int, level: float = 0.95) -> WinOdds:
    """Odds under a uniform prior: the win probability among discordant pairs is Beta(wins + 1, losses + 1).

    The conditional model of McNemar's test with Bayes' prior (Gelman et al. 2013, Bayesian Data
    Analysis, section 2.4). ValueError for negative counts.
    """
    if min(tuned_only, base_only) < 0:
        msg = f"wins and losses are counts of 0 or more, not {tuned_only} and {base_only}"
        raise ValueError(msg)
    tail = (1 - check_level(level)) / 2
    median = _quantile(tuned_only, base_only, 0.5)
    low, high = _quantile(tuned_only, base_only, tail), 1 / _quantile(base_only, tuned_only, tail)
    return WinOdds(
        odds=tuned_only / base_only if base_only else None,
        median=median,
        interval=Interval(min(low, median), max(high, median)),
        probability_better=float(beta.sf(0.5, tuned_only + 1, base_only + 1)),
    )


def _quantile(wins: int, losses: int, share: float) -> float:
    """The odds below which the posterior has `share`, from the rarer side's probability, which keeps its digits."""
    if wins > losses:
        loss = float(beta.isf(share, losses + 1, wins + 1))
        return (1 - loss) / loss
    win = float(beta.ppf(share, wins + 1, losses + 1))
    return win / (1 - win)
