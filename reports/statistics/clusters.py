"""Repeats of a scenario are not independent: a test and a weight that respect it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import comb, sqrt
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binom, t

from reports.statistics.values import two_sided_z

Floats: TypeAlias = NDArray[np.float64]

WORK = 300_000_000  # multiplications that an exact p may cost: about a second
LONGEST = 4_000_000  # values of a distribution that are held at once
DRAWS = 100_000  # random sign vectors where it would cost more
ROUNDED = 1_000  # clusters of one size up to which their chances are divided as whole numbers
SEED = 0  # of those draws, so that the same sums give the same p


@dataclass(frozen=True, slots=True, kw_only=True)
class SignFlip:
    """The two-sided p of a sign-flip test; its standard error is 0 where it is exact, else that of the draws."""

    p: float
    standard_error: float
    exact: bool


def sign_flip(sums: Iterable[int]) -> float:
    """The two-sided p of the sign-flip test on cluster sums; see `sign_flip_sums`."""
    return sign_flip_sums(sums).p


def sign_flip_sums(sums: Iterable[int], *, seed: int = SEED) -> SignFlip:
    """The two-sided sign-flip test on cluster sums (wins minus losses of one scenario).

    Under no effect each scenario's sum is as likely with the opposite sign. With one pair a scenario
    this is the exact McNemar test. Fisher 1935, The Design of Experiments, section 21; the whole
    distribution over the 2^K flips is computed by convolution, since the sums are whole numbers. Only where
    that would take seconds (ten thousands of scenarios with many repeats) is it estimated, from random flips.
    """
    values = list(sums)
    exact = exact_sign_flip(values)
    if exact is not None:
        return SignFlip(p=exact, standard_error=0.0, exact=True)
    rng = np.random.default_rng(seed)
    totals = np.zeros(DRAWS, dtype=np.int64)
    for size, count in sorted(Counter(abs(value) for value in values if value).items()):
        totals += size * (2 * rng.binomial(count, 0.5, DRAWS) - count)
    return drawn(int(np.count_nonzero(np.abs(totals) >= abs(sum(values)))), DRAWS)


def exact_sign_flip(sums: Sequence[int]) -> float | None:
    """The exact p of `sign_flip_sums`, or None where it would cost more than `WORK` multiplications."""
    sizes = sorted(Counter(abs(value) for value in sums if value).items())
    total, seen = sum(size * count for size, count in sizes), abs(sum(sums))
    if seen == 0:
        return 1.0
    needed = (total - seen) // 2 + 1  # a flip is as extreme if what it turns negative sums to less than this
    length, work = 1, 0
    for size, count in sizes:
        work += length * (min(count, needed) + 1) + count
        length = min(needed, length + size * count)
    if work > WORK or length > LONGEST:
        return None
    turned: Floats = np.ones(1)
    for size, count in sizes:
        turned = _added(turned, size, count, needed)
    return min(1.0, 2 * float(turned.sum()))


def drawn(hits: int, draws: int) -> SignFlip:
    """What random flips say when `hits` of them were as extreme as what was seen, itself counted as one flip.

    Phipson and Smyth 2010, Statistical Applications in Genetics and Molecular Biology 9:39.
    """
    p = (hits + 1) / (draws + 1)
    return SignFlip(p=p, standard_error=sqrt(p * (1 - p) / draws), exact=False)


def repeat_weight(sizes: Sequence[int]) -> float:
    """By how much n shrinks if the repeats of a scenario add nothing at all: sum of squares over sum.

    The design effect 1 + (m - 1) rho of Kish 1965, Survey Sampling, section 5.4, at its worst, rho = 1;
    with unequal sizes m becomes this ratio. 1 where every scenario ran once.
    """
    total = sum(sizes)
    return sum(size * size for size in sizes) / total if total else 1.0


def design_effect(sums: Sequence[int], sizes: Sequence[int], discordant: int, level: float) -> float:
    """By how much n shrinks in an interval of this level for the difference of pairs that are repeats of scenarios.

    `sums` are wins minus losses and `sizes` pairs, both by scenario; `discordant` is all wins plus all losses. The
    cluster-robust variance of the difference (factor K / (K - 1)) over that of as many independent pairs: Rao and
    Scott 1992, Biometrics 48:577-585. It is multiplied with the squared ratio of the quantiles of t (K - 1) and of the
    normal distribution: Korn and Graubard 1998, Survey Methodology 24:193-201. Both variances count one scenario more
    than was seen, one whose repeats all say the same, since a few discordant pairs prove little about the others.
    Never below 1, and never above `repeat_weight`. `python -m harness.bench.errors` shows the coverage.
    """
    most, k, n = repeat_weight(sizes), len(sums), sum(sizes)
    if k < 2 or most <= 1:
        return most
    difference = sum(sums) / n
    around = sum((s - size * difference) ** 2 for s, size in zip(sums, sizes, strict=True))
    clustered = k / (k - 1) * (around + most * most)
    independent = discordant - n * difference * difference + most
    ratio = float(t.isf((1 - level) / 2, k - 1)) / two_sided_z(level)
    return min(most, max(1.0, clustered / independent * ratio * ratio))


def _added(turned: Floats, size: int, count: int, needed: int) -> Floats:
    """The distribution of what is turned negative, with `count` more clusters of `size`; its first `needed` values."""
    most = min(count, (needed - 1) // size)
    chances = _chances(count, most)
    result: Floats = np.zeros(min(needed, len(turned) + size * count))
    if len(turned) <= most:  # loop over the shorter of the two
        for start, chance in enumerate(turned):
            part = result[start::size][: most + 1]
            part += chance * chances[: len(part)]
    else:
        for times, chance in enumerate(chances):
            part = result[times * size :][: len(turned)]
            part += chance * turned[: len(part)]
    return result


def _chances(count: int, most: int) -> Floats:
    """P(Binomial(count, 1/2) = k) for k up to `most`; correctly rounded where that is cheap."""
    if count <= ROUNDED:
        return np.array([comb(count, k) / 2**count for k in range(most + 1)], dtype=np.float64)
    return np.asarray(binom.pmf(np.arange(most + 1), count, 0.5), dtype=np.float64)
