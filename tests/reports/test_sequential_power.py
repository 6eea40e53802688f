"""What early stopping costs: exact power and expected length, held against walks counted one by one."""

from __future__ import annotations

from itertools import pairwise, product
from math import log

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reports.statistics.power import mcnemar_power
from reports.statistics.sequential import log_e_value_two_sided, threshold_crossed
from reports.statistics.sequential_power import MOST, price, sequential_power


def by_hand(won: float, lost: float, n: int, alpha: float, at_least: int = 0) -> tuple[float, float, float]:
    """Power, wrong decisions and mean length, over every sequence of n pairs that are won, lost or tied."""
    chances = {1: won, -1: lost, 0: 1 - won - lost}
    power = wrong = expected = 0.0
    for path in product((1, -1, 0), repeat=n):
        chance, wins, losses, crossed, length = 1.0, 0, 0, 0, 0
        for sign in path:
            chance *= chances[sign]
        for t, sign in enumerate(path, start=1):
            wins, losses = wins + (sign == 1), losses + (sign == -1)
            if not crossed and threshold_crossed(log_e_value_two_sided(wins, losses), alpha):
                crossed = 1 if wins > losses else -1
            if crossed < 0 or (crossed > 0 and t >= at_least):
                length = t
                break
        power, wrong = power + chance * (crossed > 0), wrong + chance * (crossed < 0)
        expected += chance * (length or n)
    return power, wrong, expected


@pytest.mark.parametrize(
    ("won", "lost", "n", "alpha", "at_least"),
    [
        (0.5, 0.2, 9, 0.2, 0),
        (0.3, 0.3, 8, 0.3, 0),
        (0.6, 0.0, 8, 0.1, 7),
        (0.2, 0.8, 8, 0.2, 6),
        (1.0, 0.0, 8, 0.05, 0),
    ],
)
def test_power_errors_and_length_are_those_of_every_single_walk(
    won: float, lost: float, n: int, alpha: float, at_least: int
) -> None:
    found = sequential_power(won, lost, n, alpha=alpha, at_least=at_least)
    assert (found.power, found.wrong, found.expected) == pytest.approx(by_hand(won, lost, n, alpha, at_least))


@given(rate=st.floats(0.01, 0.5), n=st.integers(1, 120), alpha=st.sampled_from([0.01, 0.05, 0.2]))
@settings(max_examples=40, deadline=None)
def test_equal_arms_cross_in_each_direction_in_at_most_half_of_alpha(rate: float, n: int, alpha: float) -> None:
    found = sequential_power(rate, rate, n, alpha=alpha)
    assert found.power == pytest.approx(found.wrong)
    assert found.power <= alpha / 2 + 1e-9


@given(won=st.floats(0, 0.5), lost=st.floats(0, 0.5), n=st.integers(1, 60), at_least=st.integers(0, 60))
@settings(max_examples=40, deadline=None)
def test_swapping_the_arms_swaps_power_and_error_and_no_run_is_longer_than_planned(
    won: float, lost: float, n: int, at_least: int
) -> None:
    one, other = sequential_power(won, lost, n), sequential_power(lost, won, n)
    assert (one.power, one.wrong) == pytest.approx((other.wrong, other.power))
    assert 0 < one.expected <= n + 1e-9
    assert sequential_power(won, lost, n, at_least=at_least).expected >= one.expected - 1e-9


def test_more_pairs_never_lower_the_power() -> None:
    powers = [sequential_power(0.3, 0.05, n).power for n in range(1, 120)]
    assert all(later >= sooner - 1e-12 for sooner, later in pairwise(powers))


def test_the_price_is_named_at_an_effect_that_the_exact_test_finds_as_often_as_asked() -> None:
    found = price(64)
    assert found is not None
    assert found.fixed == pytest.approx(mcnemar_power(0.05 + found.effect, 0.05, 64)) == pytest.approx(0.8)
    assert found.sequential.power < found.fixed
    assert found.sequential.expected < 64


@pytest.mark.parametrize("n", [1, 5, 8, 0, MOST + 1])
def test_there_is_no_price_where_nothing_can_be_found_or_enumerated(n: int) -> None:
    assert price(n) is None


def test_nothing_discordant_never_crosses() -> None:
    found = sequential_power(0.0, 0.0, 50)
    assert (found.power, found.wrong, found.expected) == (0.0, 0.0, 50.0)


@pytest.mark.parametrize("rates", [(-0.1, 0.2), (0.6, 0.5), (float("nan"), 0.1)])
def test_rates_that_cannot_be_are_refused(rates: tuple[float, float]) -> None:
    with pytest.raises(ValueError, match="sum to at most 1"):
        sequential_power(*rates, 10)


def test_eight_wins_in_a_row_reach_e_of_twenty_and_seven_do_not() -> None:
    assert sequential_power(1.0, 0.0, 8).power == 1.0
    assert sequential_power(1.0, 0.0, 7).power == 0.0
    assert log_e_value_two_sided(8, 0) == pytest.approx(log(256 / 9))
