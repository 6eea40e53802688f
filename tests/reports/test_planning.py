"""How many pairs a run needs: exact powers, and the smallest n from which they stay where they should."""

from __future__ import annotations

import json
from math import comb

import numpy as np
import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.cli.plan import plan
from harness.errors import BadInputError
from reports.statistics.mcnemar import mcnemar_exact, mcnemar_midp
from reports.statistics.planning import (
    lasting,
    mcnemar_powers,
    noninferiority_power,
    noninferiority_powers,
    pairs_for_noninferiority,
    pairs_for_superiority,
    smallest_margin,
)
from reports.statistics.power import critical_counts, mcnemar_power, smallest_detectable
from reports.statistics.sequential_power import pairs_for_sequential, sequential_power
from reports.statistics.unconditional import noninferiority_exact_p
from reports.statistics.values import PairedTable

rates = st.tuples(st.floats(0, 0.5), st.floats(0, 0.5))


@given(rates=rates, first=st.integers(1, 150), alpha=st.sampled_from([0.01, 0.05]))
@settings(max_examples=30, deadline=None)
def test_many_powers_at_once_are_those_one_by_one(rates: tuple[float, float], first: int, alpha: float) -> None:
    found = mcnemar_powers(*rates, first, first + 70, alpha=alpha)
    alone = [mcnemar_power(*rates, n, alpha=alpha) for n in range(first, first + 71)]
    assert found == pytest.approx(np.array(alone), abs=1e-9)


@pytest.mark.parametrize("midp", [False, True])
@pytest.mark.parametrize("first", [0, 1000, 2047])
def test_the_critical_counts_are_the_last_ones_that_the_test_itself_rejects(first: int, *, midp: bool) -> None:
    """Over a boundary of the blocks in which they are computed, and where each is what the block before left off."""
    test = mcnemar_midp if midp else mcnemar_exact
    for m, k in enumerate(critical_counts(first, first + 60, 0.05, midp=midp), first):
        assert k < 0 or test(m - int(k), int(k)) <= 0.05
        assert test(m - int(k) - 1, int(k) + 1) > 0.05 if m else k == -1


def test_the_powers_of_the_facts_page() -> None:
    """Exact McNemar at (.3, .05): .20 at 16 pairs, .61 at 32, .85 at 50."""
    found = mcnemar_powers(0.3, 0.05, 1, 50)
    assert [round(float(found[n - 1]), 2) for n in (16, 32, 50)] == [0.20, 0.61, 0.85]


@pytest.mark.parametrize(
    ("effect", "losses", "power"),
    [(0.25, 0.05, 0.8), (0.2, 0.4, 0.8), (0.5, 0.0, 0.9), (0.1, 0.02, 0.5), (1.0, 0, 0.9)],
)
def test_from_the_smallest_n_on_every_n_has_the_power_and_the_one_before_has_not(
    effect: float, losses: float, power: float
) -> None:
    n = pairs_for_superiority(effect, losses=losses, power=power)
    assert n is not None
    powers = [mcnemar_power(losses + effect, losses, each) for each in range(max(1, n - 1), 3 * n)]
    assert powers[0] < power or n == 1
    assert min(powers[1:]) >= power


def test_a_lucky_n_before_the_lasting_one_is_passed_over() -> None:
    """Where every pair is discordant the power goes up and down: 22 pairs reach 50 %, 23 do not."""
    n = pairs_for_superiority(0.4, losses=0.3, power=0.5)
    assert n is not None
    earlier = [each for each in range(1, n) if mcnemar_power(0.7, 0.3, each) >= 0.5]
    assert earlier
    assert n > max(earlier) + 1


def test_six_pairs_are_enough_where_tuned_always_wins() -> None:
    assert pairs_for_superiority(1.0, losses=0.0, power=0.99) == 6


@given(effect=st.floats(0.1, 0.6), losses=st.floats(0, 0.2), power=st.sampled_from([0.5, 0.8, 0.9]))
@settings(max_examples=15, deadline=None)
def test_a_larger_effect_or_less_power_never_needs_more_pairs(effect: float, losses: float, power: float) -> None:
    n = pairs_for_superiority(effect, losses=losses, power=power)
    less = pairs_for_superiority(effect, losses=losses, power=power - 0.2)
    assert n is not None
    assert less is not None
    assert less <= n
    found = smallest_detectable(n, losses, power=power)
    assert found is not None
    assert found <= effect + 1e-6


def test_large_runs_are_planned_in_the_same_way() -> None:
    n = pairs_for_superiority(0.02, losses=0.05, power=0.9)
    assert n is not None
    assert n > 2048
    around = mcnemar_powers(0.07, 0.05, n - 50, n + 500)
    assert around[49] < 0.9
    assert min(around[50:]) >= 0.9


def test_what_is_beyond_every_run_is_said_to_be() -> None:
    assert pairs_for_superiority(0.0005, losses=0.05, power=0.8) is None
    assert pairs_for_noninferiority(0.0, 0.0005, losses=0.2, power=0.8) is None


def test_lasting_finds_the_end_of_a_saw() -> None:
    def saw(first: int, last: int) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
        sizes = np.arange(first, last + 1)
        return np.where((sizes < 40) & (sizes != 25), 0.1, np.where(sizes == 71, 0.1, 0.9))

    assert lasting(saw, 0.8) == 72
    assert lasting(saw, 0.05) == 1


def by_hand(won: float, lost: float, n: int, margin: float, alpha: float) -> float:
    total = 0.0
    for b in range(n + 1):
        for c in range(n + 1 - b):
            table = PairedTable(both=n - b - c, tuned_only=b, base_only=c, neither=0)
            if noninferiority_exact_p(table, margin) <= alpha:
                total += comb(n, b) * comb(n - b, c) * won**b * lost**c * max(0.0, 1 - won - lost) ** (n - b - c)
    return total


@pytest.mark.parametrize(
    ("won", "lost", "n", "margin"),
    [
        (0.1, 0.1, 20, 0.1),
        (0.3, 0.3, 25, 0.2),
        (0.0, 0.0, 25, 0.1),
        (0.05, 0.0, 12, 0.3),
        (0.4, 0.6, 18, 0.5),
        (0, 1, 9, 0.5),
    ],
)
def test_the_power_of_the_exact_test_is_that_of_every_table_counted(
    won: float, lost: float, n: int, margin: float
) -> None:
    for alpha in (0.05, 0.1):
        found = noninferiority_power(won, lost, n, margin, alpha=alpha)
        assert found == pytest.approx(by_hand(won, lost, n, margin, alpha), abs=1e-9)


@given(rates=rates, n=st.integers(2, 22), margin=st.floats(0.02, 0.6))
@settings(max_examples=25, deadline=None)
def test_the_fewest_wins_that_suffice_are_a_single_edge(rates: tuple[float, float], n: int, margin: float) -> None:
    """Bisection finds them only if the statistic rises with every win."""
    assert noninferiority_power(*rates, n, margin) == pytest.approx(by_hand(*rates, n, margin, 0.05), abs=1e-9)


@given(rates=rates, first=st.integers(1, 150), margin=st.floats(0.02, 0.6), alpha=st.sampled_from([0.01, 0.05, 0.7]))
@settings(max_examples=20, deadline=None)
def test_many_powers_of_the_exact_test_at_once_are_those_one_by_one(
    rates: tuple[float, float], first: int, margin: float, alpha: float
) -> None:
    found = noninferiority_powers(*rates, first, first + 70, margin, alpha=alpha)
    alone = [noninferiority_power(*rates, n, margin, alpha=alpha) for n in range(first, first + 71)]
    assert found == pytest.approx(np.array(alone), abs=1e-9)


@pytest.mark.parametrize("never", [1e-308, 2.3e-308, 5e-324])
def test_losses_that_never_happen_are_planned_as_none(never: float) -> None:
    assert noninferiority_power(0.2, never, 30, 0.1) == pytest.approx(noninferiority_power(0.2, 0.0, 30, 0.1))
    assert pairs_for_noninferiority(0.0, 0.1, losses=never, power=0.8) == 29


def test_large_runs_of_non_inferiority_are_planned_in_the_same_way() -> None:
    n = pairs_for_noninferiority(0.0, 0.02, losses=0.1, power=0.8)
    assert n is not None
    assert n > 2048
    around = noninferiority_powers(0.1, 0.1, n - 1, n + 1000, 0.02)
    assert around[0] < 0.8
    assert min(around[1:]) >= 0.8


def test_even_arms_that_never_differ_need_59_pairs_for_five_points_and_29_for_ten() -> None:
    assert pairs_for_noninferiority(0.0, 0.05, losses=0.0, power=0.8) == 59
    assert pairs_for_noninferiority(0.0, 0.10, losses=0.0, power=0.8) == 29


def test_from_the_smallest_n_on_non_inferiority_keeps_its_power() -> None:
    n = pairs_for_noninferiority(0.0, 0.1, losses=0.05, power=0.8)
    assert n is not None
    assert noninferiority_power(0.05, 0.05, n - 1, 0.1) < 0.8
    assert min(noninferiority_power(0.05, 0.05, each, 0.1) for each in range(n, 2 * n)) >= 0.8


def test_the_smallest_margin_is_one_that_is_just_ruled_out() -> None:
    margin = smallest_margin(0.0, 100, losses=0.05, power=0.8)
    assert margin is not None
    assert noninferiority_power(0.05, 0.05, 100, margin) >= 0.8
    assert noninferiority_power(0.05, 0.05, 100, margin - 1e-4) < 0.8
    assert smallest_margin(0.0, 1, losses=0.0, power=0.8) == pytest.approx(0.95, abs=1e-4)
    assert smallest_margin(-0.2, 1, losses=0.6, power=0.8) is None


def test_a_run_that_may_stop_early_must_be_planned_longer() -> None:
    found = pairs_for_sequential(0.25, losses=0.05, power=0.8)
    assert found is not None
    n, power = found
    assert power.power >= 0.8 > sequential_power(0.3, 0.05, n - 1).power
    fixed = pairs_for_superiority(0.25, losses=0.05, power=0.8)
    assert fixed is not None
    assert power.expected < fixed < n
    assert pairs_for_sequential(0.01, losses=0.05, power=0.8) is None


def asked(*arguments: str) -> dict[str, object]:
    done = CliRunner().invoke(plan, [*arguments, "--json"], catch_exceptions=False)
    assert done.exit_code == 0
    return dict(json.loads(done.stdout))


def test_the_command_gives_n_with_its_exact_power() -> None:
    found = asked("--effect", "0.25", "--power", "0.8")
    assert found["n"] == pairs_for_superiority(0.25, losses=0.05, power=0.8) == 45
    assert found["power"] == pytest.approx(mcnemar_power(0.3, 0.05, 45))
    assert found["losses"] == 0.05


def test_the_command_says_what_a_run_of_n_pairs_can_see() -> None:
    found = asked("--n", "16", "--losses", "0")
    assert found["smallest_detectable"] == pytest.approx(smallest_detectable(16, 0.0))
    assert found["power"] is None
    assert asked("--n", "50", "--effect", "0.25")["power"] == pytest.approx(0.854091, abs=1e-6)


def test_the_command_plans_non_inferiority() -> None:
    found = asked("--kind", "non-inferiority", "--margin", "0.05", "--losses", "0")
    assert (found["n"], found["power"]) == (59, 1.0)


def test_without_json_each_line_is_a_name_and_a_value() -> None:
    lines = CliRunner().invoke(plan, ["--effect", "0.25"]).stdout.splitlines()
    shown = dict(line.split(maxsplit=1) for line in lines)
    assert shown["n"] == "45"
    assert shown["test"] == "exact McNemar, two-sided"
    assert float(shown["stop_when_decided.n_for_target"]) == 64


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ((), "nothing to plan for"),
        (("--effect", "0"), "superiority asks for a gain above 0"),
        (("--effect", "-0.2"), "superiority asks for a gain above 0"),
        (("--effect", "0.5", "--losses", "0.4"), "impossible"),
        (("--effect", "0.2", "--margin", "0.1"), "--margin belongs to"),
        (("--kind", "non-inferiority"), "needs a margin"),
        (("--kind", "non-inferiority", "--margin", "0.1", "--effect", "-0.1"), "truly 0.1 worse"),
        (("--kind", "non-inferiority", "--margin", "0.5", "--effect", "-0.2"), "impossible"),
        (("--effect", "0.0001"), "more than 50000 pairs"),
        (("--effect", "nan"), "a number is nan"),
        (("--effect", "0.2", "--losses", "nan"), "a number is nan"),
    ],
)
def test_what_cannot_be_planned_is_one_line_with_what_to_do(arguments: tuple[str, ...], says: str) -> None:
    with pytest.raises(BadInputError, match=says) as raised:
        plan.main(list(arguments), standalone_mode=False)
    assert raised.value.hint
    assert "\n" not in raised.value.message


@pytest.mark.parametrize("arguments", [("--effect", "2"), ("--power", "1", "--effect", ".2"), ("--n", "0")])
def test_numbers_out_of_range_are_refused(arguments: tuple[str, ...]) -> None:
    assert CliRunner().invoke(plan, arguments).exit_code == 2
