"""A run that is not one clean run may promote nothing, and says what is wrong with it."""

from __future__ import annotations

import html
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from harness.store import ModelRef, RunManifest, RunStore, StopRule, create
from harness.values import Arm, Outcome, ParityLevel, TrialRecord
from reports import (
    Report,
    RunInfo,
    build_report,
    gate,
    load_policy,
    rebuild_report,
    render_comment,
    render_decision,
    render_junit,
    render_markdown,
    render_text,
    report_json,
)
from reports.sequential import preset_order
from tests.records import compared
from tests.reports.records import FIXTURE, LIVE, invalid, key_of, metrics_of, run_of
from tests.reports.test_cli import manifest

Trials = list[TrialRecord]


def clean() -> Trials:
    """A run that the default policy promotes."""
    return run_of(tuned_only=9, neither=7)


def stored(path: Path, trials: Trials, made: RunManifest) -> Report:
    """The report of a run directory with this manifest and these records."""
    store: RunStore = create(path, made)
    for trial in trials:
        store.append_trial(trial)
    store.close()
    return rebuild_report(path, load_policy())


def every(trials: Trials, arm: Arm, **changes: object) -> Trials:
    """The same run with all trials of one arm changed."""
    return [replace(t, **changes) if t.arm is arm else t for t in trials]  # type: ignore[arg-type]  # fields of TrialRecord


def one(trials: Trials, **changes: object) -> Trials:
    """The same run with its first tuned trial changed."""
    at = key_of(trials, "s-00000", Arm.TUNED)
    return [*trials[:at], replace(trials[at], **changes), *trials[at + 1 :]]  # type: ignore[arg-type]  # as above


def refused(report: Report, said: str) -> None:
    """The report promotes nothing though its claims are met, and every view says why."""
    policy = load_policy()
    assert report.promotion_recommendation == "await_paired_eval"
    assert not report.scoring.promotion_eligible
    assert any(said in sentence and sentence.startswith("not eligible: ") for sentence in report.rationale)
    assert gate(report, policy).exit_code == 10
    for view in (render_markdown, render_comment, render_junit, report_json):
        assert said in html.unescape(view(report)).replace('\\"', '"')
    assert said in render_text(report, width=1000)
    assert said in render_decision(gate(report, policy))


def test_the_clean_run_is_promoted(tmp_path: Path) -> None:
    trials = clean()
    report = stored(tmp_path / "run", trials, manifest({t.scenario for t in trials}))
    assert report.promotion_recommendation == "promote_to_stage"
    assert report.scoring.promotion_eligible


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda t: one(t, seed=8), "in 1 pair (the first: s-00000.0) the arms ran with different seeds"),
        (lambda t: every(t, Arm.TUNED, seed=8), "in 16 pairs"),
        (
            lambda t: every(t, Arm.TUNED, engine="docker"),
            "not every trial ran on the same sandbox engine: crun, docker",
        ),
        (lambda t: every(t, Arm.TUNED, model="model-base"), "both arms were served under the same model name"),
        (lambda t: one(t, model="other"), "one arm was served under more than one model name"),
        (lambda t: every(t, Arm.TUNED, parity=None), "compared by none, the policy asks for tokenize"),
        (lambda t: every(t, Arm.TUNED, parity=compared(3, level=ParityLevel.COUNT)), "the policy asks for tokenize"),
        (lambda t: one(t, parity=compared(3, differed=1, first="x")), "1 prompt differed from the render contract"),
    ],
)
def test_what_the_records_alone_show(change: Callable[[Trials], Trials], said: str) -> None:
    report = build_report(change(clean()), run=LIVE, policy=load_policy())
    assert report.promotion_recommendation == "await_paired_eval"
    assert gate(report, load_policy()).exit_code == 10
    assert any(said in sentence for sentence in report.rationale)
    assert not report.scoring.promotion_eligible


def test_scenarios_of_another_version_than_the_manifests(tmp_path: Path) -> None:
    trials = [replace(t, scenario_digest="sha256:9") if t.scenario == "s-00003" else t for t in clean()]
    report = stored(tmp_path / "run", trials, manifest({t.scenario for t in trials}))
    refused(report, "1 scenario (the first: s-00003) ran in more than one version, or another than the manifest names")


def test_repeats_of_a_scenario_in_two_versions() -> None:
    trials = clean()
    later = [replace(t, repeat=1, scenario_digest="sha256:9") for t in trials]
    refused(build_report([*trials, *later], run=LIVE, policy=load_policy()), "16 scenarios (the first: s-00000) ran in")


def test_pairs_that_nobody_planned(tmp_path: Path) -> None:
    trials = clean()
    report = stored(tmp_path / "run", trials, manifest({t.scenario for t in trials} - {"s-00000"}))
    refused(report, "1 pair (the first: s-00000.0) ran without being planned")


def test_a_model_that_the_manifest_does_not_name(tmp_path: Path) -> None:
    trials = every(clean(), Arm.TUNED, model="another")
    report = stored(tmp_path / "run", trials, manifest({t.scenario for t in trials}))
    refused(report, "the tuned arm ran under another model name than the manifest's")


def test_two_names_for_one_model(tmp_path: Path) -> None:
    trials = clean()
    made = manifest({t.scenario for t in trials})
    same = {arm: ModelRef(name=f"model-{arm}", digest="sha256:5") for arm in ("base", "tuned")}
    report = stored(tmp_path / "run", trials, made.model_copy(update=same))
    refused(report, "both arms are the same model by their digests")


def test_an_engine_that_the_manifest_does_not_name(tmp_path: Path) -> None:
    trials = [replace(t, engine="docker") for t in clean()]
    refused(stored(tmp_path / "run", trials, manifest({t.scenario for t in trials})), "crun, docker")


def test_a_blocker_of_the_manifest(tmp_path: Path) -> None:
    trials = clean()
    made = manifest({t.scenario for t in trials}).model_copy(update={"blockers": ("2 scenarios are not certified",)})
    refused(stored(tmp_path / "run", trials, made), "2 scenarios are not certified")


def test_an_early_stop_in_another_order_than_its_seed_gives(tmp_path: Path) -> None:
    trials = clean()
    names = {t.scenario for t in trials}
    drawn = preset_order(names, (), 0)
    for order, obstacles in ((drawn, 0), (tuple(reversed(drawn)), 1)):
        made = manifest(names).model_copy(update={"stop_rule": StopRule(metric="success", alpha=0.05, order=order)})
        report = stored(tmp_path / f"run-{obstacles}", trials, made)
        assert sum("order of its early stop" in sentence for sentence in report.rationale) == obstacles
        assert report.scoring.promotion_eligible == (obstacles == 0)


def test_a_verdict_that_was_drawn_again() -> None:
    trials = clean()
    at = key_of(trials, "s-00010", Arm.TUNED)
    better = replace(trials[at], attempt=2, outcome=Outcome.PASS, metrics=metrics_of(success=True))
    refused(
        build_report([*trials, better], run=LIVE, policy=load_policy()),
        "1 pair (the first: s-00010.0) ran again although no trial of it was INVALID",
    )


def test_a_pair_that_was_retried_since_one_arm_was_invalid_is_clean() -> None:
    trials = clean()
    at = key_of(trials, "s-00010", Arm.BASE)
    again = [replace(t, attempt=2) for t in trials if t.scenario == "s-00010"]
    first = [*trials[:at], invalid(trials[at]), *trials[at + 1 :]]
    report = build_report([*first, *again], run=LIVE, policy=load_policy())
    assert report.scoring.promotion_eligible
    assert report.promotion_recommendation == "promote_to_stage"


def test_two_records_of_one_attempt_that_differ() -> None:
    trials = clean()
    again = replace(trials[0], reason="another story", started_at="2026-01-02T04:00:00.000+00:00")
    said = "1 pair (the first: s-00000.0) has two records of one attempt that differ"
    for order in ([*trials, again], [again, *trials]):
        refused(build_report(order, run=LIVE, policy=load_policy()), said)
    assert build_report([*trials, trials[0]], run=LIVE, policy=load_policy()).scoring.promotion_eligible


@pytest.mark.parametrize("change", [{"critical": True}, {"archetype": "other"}, {"tags": (("task", "move"),)}])
def test_arms_whose_records_tell_different_things_of_a_scenario_are_no_pair(change: dict[str, object]) -> None:
    report = build_report(one(clean(), **change), run=LIVE, policy=load_policy())
    (exclusion,) = report.exclusions
    assert exclusion.causes[0].kind == "mismatch"
    assert report.pairwise.invalid == 1


@pytest.mark.parametrize("run", [LIVE, FIXTURE])
def test_eligibility_never_turns_a_failed_gate(run: RunInfo) -> None:
    report = build_report(one(run_of(both=8, neither=8), seed=9), run=run, policy=load_policy())
    assert gate(report, load_policy()).exit_code == 20
