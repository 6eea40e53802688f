"""The early stop: scenarios in their preset order, and what they decide by an e-process."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from math import exp

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.values import Arm, TrialRecord
from reports.pairing import pair_up
from reports.schema import Pair
from reports.sequential import (
    Decided,
    Rule,
    course,
    e_text,
    needed,
    preset_order,
    sign_of,
    stopping,
    stopping_sentences,
)
from reports.tally import Imputation
from tests.reports.records import invalid, pair

WIN, LOSS, TIE = (False, True), (True, False), (True, True)


def in_order(*results: tuple[bool, bool], repeats: int = 1, missing: Sequence[int] = ()) -> list[Pair]:
    """Pairs of one scenario after the other, by who succeeded; of those `missing`, no trial has run."""
    trials: list[TrialRecord] = []
    for index, (base, tuned) in enumerate(results):
        if index not in missing:
            trials += pair(_name(index, repeats), base=base, tuned=tuned, repeat=index % repeats)
    return placed(trials, len(results), repeats)


def _name(index: int, repeats: int = 1) -> str:
    return f"s-{index // repeats:03d}"


def placed(trials: Sequence[TrialRecord], count: int, repeats: int = 1) -> list[Pair]:
    planned = [(_name(index, repeats), index % repeats) for index in range(count)]
    made = pair_up(trials, planned)[0]
    return [each.model_copy(update={"position": planned.index((each.scenario, each.repeat))}) for each in made]


def test_eight_wins_in_a_row_decide_at_five_percent_and_the_rest_is_not_needed() -> None:
    told = stopping(in_order(*[WIN] * 20, missing=range(9, 20)), "success", 0.05)
    assert (told.decision, told.after, told.planned) == (Decided.BETTER, 8, 20)
    assert exp(told.course.log_e) == pytest.approx(256 / 9)
    assert told.course.p == pytest.approx(9 / 256)


def test_eight_losses_in_a_row_decide_too() -> None:
    told = stopping(in_order(*[LOSS] * 9, *[TIE] * 30), "success", 0.05)
    assert (told.decision, told.after) == (Decided.WORSE, 8)


def test_ties_neither_help_nor_hurt() -> None:
    found = course(in_order(WIN, TIE, WIN, TIE, LOSS), "success", 0.05)
    assert (found.scenarios, found.wins, found.losses) == (5, 2, 1)
    assert found.log_e == course(in_order(WIN, WIN, LOSS), "success", 0.05).log_e


def test_a_scenario_that_finished_before_its_turn_is_not_looked_at() -> None:
    """Were it, a run could wait for the fast ones: those that the tuned model wins, perhaps."""
    told = stopping(in_order(*[WIN] * 12, missing=[3]), "success", 0.05)
    assert (told.decision, told.after) == (None, 3)


def test_a_scenario_with_one_arm_is_not_complete() -> None:
    trials = [trial for index in range(9) for trial in pair(f"s-{index:03d}", base=False, tuned=True)]
    half = [trial for trial in trials if (trial.scenario, trial.arm) != ("s-004", Arm.TUNED)]
    assert course(placed(half, 9), "success", 0.05).scenarios == 4


def test_repeats_of_a_scenario_count_once() -> None:
    """Ten wins of one scenario are one win: repeats win and lose together."""
    repeated = in_order(*[WIN] * 10, repeats=10)
    assert course(repeated, "success", 0.05).wins == 1
    mixed = in_order(WIN, WIN, LOSS, LOSS, LOSS, WIN, WIN, LOSS, repeats=2)
    found = course(mixed, "success", 0.05)
    assert (found.scenarios, found.wins, found.losses) == (4, 1, 1)


def test_a_scenario_is_complete_with_the_last_of_its_repeats() -> None:
    assert course(in_order(*[WIN] * 6, repeats=3, missing=[5]), "success", 0.05).scenarios == 1


def test_a_stop_for_success_waits_for_the_scenarios_at_the_front() -> None:
    results = [WIN] * 12
    assert stopping(in_order(*results), "success", 0.05, first=10).after == 10
    assert stopping(in_order(*results, missing=[9]), "success", 0.05, first=10).decision is None
    assert stopping(in_order(*[LOSS] * 40), "success", 0.05, first=10).after == 8


def test_a_run_stops_once_winning_all_the_rest_would_not_do() -> None:
    """With 10 scenarios and 2 lost, 8 wins reach e = 2^10 B(9, 3) = 2.07 and no more."""
    told = stopping(in_order(LOSS, LOSS, *[TIE] * 8), "success", 0.05)
    assert (told.decision, told.after) == (Decided.HOPELESS, 1)
    assert stopping(in_order(*[TIE] * 16), "success", 0.05).after == 9
    assert stopping(in_order(*[WIN] * 7), "success", 0.05).after == 1


def test_an_excluded_pair_must_not_carry_a_decision() -> None:
    trials = [trial for index in range(12) for trial in pair(f"s-{index:03d}", base=False, tuned=True)]
    trials[0] = invalid(trials[0])
    told = stopping(placed(trials, 12), "success", 0.05)
    assert (told.decision, told.after, told.course.wins) == (Decided.BETTER, 12, 11)
    observed, against = (course(placed(trials, 12), "success", 0.05, how) for how in list(Imputation)[:2])
    assert (observed.crossed_at, against.crossed_at) == (9, 12)


def test_where_lower_is_better_fewer_are_a_win() -> None:
    trials = []
    for trial in pair("s-000", base=True, tuned=True):
        panicked = trial.arm is Arm.BASE
        trials.append(replace(trial, metrics=replace(trial.metrics, false_panic=panicked)))
    assert sign_of(placed(trials, 1), "false_panic") == 1


def test_pairs_without_a_place_in_the_order_are_left_out() -> None:
    unplaced = [each.model_copy(update={"position": None}) for each in in_order(*[WIN] * 9)]
    assert course(unplaced, "success", 0.05).scenarios == 0
    assert stopping([], "success", 0.05).decision is None


def test_eight_scenarios_are_the_fewest_at_five_percent() -> None:
    assert needed(0.05) == 8
    assert needed(0.01) == 11


signs = st.lists(st.sampled_from([WIN, LOSS, TIE, (False, False)]), min_size=1, max_size=40)


@given(results=signs, first=st.integers(0, 10))
@settings(max_examples=60, deadline=None)
def test_a_decision_stands_whatever_comes_later_and_the_order_of_the_rows_is_nothing(
    results: list[tuple[bool, bool]], first: int
) -> None:
    pairs = in_order(*results)
    whole = stopping(pairs, "success", 0.2, first)
    shuffled = pairs[::-2] + pairs[-2::-2]
    assert stopping(shuffled, "success", 0.2, first) == whole
    if whole.decision is not None:
        cut = in_order(*results, missing=range(whole.after, len(results)))
        assert stopping(cut, "success", 0.2, first) == whole


@given(results=signs)
@settings(max_examples=60, deadline=None)
def test_swapping_the_arms_swaps_the_direction(results: list[tuple[bool, bool]]) -> None:
    one = course(in_order(*results), "success", 0.2)
    other = course(in_order(*[(tuned, base) for base, tuned in results]), "success", 0.2)
    assert (one.crossed, one.direction, one.wins) == (-other.crossed, -other.direction, other.losses)
    assert one.log_e_max == other.log_e_max
    assert (one.p <= 0.2) == (one.crossed_at is not None)


@given(results=signs)
@settings(max_examples=60, deadline=None)
def test_hopeless_means_that_no_future_whatever_decides_for_the_tuned_model(results: list[tuple[bool, bool]]) -> None:
    told = stopping(in_order(*results), "success", 0.2)
    if told.decision is not None and told.after < len(results):
        best = [*results[: told.after], *[WIN] * (len(results) - told.after)]
        after = course(in_order(*best), "success", 0.2)
        assert (after.crossed > 0) == (told.decision is Decided.BETTER)


def test_a_rule_that_is_fed_by_hand_says_what_the_pairs_say() -> None:
    pairs = in_order(*[WIN] * 9)
    rule = Rule(metric="success", alpha=0.05, planned=9, first=0)
    decisions = [rule.add([each]) for each in pairs]
    assert decisions == [None] * 7 + [Decided.BETTER] * 2
    assert rule.told() == stopping(pairs, "success", 0.05)


def test_the_order_is_drawn_by_the_seed_alone_and_begins_with_those_that_come_first() -> None:
    names = [f"n-{i}" for i in range(30)]
    order = preset_order(names, ["n-3", "n-4"], 7)
    assert set(order) == set(names)
    assert set(order[:2]) == {"n-3", "n-4"}
    assert preset_order(reversed(names), ["n-4", "n-3"], 7) == order
    assert preset_order(names, ["n-3", "n-4"], 8) != order
    assert order[2:] != tuple(sorted(order[2:]))


def test_the_report_says_where_it_stopped_and_what_being_allowed_to_costs() -> None:
    told = stopping(in_order(*[WIN] * 32, missing=range(8, 32)), "success", 0.05)
    decided, unadjusted, cost = stopping_sentences(told)
    assert decided.startswith("Decided after 8 of 32 scenarios in the preset order (8 won and 0 lost; e = 28.4")
    assert "anytime-valid p = 0.03516" in decided
    assert "not adjusted" in unadjusted
    assert "a gain of 32 points with losses of 5 %" in cost
    assert "finds in 80 of 100 runs, a run that may stop early finds in 58, after 26 scenarios" in cost


def test_an_undecided_run_says_so_and_nothing_of_adjustment() -> None:
    sentences = stopping_sentences(stopping(in_order(WIN, *[TIE] * 20, missing=range(5, 21)), "success", 0.05))
    assert sentences[0].startswith("The stopping rule has decided nothing after 5 of 21 scenarios")
    assert all("not adjusted" not in sentence for sentence in sentences)


def test_an_e_value_beyond_every_number_still_has_words() -> None:
    assert e_text(800.0) == "above 1e304"
    assert e_text(0.0) == "1"
