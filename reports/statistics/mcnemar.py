"""McNemar's test in its exact and mid-p forms, on the discordant pairs alone."""

from __future__ import annotations

from scipy.stats import binom


def _checked(tuned_only: int, base_only: int) -> None:
    if min(tuned_only, base_only) < 0 or tuned_only != int(tuned_only) or base_only != int(base_only):
        msg = f"discordant counts are whole numbers of 0 or more, not {tuned_only} and {base_only}"
        raise ValueError(msg)


def mcnemar_exact(tuned_only: int, base_only: int) -> float:
    """The two-sided exact p: twice the smaller binomial(m, 1/2) tail, at most 1; 1 without discordant pairs.

    McNemar 1947, Psychometrika 12:153-157, in the exact conditional form of Fagerland, Lydersen and
    Laake 2013, BMC Medical Research Methodology 13:91, equation (3).
    """
    _checked(tuned_only, base_only)
    return min(1.0, 2 * float(binom.cdf(min(tuned_only, base_only), tuned_only + base_only, 0.5)))


def mcnemar_midp(tuned_only: int, base_only: int) -> float:
    """The two-sided mid-p: the exact p less the probability of what was seen. Reported, never gated on.

    Fagerland, Lydersen and Laake 2013, BMC Medical Research Methodology 13:91, equation (4).
    """
    _checked(tuned_only, base_only)
    m, least = tuned_only + base_only, min(tuned_only, base_only)
    tail, seen = float(binom.cdf(least, m, 0.5)), float(binom.pmf(least, m, 0.5))
    return min(1.0, max(0.0, 2 * tail - seen))  # the smallest tails are rounded to 0 before their last term is


def smallest_p(units: int) -> float:
    """The smallest two-sided p that `units` discordant pairs (or clusters) can give: 2 / 2^units, at most 1."""
    return min(1.0, 2.0 ** (1 - units)) if units < 1000 else 0.0
