"""Records become pairs: the last attempt counts, and no pair vanishes."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from harness.values import Arm, Metrics
from reports import build_report, load_policy
from reports.pairing import pair_up
from reports.schema import ExclusionKind, PairResult
from tests.reports.records import LIVE, invalid, key_of, pair, record, run_of


def test_a_pair_is_won_lost_or_tied_from_the_tuned_arms_side() -> None:
    trials = run_of(both=1, tuned_only=1, base_only=1, neither=1)
    pairs, exclusions = pair_up(trials)
    assert [p.result for p in pairs] == [PairResult.TIE, PairResult.WIN, PairResult.LOSS, PairResult.TIE]
    assert exclusions == ()


def test_the_last_attempt_counts_wherever_it_stands() -> None:
    first, base = invalid(record("a", Arm.TUNED)), record("a", Arm.BASE, success=False)
    second = replace(record("a", Arm.TUNED), attempt=2)
    for order in ([base, first, second], [second, first, base], [first, base, second]):
        pairs, exclusions = pair_up(order)
        assert [p.result for p in pairs] == [PairResult.WIN]
        assert exclusions == ()


def test_a_later_invalid_attempt_voids_an_earlier_verdict() -> None:
    trials = pair("a", base=False, tuned=True)
    pairs, exclusions = pair_up([*trials, replace(invalid(trials[1]), attempt=2)])
    assert pairs[0].result is PairResult.INVALID
    assert exclusions[0].causes[0].kind is ExclusionKind.INVALID


def test_an_invalid_arm_excludes_the_pair_with_the_part_that_failed() -> None:
    trials = pair("a", base=False, tuned=True)
    trials[1] = invalid(trials[1], address="endpoint", message="503 from the server")
    (only,), (exclusion,) = pair_up(trials)
    assert only.result is PairResult.INVALID
    (cause,) = exclusion.causes
    assert (cause.arm, cause.kind, cause.failed_part) == ("tuned", ExclusionKind.INVALID, "endpoint")
    assert cause.reason == "503 from the server"


def test_both_arms_failing_gives_one_exclusion_with_two_causes() -> None:
    _, (exclusion,) = pair_up([invalid(trial) for trial in pair("a", base=False, tuned=True)])
    assert [cause.arm for cause in exclusion.causes] == ["base", "tuned"]


def test_a_missing_arm_excludes_the_pair() -> None:
    (only,), (exclusion,) = pair_up([record("a", Arm.TUNED)])
    assert only.result is PairResult.INVALID
    assert only.base is None
    assert [(cause.arm, cause.kind) for cause in exclusion.causes] == [("base", ExclusionKind.MISSING)]


def test_a_planned_pair_that_never_ran_is_listed_with_what_its_repeats_tell() -> None:
    pairs, exclusions = pair_up(pair("a", base=True, tuned=True, critical=True), planned=(("a", 0), ("a", 1), ("z", 0)))
    assert [(p.scenario, p.repeat) for p in pairs] == [("a", 0), ("a", 1), ("z", 0)]
    assert (pairs[1].critical, pairs[2].critical) == (True, None)
    assert [(e.scenario, e.repeat) for e in exclusions] == [("a", 1), ("z", 0)]


def test_arms_that_ran_different_versions_of_a_scenario_are_no_pair() -> None:
    trials = pair("a", base=False, tuned=True)
    trials[0] = replace(trials[0], scenario_digest="sha256:1")
    (only,), (exclusion,) = pair_up(trials)
    assert only.result is PairResult.INVALID
    assert exclusion.causes[0].kind is ExclusionKind.MISMATCH


def test_repeats_are_pairs_of_their_own() -> None:
    trials = [trial for repeat in range(3) for trial in pair("a", base=False, tuned=True, repeat=repeat)]
    pairs, _ = pair_up(trials)
    assert [p.repeat for p in pairs] == [0, 1, 2]


def test_an_invalid_trial_is_never_a_fail() -> None:
    trials = run_of(both=1, tuned_only=8)
    at = key_of(trials, "s-00000", Arm.TUNED)
    trials[at] = invalid(trials[at])
    report = build_report(trials, run=LIVE, policy=load_policy())
    success = report.metrics[0]
    assert success.name == "success"
    assert success.tuned is not None
    assert success.pairs.n == success.tuned.n == 8
    assert (report.arms.tuned.failed, report.arms.tuned.invalid) == (0, 1)


@settings(max_examples=30)
@given(st.permutations(run_of(both=1, tuned_only=3, base_only=1, neither=1)))
def test_the_report_does_not_see_the_order_of_the_records(trials: list[object]) -> None:
    original = run_of(both=1, tuned_only=3, base_only=1, neither=1)
    shuffled = [original[original.index(trial)] for trial in trials]  # type: ignore[arg-type]  # permutations keep the type
    policy = load_policy()
    assert build_report(shuffled, run=LIVE, policy=policy) == build_report(original, run=LIVE, policy=policy)


def test_a_metric_that_was_not_measured_is_null_with_a_reason() -> None:
    trials = [replace(trial, metrics=replace(trial.metrics, clean=None)) for trial in run_of(both=2, tuned_only=5)]
    clean = next(m for m in build_report(trials, run=LIVE, policy=load_policy()).metrics if m.name == "clean")
    assert (clean.base, clean.tuned, clean.difference, clean.test) == (None, None, None, None)
    assert clean.unmeasured_reason is not None


def test_a_metric_measured_in_one_arm_only_has_its_rate_but_no_comparison() -> None:
    trials = run_of(tuned_only=4)
    for i, trial in enumerate(trials):
        measured = True if trial.arm is Arm.TUNED else None
        trials[i] = replace(trial, metrics=replace(trial.metrics, informed_panic=measured))
    metrics = build_report(trials, run=LIVE, policy=load_policy()).metrics
    panic = next(m for m in metrics if m.name == "informed_panic")
    assert panic.base is None
    assert panic.tuned is not None
    assert (panic.tuned.count, panic.tuned.n) == (4, 4)
    assert panic.difference is None
    assert panic.unmeasured_reason == "no pair measured it in both arms"


def test_medians_of_what_was_not_measured_are_null() -> None:
    trials = [replace(t, completion_tokens=None, metrics=Metrics()) for t in run_of(both=3)]
    arm = build_report(trials, run=LIVE, policy=load_policy()).arms.base
    assert arm.median_completion_tokens is None
    assert arm.median_turns == 3
