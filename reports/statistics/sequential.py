"""Evidence over discordant pairs that may be looked at after every one of them: e-values, valid whenever one stops."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from math import exp, inf, log

import numpy as np
import numpy.typing as npt
from scipy.special import betaln, gammaln, logsumexp
from scipy.stats import binom

Floats = npt.NDArray[np.float64]

LOG2 = log(2.0)
UNDERFLOW = 1e-250  # below this a tail is added up in logarithms


@dataclass(frozen=True, slots=True, kw_only=True)
class EProcess:
    """Where an e-process stands, natural logarithms; `p` is valid at any time and under any rule of stopping."""

    wins: int
    losses: int
    log_e: float
    log_e_max: float  # 0 at the start, before any pair
    p: float  # 1 / largest e, at most 1


def log_e_value_two_sided(wins: int, losses: int) -> float:
    """Natural log of the e-value against P(win | discordant) = 1/2: the uniform prior on (0, 1) against a fair coin.

    2^n B(wins + 1, losses + 1): the uniform mixture of Robbins 1970, Annals of Mathematical Statistics
    41:1397-1409; the Bayes factor of Jeffreys 1961, Theory of Probability, section 5.1.
    By Ville's inequality it ever reaches 1/alpha with probability at most alpha under the hypothesis.
    """
    _checked(wins, losses)
    return float(betaln(wins + 1, losses + 1)) + (wins + losses) * LOG2


def log_e_value(wins: int, losses: int) -> float:
    """Natural log of the e-value against P(win | discordant) <= 1/2, one-sided: the prior is uniform on (1/2, 1).

    The same mixture (Robbins 1970) over the alternatives alone, twice the two-sided e-value times the
    posterior probability of being above 1/2. Each alternative's likelihood ratio is a supermartingale
    under every win probability up to 1/2, so their mixture is too.
    """
    # P(Beta(w + 1, l + 1) > 1/2) = P(Binomial(w + l + 1, 1/2) <= w)
    return log_e_value_two_sided(wins, losses) + LOG2 + _log_lower_tail(wins, wins + losses + 1)


def run_e_process(outcomes: Iterable[bool], *, two_sided: bool = False) -> EProcess:
    """Follow the e-process over discordant pairs (True: won) in an order that was fixed before they were seen."""
    won = np.fromiter(outcomes, dtype=bool)
    wins: Floats = np.cumsum(won, dtype=np.float64)
    n: Floats = np.arange(1, len(won) + 1, dtype=np.float64)
    path = betaln(wins + 1, n - wins + 1) + n * LOG2
    if not two_sided:
        with np.errstate(divide="ignore"):  # a tail that underflows belongs to an e below 1
            path = path + LOG2 + np.log(binom.cdf(wins, n + 1, 0.5))
    total, last = int(won.sum()), len(won)
    value = log_e_value_two_sided if two_sided else log_e_value
    best = max(0.0, float(path.max(initial=0.0)))
    return EProcess(
        wins=total, losses=last - total, log_e=value(total, last - total), log_e_max=best, p=min(1.0, exp(-best))
    )


def threshold_crossed(log_e: float, alpha: float) -> bool:
    """Whether an e-value reaches 1 / alpha, rounding in its last digits aside."""
    if not 0 < alpha < 1:
        msg = f"alpha lies between 0 and 1, not {alpha}"
        raise ValueError(msg)
    return log_e >= -log(alpha) * (1 - 1e-12)


def _checked(wins: int, losses: int) -> None:
    if min(wins, losses) < 0 or wins != int(wins) or losses != int(losses):
        msg = f"wins and losses are whole numbers of 0 or more, not {wins} and {losses}"
        raise ValueError(msg)


def _log_lower_tail(k: int, n: int) -> float:
    """Natural log of P(Binomial(n, 1/2) <= k)."""
    tail = float(binom.cdf(k, n, 0.5))
    if tail > UNDERFLOW:
        return log(tail)
    j: Floats = np.arange(k + 1, dtype=np.float64)
    terms = gammaln(n + 1) - gammaln(j + 1) - gammaln(n - j + 1) - n * LOG2
    return float(logsumexp(terms)) if len(terms) else -inf
