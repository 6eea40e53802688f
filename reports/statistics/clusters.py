"""Repeats of a scenario are not independent: a test and a weight that respect it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

import numpy as np
import numpy.typing as npt
from scipy.stats import binom


def sign_flip(sums: Iterable[int]) -> float:
    """The exact two-sided p of the sign-flip test on cluster sums (wins minus losses of one scenario).

    Under no effect each scenario's sum is as likely with the opposite sign. With one pair a scenario
    this is the exact McNemar test. Fisher 1935, The Design of Experiments, section 21; the whole
    distribution over the 2^K flips is computed by convolution, since the sums are whole numbers.
    """
    values = list(sums)
    kept, seen = [abs(value) for value in values if value], abs(sum(values))
    if not kept or seen == 0:
        return 1.0
    distribution: npt.NDArray[np.floating] = np.ones(1)
    for size, count in sorted(Counter(kept).items()):
        step = np.zeros(2 * size * count + 1)
        step[:: 2 * size] = binom.pmf(np.arange(count + 1), count, 0.5)
        distribution = np.convolve(distribution, step)
    middle = (len(distribution) - 1) // 2
    return min(1.0, 2 * float(distribution[: middle - seen + 1].sum()))


def repeat_weight(sizes: Sequence[int]) -> float:
    """By how much n shrinks if the repeats of a scenario add nothing at all: sum of squares over sum.

    The design effect 1 + (m - 1) rho of Kish 1965, Survey Sampling, section 5.4, at its worst, rho = 1;
    with unequal sizes m becomes this ratio. 1 where every scenario ran once.
    """
    total = sum(sizes)
    return sum(size * size for size in sizes) / total if total else 1.0
