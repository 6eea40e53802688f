"""The grid: which trials run, in which order, and what is run again."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import cast

import pytest

from harness import store
from harness.campaign import Breaker, Campaign, grid, run_campaign
from harness.errors import InfrastructureError, ParityError
from harness.sandbox import Engine
from harness.sandbox.protocol import Limits
from harness.session import Model, SessionLimits
from harness.trial import TrialPlan, trial_seed
from harness.values import Arm, Failure, TrialKey, TrialRecord
from scenarios import load_dir
from tests.records import manifest, record

SUITE = Path(__file__).parents[1] / "golden" / "suite"
MODELS = {Arm.BASE: "plain", Arm.TUNED: "trained"}


def _campaign(**changes: object) -> Campaign:
    return Campaign(scenarios=load_dir(SUITE), models=MODELS, **changes)  # type: ignore[arg-type] # as each test says


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


def test_a_container_outlives_the_longest_session_that_the_limits_allow() -> None:
    limits = SessionLimits(turns=40, seconds=3000.0)
    for plan in grid(_campaign(limits=limits)):
        assert plan.container.ttl_seconds > limits.seconds + limits.turns * 600 + 30  # a setup script's
        assert plan.container == replace(Limits(), ttl_seconds=plan.container.ttl_seconds)


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


def test_a_retry_that_was_interrupted_goes_on_with_the_other_arm_in_the_same_attempt() -> None:
    others = [record("errand-lost", arm) for arm in Arm]
    pair = [record("errand-note", Arm.BASE), record("errand-note", Arm.TUNED, success=None), *others]
    for success in (True, None):
        cut = [*pair, record("errand-note", Arm.BASE, attempt=2, success=success)]
        left = grid(_campaign(attempts=2), cut)
        assert [(str(plan.key), plan.attempt) for plan in left] == [("errand-note.tuned.0", 2)]
        assert grid(_campaign(attempts=2), [*cut, record("errand-note", Arm.TUNED, attempt=2)]) == ()
    first = [record("errand-note", Arm.BASE, success=None), *others]
    assert [(str(plan.key), plan.attempt) for plan in grid(_campaign(attempts=2), first)] == [
        ("errand-note.tuned.0", 1)
    ]


def test_a_campaign_interrupted_after_any_record_ends_with_the_records_of_one_that_was_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def trial(plan: TrialPlan) -> TrialRecord:
        broken = plan.arm is Arm.TUNED and (plan.scenario.scenario.id == "errand-lost" or plan.attempt == 1)
        made = record(plan.scenario.scenario.id, plan.arm, attempt=plan.attempt, success=None if broken else True)
        return replace(made, seed=plan.seed)

    campaign = _campaign(concurrency=1, attempts=3)
    _run(campaign, trial, tmp_path / "whole", monkeypatch)
    whole = store.read_trials(tmp_path / "whole")
    assert {(each.key.scenario, each.attempt) for each in whole} == {
        *(("errand-note", k) for k in (1, 2)),
        *(("errand-lost", k) for k in (1, 2, 3)),
    }
    for count in range(len(whole) + 1):
        rest = _rest(campaign, trial, whole[:count])
        assert {(each.key, each.attempt) for each in rest} == {(each.key, each.attempt) for each in whole[count:]}
        assert len(rest) == len(whole) - count


def _rest(campaign: Campaign, trial: Trial, finished: Sequence[TrialRecord]) -> list[TrialRecord]:
    """What is run after these records, round by round."""
    made: list[TrialRecord] = []
    while plans := grid(campaign, [*finished, *made]):
        made += [trial(plan) for plan in plans]
    return made


def test_a_row_of_invalid_trials_ends_the_campaign_and_a_valid_one_breaks_the_row() -> None:
    breaker = Breaker(limit=3)
    for success in (None, None, True, None, None):
        breaker.note(record(success=success))
    with pytest.raises(InfrastructureError, match=r"3 trials in a row were INVALID.*the engine is gone"):
        breaker.note(record(success=None))


def test_apart_every_base_trial_comes_before_every_tuned_one_and_nothing_else_changes() -> None:
    together, apart = grid(_campaign(repeats=2)), grid(_campaign(repeats=2, apart=True))
    assert [plan.arm for plan in apart] == [Arm.BASE] * 4 + [Arm.TUNED] * 4
    for arm in Arm:
        assert [plan for plan in apart if plan.arm is arm] == [plan for plan in together if plan.arm is arm]


Trial = Callable[[TrialPlan], TrialRecord]


def _run(campaign: Campaign, trial: Trial, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The grid with another trial than the real one: what is tested is who runs beside whom."""
    monkeypatch.setattr("harness.campaign.run_trial", lambda plan, *_: trial(plan))
    models = dict.fromkeys(Arm, cast("Model", None))
    with closing(store.create(path, manifest("errand-note", "errand-lost"))) as run:
        run_campaign(campaign, cast("Engine", None), models, run, on_record=lambda _: None, stop=threading.Event())


def _passed(plan: TrialPlan) -> TrialRecord:
    return record(plan.scenario.scenario.id, plan.arm, repeat=plan.repeat, attempt=plan.attempt)


def test_both_arms_run_side_by_side(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    all_at_once = threading.Barrier(4)

    def trial(plan: TrialPlan) -> TrialRecord:
        all_at_once.wait(timeout=60)
        return _passed(plan)

    _run(_campaign(concurrency=4), trial, tmp_path / "run", monkeypatch)
    assert not all_at_once.broken


def test_apart_no_tuned_trial_starts_before_every_base_trial_has_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one_arm_at_once = threading.Barrier(2)
    lock = threading.Lock()
    ended: list[TrialKey] = []
    too_early: list[TrialKey] = []

    def trial(plan: TrialPlan) -> TrialRecord:
        with lock:
            if plan.arm is Arm.TUNED and len(ended) < 2:
                too_early.append(plan.key)
        one_arm_at_once.wait(timeout=60)
        with lock:
            ended.append(plan.key)
        return _passed(plan)

    _run(_campaign(concurrency=4, apart=True), trial, tmp_path / "run", monkeypatch)
    assert len(ended) == 4
    assert too_early == []


def test_a_trial_that_read_other_tokens_stops_the_run_at_once_and_is_recorded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def trial(plan: TrialPlan) -> TrialRecord:
        failed = record(plan.scenario.scenario.id, plan.arm, success=None)
        return replace(failed, failure=Failure(address="parity", message="position 3: 5 instead of 4"))

    with pytest.raises(ParityError, match="position 3: 5 instead of 4"):
        _run(_campaign(concurrency=1), trial, tmp_path / "run", monkeypatch)
    assert len(store.read_trials(tmp_path / "run")) == 1


@pytest.mark.parametrize(("concurrency", "good"), [(8, 0), (1, 0), (1, 1)])
def test_an_outage_leaves_every_pair_its_second_attempt_for_the_resume(
    concurrency: int, good: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    campaign, tried = _campaign(concurrency=concurrency, attempts=2), itertools.count()

    def trial(plan: TrialPlan) -> TrialRecord:
        passed = next(tried) < good
        return record(plan.scenario.scenario.id, plan.arm, attempt=plan.attempt, success=passed or None)

    with pytest.raises(InfrastructureError, match=r"trials in a row were INVALID.*the engine is gone"):
        _run(campaign, trial, tmp_path / "run", monkeypatch)
    before = store.read_trials(tmp_path / "run")
    assert [each.attempt for each in before] == [1] * 4
    resumed = _rest(campaign, _passed, before)
    assert [each.attempt for each in resumed] == [2] * 4
    assert grid(campaign, [*before, *resumed]) == ()


def test_one_broken_pair_at_the_end_of_the_grid_is_no_outage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    campaign = _campaign(concurrency=1, attempts=3)
    last = grid(campaign)[-1].scenario

    def trial(plan: TrialPlan) -> TrialRecord:
        whole = plan.scenario is not last
        return record(plan.scenario.scenario.id, plan.arm, attempt=plan.attempt, success=whole or None)

    _run(campaign, trial, tmp_path / "run", monkeypatch)
    assert [each.attempt for each in store.read_trials(tmp_path / "run")] == [1, 1, 1, 1, 2, 2, 3, 3]


def test_a_trial_that_failed_by_something_else_stops_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def trial(plan: TrialPlan) -> TrialRecord:
        failed = record(plan.scenario.scenario.id, plan.arm, success=None)
        return replace(failed, failure=Failure(address="endpoint", message="gone"))

    _run(_campaign(concurrency=2, attempts=1), trial, tmp_path / "run", monkeypatch)
    assert len(store.read_trials(tmp_path / "run")) == 4
