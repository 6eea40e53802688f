"""The exact unconditional test of non-inferiority against counting by hand, and what makes it exact."""

from __future__ import annotations

from fractions import Fraction
from math import comb

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import norm

from reports.statistics.difference import noninferiority_p, tango_scores, tango_z
from reports.statistics.unconditional import (
    MOST_EXACT,
    critical_score,
    inferiority_exact_p,
    largest_error,
    noninferiority_exact_p,
)
from reports.statistics.values import PairedTable


def table(n: int, wins: int, losses: int) -> PairedTable:
    return PairedTable(both=n - wins - losses, tuned_only=wins, base_only=losses, neither=0)


def tables(n: int) -> list[tuple[int, int]]:
    return [(wins, losses) for wins in range(n + 1) for losses in range(n + 1 - wins)]


def chance(n: int, cells: list[tuple[int, int]], won: Fraction, lost: Fraction) -> Fraction:
    """The probability of these tables, in whole numbers."""
    alike = 1 - won - lost
    return sum(
        (comb(n, b) * comb(n - b, c) * won**b * lost**c * alike ** (n - b - c) for b, c in cells), start=Fraction(0)
    )


def as_high(n: int, wins: int, losses: int, margin: float) -> list[tuple[int, int]]:
    seen = tango_z(table(n, wins, losses), -margin)
    return [(b, c) for b, c in tables(n) if tango_z(table(n, b, c), -margin) >= seen - 1e-9]


@pytest.mark.parametrize("n", [1, 3, 6])
@pytest.mark.parametrize("margin", [Fraction(1, 50), Fraction(1, 10), Fraction(3, 10), Fraction(3, 4)])
def test_no_rates_of_the_hypothesis_make_a_table_likelier_than_p_and_some_make_it_as_likely(
    n: int, margin: Fraction
) -> None:
    """Over the edge and the inside of the hypothesis, in fractions."""
    steps = 60
    edge = [(1 - margin) / 2 * i / steps for i in range(steps + 1)]
    for wins, losses in tables(n):
        p = noninferiority_exact_p(table(n, wins, losses), float(margin))
        cells = as_high(n, wins, losses, float(margin))
        found = [chance(n, cells, won, won + margin) for won in edge]
        assert max(found) <= p * (1 + 1e-12)
        assert p <= float(max(found)) + n * (1 - float(margin)) / steps  # no rate lies further from the next
        for won in edge[::12]:
            worse = (1 - 2 * won - margin) / 2
            assert chance(n, cells, won, won + margin + worse) <= chance(n, cells, won, won + margin)


def test_p_is_the_largest_probability_that_a_fine_search_finds() -> None:
    margin, n = 0.1, 12
    won = np.linspace(0, (1 - margin) / 2, 4001)
    for wins, losses in tables(n):
        cells = as_high(n, wins, losses, margin)
        found = sum(
            comb(n, b)
            * comb(n - b, c)
            * won**b
            * (won + margin) ** c
            * np.maximum(1 - margin - 2 * won, 0) ** (n - b - c)
            for b, c in cells
        )
        assert noninferiority_exact_p(table(n, wins, losses), margin) == pytest.approx(np.max(found), rel=1e-5)


@pytest.mark.parametrize("margin", [0.001, 0.05, 0.1, 0.3, 0.8])
def test_a_score_rises_with_every_win_and_falls_with_every_loss(margin: float) -> None:
    """What makes the edge of the hypothesis enough, for every table of 40 pairs."""
    n = 40
    for wins, losses in tables(n - 1):
        here = tango_z(table(n, wins, losses), -margin)
        assert tango_z(table(n, wins + 1, losses), -margin) > here > tango_z(table(n, wins, losses + 1), -margin)


@given(n=st.integers(1, 60), margin=st.floats(0.005, 0.95), shares=st.tuples(st.floats(0, 1), st.floats(0, 1)))
@settings(max_examples=60, deadline=None)
def test_a_win_more_never_raises_p_a_loss_more_never_lowers_it_and_both_sides_are_never_shown(
    n: int, margin: float, shares: tuple[float, float]
) -> None:
    wins = int(shares[0] * (n - 1))
    losses = int(shares[1] * (n - 1 - wins))
    p = noninferiority_exact_p(table(n, wins, losses), margin)
    slack = 1 + 1e-8
    assert noninferiority_exact_p(table(n, wins + 1, losses), margin) <= p * slack
    assert p <= noninferiority_exact_p(table(n, wins, losses + 1), margin) * slack
    assert p + inferiority_exact_p(table(n, wins, losses), margin) >= 1 - 1e-9
    assert 0 < p <= 1


@given(n=st.integers(1, 40), margin=st.floats(0.02, 0.9), alpha=st.sampled_from([0.01, 0.05, 0.2, 0.7]))
@settings(max_examples=12, deadline=None)
def test_the_critical_score_parts_the_tables_that_are_significant_from_the_others(
    n: int, margin: float, alpha: float
) -> None:
    least = critical_score(n, margin, alpha)
    for wins, losses in tables(n):
        score = float(tango_scores(np.array(wins), np.array(losses), np.array(n), margin))
        p = noninferiority_exact_p(table(n, wins, losses), margin)
        assert (score >= least) == (p <= alpha) or p == pytest.approx(alpha, rel=1e-6)
    assert largest_error(n, margin, least) <= alpha


@pytest.mark.parametrize(("n", "size"), [(8, 0.0885), (16, 0.0621), (32, 0.0521)])
def test_the_score_test_errs_more_often_than_it_says(n: int, size: float) -> None:
    assert largest_error(n, 0.1, float(norm.isf(0.05))) == pytest.approx(size, abs=5e-5)


def test_arms_that_always_agree_need_29_pairs_for_ten_points_and_59_for_five() -> None:
    for margin, enough in ((0.1, 29), (0.05, 59)):
        assert noninferiority_exact_p(table(enough, 0, 0), margin) <= 0.05
        assert noninferiority_exact_p(table(enough - 1, 0, 0), margin) > 0.05


def test_on_many_pairs_it_comes_near_the_score_test() -> None:
    for wins, losses in ((0, 0), (20, 35), (60, 90), (10, 40)):
        seen = table(MOST_EXACT, wins, losses)
        assert noninferiority_exact_p(seen, 0.1) == pytest.approx(noninferiority_p(seen, 0.1), abs=0.01)


@pytest.mark.parametrize("cells", [(0, 8, 0, 0), (0, 0, 8, 0), (0, 0, 0, 8), (0, MOST_EXACT, 0, 0)])
@pytest.mark.parametrize("margin", [1e-300, 1e-9, 0.5, 1 - 1e-12])
def test_the_oddest_tables_and_margins_have_a_probability(cells: tuple[int, int, int, int], margin: float) -> None:
    both, won, lost, neither = cells
    seen = PairedTable(both=both, tuned_only=won, base_only=lost, neither=neither)
    assert 0 <= noninferiority_exact_p(seen, margin) <= 1
    assert 0 <= inferiority_exact_p(seen, margin) <= 1


@pytest.mark.parametrize("margin", [0.0, 1.0, -0.1])
def test_a_margin_outside_0_and_1_is_refused(margin: float) -> None:
    with pytest.raises(ValueError, match="margin"):
        noninferiority_exact_p(table(4, 1, 1), margin)


def test_fractions_of_pairs_and_more_pairs_than_it_takes_are_refused() -> None:
    for seen in (PairedTable(both=2.5, tuned_only=1, base_only=0, neither=0), table(MOST_EXACT + 1, 0, 0)):
        with pytest.raises(ValueError, match="whole counts"):
            noninferiority_exact_p(seen, 0.1)
