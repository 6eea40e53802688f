"""Several runs of a scenario by one arm: how often some or all of k succeed, and where the variance lies."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from math import comb


@dataclass(frozen=True, slots=True, kw_only=True)
class VarianceComponents:
    """The variance of a yes/no result, split: `between` scenarios and `within` one (from repeat to repeat).

    `icc` is the share that lies between scenarios; None where nothing varies at all.
    """

    between: float
    within: float
    icc: float | None


def pass_at_k(n: int, c: int, k: int) -> float:
    """The chance that at least one of k of the n runs succeeds, c of which did: 1 - C(n-c, k) / C(n, k).

    Chen et al. 2021, arXiv:2107.03374, equation (1): unbiased where n > k runs estimate it.
    """
    _checked(n, c, k)
    every = comb(n, k)
    return (every - comb(n - c, k)) / every


def pass_hat_k(n: int, c: int, k: int) -> float:
    """The chance that all of k of the n runs succeed, c of which did: C(c, k) / C(n, k).

    pass^k of Yao et al. 2024, arXiv:2406.12045, section 3.
    """
    _checked(n, c, k)
    return comb(c, k) / comb(n, k)


def mean_pass_at_k(counts: Iterable[tuple[int, int]], k: int) -> float | None:
    """pass@k averaged over scenarios, given as (runs, successes); those run less than k times are left out.

    None if none was run k times.
    """
    return _mean(pass_at_k, counts, k)


def mean_pass_hat_k(counts: Iterable[tuple[int, int]], k: int) -> float | None:
    """pass^k averaged over scenarios, as `mean_pass_at_k` does."""
    return _mean(pass_hat_k, counts, k)


def variance_components(counts: Sequence[tuple[int, int]]) -> VarianceComponents | None:
    """Split the variance of scenarios given as (runs, successes) into between and within them.

    The analysis-of-variance estimators of the one-way random model with unequal group sizes: Searle, Casella and
    McCulloch 1992, Variance Components, chapter 3, with a negative between-component cut to 0; for yes/no
    results the ANOVA estimator of Ridout, Demetrio and Firth 1999, Biometrics 55:137-148. None for fewer than two
    scenarios, or if none was repeated: then the two cannot be told apart.
    """
    for n, c in counts:
        _checked(n, c, 1)
    groups, total = len(counts), sum(n for n, _ in counts)
    if groups < 2 or total == groups:
        return None
    rate = sum(c for _, c in counts) / total
    within = sum(c * (n - c) / n for n, c in counts) / (total - groups)
    mean_square = sum(n * (c / n - rate) ** 2 for n, c in counts) / (groups - 1)
    size = (total - sum(n * n for n, _ in counts) / total) / (groups - 1)
    between = max(0.0, (mean_square - within) / size)
    both = between + within
    return VarianceComponents(between=between, within=within, icc=between / both if both > 0 else None)


def _checked(n: int, c: int, k: int) -> None:
    if not (1 <= k <= n and 0 <= c <= n):
        msg = f"needs 1 <= k <= n runs and 0 to n successes, not k = {k}, n = {n} and {c} successes"
        raise ValueError(msg)


def _mean(of: Callable[[int, int, int], float], counts: Iterable[tuple[int, int]], k: int) -> float | None:
    if k < 1:
        msg = f"k is at least 1, not {k}"
        raise ValueError(msg)
    each = [of(n, c, k) for n, c in counts if n >= k]
    return sum(each) / len(each) if each else None
