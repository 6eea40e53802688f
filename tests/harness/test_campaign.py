"""The grid: which trials run, in which order, and what is run again."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.campaign import Breaker, Campaign, grid
from harness.errors import InfrastructureError
from harness.trial import trial_seed
from harness.values import Arm
from scenarios import load_dir
from tests.records import record

SUITE = Path(__file__).parents[1] / "golden" / "suite"
MODELS = {Arm.BASE: "plain", Arm.TUNED: "trained"}


def _campaign(**changes: int) -> Campaign:
    return Campaign(scenarios=load_dir(SUITE), models=MODELS, **changes)  # type: ignore[arg-type] # all are counts


def test_every_cell_runs_once_and_both_arms_of_a_pair_share_a_seed() -> None:
    plans = grid(_campaign(repeats=3))
    assert len({plan.key for plan in plans}) == len(plans) == 2 * 3 * 2
    for left, right in zip(plans[::2], plans[1::2], strict=True):
        assert (left.scenario, left.repeat, left.seed) == (right.scenario, right.repeat, right.seed)
        assert {left.arm, right.arm} == set(Arm)
        assert {left.model, right.model} == set(MODELS.values())


def test_every_repeat_has_a_seed_of_its_own_and_it_does_not_depend_on_the_other_scenarios() -> None:
    assert len({plan.seed for plan in grid(_campaign(repeats=4))}) == 8
    assert grid(_campaign())[0].seed in {trial_seed(0, name, 0) for name in ("errand-note", "errand-lost")}
    assert trial_seed(0, "errand-note", 0) != trial_seed(1, "errand-note", 0)


def test_neither_arm_always_goes_first() -> None:
    first = {plan.arm for plan in grid(_campaign(repeats=16))[::2]}
    assert first == set(Arm)


def test_the_same_seed_gives_the_same_grid() -> None:
    assert grid(_campaign(repeats=2)) == grid(_campaign(repeats=2))


def test_a_finished_trial_is_not_run_again() -> None:
    done = [record("errand-note", Arm.BASE), record("errand-note", Arm.TUNED), record("errand-lost", Arm.BASE)]
    assert [str(plan.key) for plan in grid(_campaign(), done)] == ["errand-lost.tuned.0"]


def test_an_invalid_trial_is_run_again_with_its_other_arm_until_its_attempts_are_spent() -> None:
    pair = [record("errand-note", Arm.BASE, success=None), record("errand-note", Arm.TUNED)]
    others = [record("errand-lost", arm) for arm in Arm]
    again = grid(_campaign(attempts=2), [*pair, *others])
    assert {(str(plan.key), plan.attempt) for plan in again} == {("errand-note.base.0", 2), ("errand-note.tuned.0", 2)}
    spent = [record("errand-note", Arm.BASE, success=None, attempt=2), record("errand-note", Arm.TUNED, attempt=2)]
    assert grid(_campaign(attempts=2), [*pair, *others, *spent]) == ()


def test_a_row_of_invalid_trials_ends_the_campaign_and_a_valid_one_breaks_the_row() -> None:
    breaker = Breaker(limit=3)
    for success in (None, None, True, None, None):
        breaker.note(record(success=success))
    with pytest.raises(InfrastructureError, match=r"3 trials in a row were INVALID.*the engine is gone"):
        breaker.note(record(success=None))
