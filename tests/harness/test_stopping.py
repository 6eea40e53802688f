"""`--stop-when decided`: the rule that a policy asks for, and a campaign that follows it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from contextlib import closing
from pathlib import Path
from typing import cast

import pytest

from harness import store
from harness.campaign import Campaign, grid, run_campaign, unfinished
from harness.errors import BadInputError
from harness.sandbox import Engine
from harness.session import Model
from harness.stopping import Watch, stop_rule
from harness.store import StopRule
from harness.trial import TrialPlan
from harness.values import Arm, TrialKey, TrialRecord
from reports import load_policy
from reports.sequential import Decided
from scenarios import load_dir, shipped
from scenarios.bundle import Split
from tests.records import manifest, record

SUITE = load_dir(shipped(Split.HOLDOUT), split=Split.HOLDOUT)
MODELS = {Arm.BASE: "plain", Arm.TUNED: "trained"}
COUNT = 24


def _campaign(concurrency: int = 1, repeats: int = 1, *, apart: bool = False, attempts: int = 2) -> Campaign:
    chosen = SUITE[:COUNT]
    order = tuple(loaded.scenario.id for loaded in reversed(chosen))
    return Campaign(
        scenarios=chosen,
        models=MODELS,
        concurrency=concurrency,
        repeats=repeats,
        attempts=attempts,
        apart=apart,
        stop_rule=StopRule(metric="success", alpha=0.05, order=order),
    )


Trial = Callable[[TrialPlan], TrialRecord]


def _rule(campaign: Campaign) -> StopRule:
    assert campaign.stop_rule is not None
    return campaign.stop_rule


def _order(campaign: Campaign) -> tuple[str, ...]:
    return _rule(campaign).order


def _run(
    campaign: Campaign,
    trial: Trial,
    path: Path,
    monkeypatch: pytest.MonkeyPatch,
    *,
    finished: Iterable[TrialRecord] = (),
    stop: threading.Event | None = None,
    on_record: Callable[[TrialRecord], None] = lambda _: None,
) -> tuple[TrialRecord, ...]:
    monkeypatch.setattr("harness.campaign.run_trial", lambda plan, *_: trial(plan))
    models = dict.fromkeys(Arm, cast("Model", None))
    engine, event = cast("Engine", None), stop or threading.Event()
    made = store.reopen(path) if path.exists() else store.create(path, manifest(*_order(campaign)))
    with closing(made) as run:
        run_campaign(campaign, engine, models, run, finished=finished, on_record=on_record, stop=event)
    return store.read_trials(path)


def _won(plan: TrialPlan) -> TrialRecord:
    key = plan.key
    return record(key.scenario, key.arm, success=key.arm is Arm.TUNED, repeat=key.repeat, attempt=plan.attempt)


def _scenarios(records: Iterable[TrialRecord]) -> list[str]:
    return list(dict.fromkeys(each.scenario for each in records))


def test_a_run_that_wins_stops_after_eight_scenarios_of_the_preset_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    campaign = _campaign()
    done = _run(campaign, _won, tmp_path / "run", monkeypatch)
    assert _scenarios(done) == list(_order(campaign)[:8])
    assert len(done) == 16
    assert unfinished(campaign, done) == ()
    assert '"event": "decided", "decision": "better", "scenarios": 8, "planned": 24' in _audit(tmp_path / "run")


def _audit(path: Path) -> str:
    return (path / store.AUDIT).read_text()


def test_without_a_rule_every_pair_is_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    campaign = Campaign(scenarios=SUITE[:COUNT], models=MODELS, concurrency=2)
    monkeypatch.setattr("harness.campaign.run_trial", lambda plan, *_: _won(plan))
    models = dict.fromkeys(Arm, cast("Model", None))
    with closing(store.create(tmp_path / "run", manifest())) as run:
        run_campaign(campaign, cast("Engine", None), models, run, on_record=lambda _: None, stop=threading.Event())
    assert len(store.read_trials(tmp_path / "run")) == 2 * COUNT


def test_a_scenario_that_is_late_holds_the_decision_up_and_no_later_one_is_used_before_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first scenario ends only after twenty later trials: until then there is nothing to decide by."""
    campaign = _campaign(concurrency=8)
    recorded, late = threading.Semaphore(0), _order(campaign)[0]

    def trial(plan: TrialPlan) -> TrialRecord:
        if plan.key.scenario == late and plan.arm is Arm.TUNED:
            for _ in range(20):
                assert recorded.acquire(timeout=60)
        return _won(plan)

    done = _run(campaign, trial, tmp_path / "run", monkeypatch, on_record=lambda _: recorded.release())
    assert [each.key for each in done].index(TrialKey(scenario=late, arm=Arm.TUNED, repeat=0)) >= 20
    watch = Watch(_rule(campaign), repeats=1, attempts=2)
    seen: dict[TrialKey, TrialRecord] = {}
    decisions = []
    for each in done:
        seen[each.key] = each
        decisions.append(watch.look(seen))
    assert decisions.index(Decided.BETTER) >= 20
    assert watch.told().after == 8


def test_what_runs_when_the_decision_falls_is_finished_and_recorded_and_nothing_else_begins(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The eighth scenario ends while the ninth is under way, and the ninth ends after the decision."""
    campaign = _campaign(concurrency=3)
    eighth, ninth = _order(campaign)[7:9]
    under_way, decided = threading.Semaphore(0), threading.Event()
    heard: list[TrialRecord] = []

    def trial(plan: TrialPlan) -> TrialRecord:
        if plan.key.scenario == eighth:
            assert under_way.acquire(timeout=60)
        elif plan.key.scenario == ninth:
            under_way.release()
            assert decided.wait(timeout=60)
        return _won(plan)

    def hear(each: TrialRecord) -> None:
        heard.append(each)
        if len(heard) == 16:
            decided.set()

    done = _run(campaign, trial, tmp_path / "run", monkeypatch, on_record=hear)
    assert set(_scenarios(done)) == set(_order(campaign)[:9])
    assert len(done) == 18
    assert unfinished(campaign, done) == ()


def test_resuming_goes_on_in_the_order_and_stops_at_the_same_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    campaign, path = _campaign(), tmp_path / "run"
    stop, calls = threading.Event(), iter(range(100))

    def interrupted(plan: TrialPlan) -> TrialRecord:
        if next(calls) == 5:
            stop.set()
        return _won(plan)

    before = _run(campaign, interrupted, path, monkeypatch, stop=stop)
    assert 0 < len(before) < 16
    assert unfinished(campaign, before)[0].key.scenario in _order(campaign)[:3]
    after = _run(campaign, _won, path, monkeypatch, finished=before)
    assert after[: len(before)] == before
    assert _scenarios(after) == list(_order(campaign)[:8])
    assert len({each.key for each in after}) == len(after) == 16
    assert _run(campaign, _won, path, monkeypatch, finished=after) == after


def test_an_invalid_pair_is_tried_again_before_its_scenario_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    campaign = _campaign()
    broken = _order(campaign)[2]

    def trial(plan: TrialPlan) -> TrialRecord:
        if plan.key.scenario == broken and plan.attempt == 1 and plan.arm is Arm.BASE:
            return record(broken, plan.arm, success=None)
        return _won(plan)

    done = _run(campaign, trial, tmp_path / "run", monkeypatch)
    assert {(each.arm, each.attempt) for each in done if each.scenario == broken} == {
        (Arm.BASE, 1),
        (Arm.TUNED, 1),
        (Arm.BASE, 2),
        (Arm.TUNED, 2),
    }
    assert unfinished(campaign, done) == ()
    assert set(_scenarios(done)) == set(_order(campaign)[:8])


def test_a_pair_that_stays_invalid_is_passed_over_and_costs_more_wins(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    campaign = _campaign()
    broken = _order(campaign)[0]

    def trial(plan: TrialPlan) -> TrialRecord:
        return (
            record(broken, plan.arm, success=None, attempt=plan.attempt) if plan.key.scenario == broken else _won(plan)
        )

    done = _run(campaign, trial, tmp_path / "run", monkeypatch)
    assert len(set(_scenarios(done))) == 12  # eleven wins outweigh one loss that the excluded pair may have been


def test_arms_that_take_turns_stop_early_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    campaign = _campaign(concurrency=2, apart=True)
    done = _run(campaign, _won, tmp_path / "run", monkeypatch)
    assert unfinished(campaign, done) == ()
    assert len(done) < 2 * COUNT
    first_tuned = [each.arm for each in done].index(Arm.TUNED)
    assert {each.arm for each in done[:first_tuned]} == {Arm.BASE}


def test_all_repeats_of_a_scenario_run_before_the_next_scenario_and_count_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    campaign = _campaign(repeats=3)
    plans = grid(campaign)
    assert [plan.key.scenario for plan in plans[:12]] == [_order(campaign)[0]] * 6 + [_order(campaign)[1]] * 6
    done = _run(campaign, _won, tmp_path / "run", monkeypatch)
    assert _scenarios(done) == list(_order(campaign)[:8])
    assert len(done) == 8 * 3 * 2


def test_a_run_without_hope_stops_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    campaign = _campaign()
    alike = [record(plan.key.scenario, plan.arm, success=True) for plan in grid(campaign)]
    by_key = {each.key: each for each in alike}
    done = _run(campaign, lambda plan: by_key[plan.key], tmp_path / "run", monkeypatch)
    assert len(done) == 2 * (COUNT - 7)  # with seven scenarios left, e can reach 16 at most


def test_a_pair_that_is_being_run_again_does_not_count_before_both_arms_are_through() -> None:
    rule = StopRule(metric="success", alpha=0.9, order=("a-1", "a-2"))
    watch = Watch(rule, repeats=1, attempts=2)
    latest: dict[TrialKey, TrialRecord] = {}
    for each, after in (
        (record("a-1", Arm.BASE, success=None), 0),
        (record("a-1", Arm.TUNED), 0),
        (record("a-1", Arm.BASE, success=False, attempt=2), 0),
        (record("a-1", Arm.TUNED, attempt=2), 1),
    ):
        latest[each.key] = each
        watch.look(latest)
        assert watch.told().after == after


def test_the_rule_of_promote_puts_critical_scenarios_first_and_depends_on_the_seed() -> None:
    rule = stop_rule(load_policy("promote"), SUITE, 3)
    critical = {loaded.scenario.id for loaded in SUITE if loaded.scenario.critical}
    assert critical
    assert set(rule.first) == set(rule.order[: len(rule.first)]) == critical
    assert set(rule.order) == {loaded.scenario.id for loaded in SUITE}
    assert (rule.metric, rule.alpha) == ("success", 0.05)
    assert stop_rule(load_policy("promote"), tuple(reversed(SUITE)), 3) == rule
    assert stop_rule(load_policy("promote"), SUITE, 4).order != rule.order


@pytest.mark.parametrize(
    ("policy", "why"), [("regression", "critical claim non inferiority on success"), ("smoke", "0 critical claims")]
)
def test_a_policy_whose_tests_need_a_fixed_size_is_refused(policy: str, why: str) -> None:
    with pytest.raises(BadInputError, match=rf"cannot follow the policy {policy}: .*{why}"):
        stop_rule(load_policy(policy), SUITE, 0)


def test_a_policy_with_two_claims_of_superiority_or_one_over_a_part_is_refused(tmp_path: Path) -> None:
    claim = '[[claims]]\nmetric = "{}"\nkind = "superiority"\nalpha = 0.05\n{}'
    head = 'schema_version = 1\nname = "own"\n'
    for body in (
        claim.format("success", "") + claim.format("task", ""),
        claim.format("success", 'subset = { archetype = "note" }\n'),
        claim.format("success", "minimum_effect = 0.1\n"),
    ):
        path = tmp_path / "own.toml"
        path.write_text(head + body)
        with pytest.raises(BadInputError, match="cannot follow the policy own"):
            stop_rule(load_policy(str(path)), SUITE, 0)


def test_supporting_claims_may_be_of_any_kind(tmp_path: Path) -> None:
    path = tmp_path / "own.toml"
    path.write_text(
        'schema_version = 1\nname = "own"\n[[claims]]\nmetric = "task"\nkind = "superiority"\nalpha = 0.01\n'
        '[[claims]]\nmetric = "success"\nkind = "non_inferiority"\nalpha = 0.05\nmargin = 0.1\ntier = "supporting"\n'
    )
    rule = stop_rule(load_policy(str(path)), SUITE, 0)
    assert (rule.metric, rule.alpha, rule.first) == ("task", 0.01, ())
