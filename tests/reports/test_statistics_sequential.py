"""The e-process: its published value, its guarantee under any stopping, and numbers that do not overflow."""

from __future__ import annotations

from math import exp, inf, isfinite, log

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.integrate import quad

from reports.statistics.sequential import log_e_value, log_e_value_two_sided, run_e_process, threshold_crossed

counts = st.integers(0, 300)


def chance_of_ever_crossing(win: float, n: int, alpha: float, *, two_sided: bool) -> float:
    """The exact chance that the e-value reaches 1 / alpha somewhere in n pairs won with probability `win`."""
    value = log_e_value_two_sided if two_sided else log_e_value
    going, crossed = np.ones(1), 0.0
    for pairs in range(1, n + 1):
        going = np.append(going * (1 - win), 0) + np.append(0, going * win)
        over = np.array([threshold_crossed(value(wins, pairs - wins), alpha) for wins in range(pairs + 1)])
        crossed += going[over].sum()
        going[over] = 0
    return crossed


def test_eight_wins_in_a_row_have_the_e_value_28_4() -> None:
    assert round(exp(log_e_value_two_sided(8, 0)), 1) == 28.4
    assert exp(log_e_value_two_sided(8, 0)) == pytest.approx(2**8 / 9)


@given(st.integers(0, 25), st.integers(0, 25))
def test_both_are_the_mixtures_that_they_name(wins: int, losses: int) -> None:
    def ratio(p: float) -> float:
        return float((2 * p) ** wins * (2 * (1 - p)) ** losses)

    two_sided = quad(ratio, 0, 0.5)[0] + quad(ratio, 0.5, 1)[0]
    assert log_e_value_two_sided(wins, losses) == pytest.approx(log(two_sided), abs=1e-6)
    assert log_e_value(wins, losses) == pytest.approx(log(2 * quad(ratio, 0.5, 1)[0]), abs=1e-6)


@given(counts, counts)
def test_a_fair_coin_does_not_move_them_on_average(wins: int, losses: int) -> None:
    for value in (log_e_value, log_e_value_two_sided):
        next_mean = (
            exp(value(wins + 1, losses) - value(wins, losses)) + exp(value(wins, losses + 1) - value(wins, losses))
        ) / 2
        assert next_mean == pytest.approx(1, rel=1e-7)


@given(counts, counts)
def test_more_wins_are_more_evidence_and_only_the_two_sided_one_is_symmetric(wins: int, losses: int) -> None:
    assert log_e_value(wins + 1, losses) > log_e_value(wins, losses)
    assert log_e_value_two_sided(wins, losses) == pytest.approx(log_e_value_two_sided(losses, wins))
    if wins <= losses:
        assert log_e_value(wins, losses) <= 1e-9


@pytest.mark.parametrize("alpha", [0.05, 0.2])
@pytest.mark.parametrize(("win", "two_sided"), [(0.5, True), (0.5, False), (0.4, False), (0.1, False)])
def test_looking_after_every_pair_errs_at_most_in_alpha(win: float, alpha: float, *, two_sided: bool) -> None:
    assert 0 <= chance_of_ever_crossing(win, 120, alpha, two_sided=two_sided) <= alpha


def test_looking_finds_a_real_effect() -> None:
    assert chance_of_ever_crossing(0.9, 40, 0.05, two_sided=True) > 0.95


@given(st.lists(st.booleans(), max_size=60), st.booleans())
def test_the_process_is_the_value_after_every_pair(outcomes: list[bool], two_sided: bool) -> None:  # noqa: FBT001
    value = log_e_value_two_sided if two_sided else log_e_value
    path = [value(sum(outcomes[:n]), n - sum(outcomes[:n])) for n in range(len(outcomes) + 1)]
    seen = run_e_process(outcomes, two_sided=two_sided)
    assert (seen.wins, seen.losses) == (sum(outcomes), len(outcomes) - sum(outcomes))
    assert seen.log_e == pytest.approx(path[-1], abs=1e-9)
    assert seen.log_e_max == pytest.approx(max(path), abs=1e-9)
    assert seen.p == pytest.approx(min(1.0, exp(-max(path))))


@pytest.mark.parametrize("wins", [0, 1, 4_000, 5_000, 9_999, 10_000])
def test_ten_thousand_pairs_neither_overflow_nor_underflow(wins: int) -> None:
    outcomes = [True] * wins + [False] * (10_000 - wins)
    for two_sided in (True, False):
        seen = run_e_process(outcomes, two_sided=two_sided)
        assert isfinite(seen.log_e)
        assert isfinite(seen.log_e_max)
        assert 0 <= seen.p <= 1


def test_losses_alone_shrink_the_one_sided_value_as_one_over_their_number() -> None:
    assert log_e_value(0, 10_000) == pytest.approx(-log(10_001))
    assert log_e_value(0, 0) == pytest.approx(0, abs=1e-12)


def test_a_threshold_is_reached_at_it() -> None:
    assert threshold_crossed(log(20), 0.05)
    assert not threshold_crossed(log(19.99), 0.05)
    assert not threshold_crossed(-inf, 0.05)
    with pytest.raises(ValueError, match="alpha"):
        threshold_crossed(1.0, 0.0)


@pytest.mark.parametrize(("wins", "losses"), [(-1, 0), (0, -1)])
def test_impossible_counts_are_refused(wins: int, losses: int) -> None:
    for value in (log_e_value, log_e_value_two_sided):
        with pytest.raises(ValueError, match="whole numbers"):
            value(wins, losses)
