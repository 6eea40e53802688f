"""The odds that a pair which tells the arms apart is won by the tuned one."""

from __future__ import annotations

from dataclasses import dataclass

from scipy.stats import betaprime

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
    Analysis, section 2.4); its odds are beta prime with the same parameters.
    """
    posterior = betaprime(tuned_only + 1, base_only + 1)
    tail = (1 - check_level(level)) / 2
    return WinOdds(
        odds=tuned_only / base_only if base_only else None,
        median=float(posterior.ppf(0.5)),
        interval=Interval(float(posterior.ppf(tail)), float(posterior.isf(tail))),
        probability_better=float(posterior.sf(1.0)),
    )
