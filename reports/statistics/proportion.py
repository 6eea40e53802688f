"""Intervals for one proportion: x successes among n independent trials."""

from __future__ import annotations

from math import sqrt

from scipy.stats import beta

from reports.statistics.values import Interval, check_level, two_sided_z


def _checked(x: float, n: float) -> None:
    if not (0 <= x <= n and 0 < n < float("inf")):
        msg = f"a proportion needs 0 <= x <= n and n > 0, not {x} of {n}"
        raise ValueError(msg)


def wilson(x: float, n: float, level: float = 0.95) -> Interval:
    """Wilson's score interval; x and n may be fractional.

    Wilson 1927, JASA 22:209-212; as method 3 of Newcombe 1998, Statistics in Medicine 17:857-872.
    """
    _checked(x, n)
    z = two_sided_z(level)
    p = x / n
    centre = (p + z * z / (2 * n)) / (1 + z * z / n)
    half = z * sqrt(p * (1 - p) / n + z * z / (4 * n * n)) / (1 + z * z / n)
    return Interval(0.0 if x == 0 else max(0.0, centre - half), 1.0 if x == n else min(1.0, centre + half))


def clopper_pearson(x: float, n: float, level: float = 0.95) -> Interval:
    """The exact interval, by beta quantiles; never covers less than `level`.

    Clopper and Pearson 1934, Biometrika 26:404-413; beta form: Brown, Cai and DasGupta 2001,
    Statistical Science 16:101-133, section 4.2.1.
    """
    _checked(x, n)
    tail = (1 - check_level(level)) / 2
    low = 0.0 if x == 0 else float(beta.ppf(tail, x, n - x + 1))
    high = 1.0 if x == n else float(beta.isf(tail, x + 1, n - x))
    return Interval(low, high)


def jeffreys(x: float, n: float, level: float = 0.95) -> Interval:
    """The equal-tailed posterior interval under Jeffreys' prior Beta(1/2, 1/2), closed at 0 and n.

    Brown, Cai and DasGupta 2001, Statistical Science 16:101-133, section 3.1.3, equations (6) to (8).
    """
    _checked(x, n)
    tail = (1 - check_level(level)) / 2
    low = 0.0 if x == 0 else float(beta.ppf(tail, x + 0.5, n - x + 0.5))
    high = 1.0 if x == n else float(beta.isf(tail, x + 0.5, n - x + 0.5))
    return Interval(low, high)
