"""The report of a run that could stop early: told again from its pairs, decided by what is valid at any time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.values import Arm, TrialRecord
from reports import (
    Policy,
    Report,
    RunInfo,
    ScenarioFacts,
    StopRule,
    build_report,
    gate,
    load_policy,
    read_report,
    render_text,
)
from reports.files import report_json
from reports.schema import PairResult
from tests.reports.records import LIVE, invalid, key_of, pair, run_of

ALPHA = 0.05


def stopping(names: Sequence[str], *, repeats: int = 1, first: int = 0) -> RunInfo:
    """A run with a stopping rule over these scenarios in this order."""
    order = tuple((name, repeat) for name in names for repeat in range(repeats))
    rule = StopRule(metric="success", alpha=ALPHA, order=order, first=first)
    facts = tuple(ScenarioFacts(id=name, critical=False) for name in names)
    return replace(LIVE, planned=order, stop_rule=rule, scenarios=facts)


def names_of(count: int) -> list[str]:
    return [f"s-{i:05d}" for i in range(count)]


def report_of(trials: Sequence[TrialRecord], run: RunInfo, policy: Policy | None = None) -> Report:
    return build_report(trials, run=run, policy=policy or load_policy())


def policy_of(*claims: dict[str, object]) -> Policy:
    return Policy.model_validate({"schema_version": 1, "name": "own", "claims": list(claims)})


SUPERIOR = {"metric": "success", "kind": "superiority", "alpha": ALPHA}


def test_eight_scenarios_won_in_a_row_decide_and_the_rest_is_not_needed() -> None:
    report = report_of(run_of(tuned_only=8), stopping(names_of(40)))
    assert report.stopped is not None
    assert (report.stopped.decision, report.stopped.looked_at, report.stopped.planned) == ("better", 8, 40)
    assert (report.stopped.wins, report.stopped.losses, report.stopped.pairs_not_run) == (8, 0, 32)
    assert report.stopped.p == pytest.approx(1 / 28.4, rel=0.01)  # the e-value of 8-0 under a uniform prior
    assert report.gate_result == "pass"
    assert report.findings[0].p == report.stopped.p
    assert report.exclusions == ()
    assert report.pairwise.invalid == 0
    assert sum(one.result is PairResult.STOPPED for one in report.pairs) == 32
    assert any("after 8 of 40 scenarios" in sentence for sentence in report.rationale)
    assert "40 pairs (8 valid, 32 not needed)" in render_text(report)


def test_exact_mcnemar_at_the_stop_would_have_promoted_six_and_does_not() -> None:
    report = report_of(run_of(tuned_only=6, both=34), stopping(names_of(40)))
    assert report.metrics[0].test is not None
    assert report.metrics[0].test.p <= ALPHA
    assert report.gate_result == "fail"
    assert report.findings[0].p is not None
    assert report.findings[0].p > ALPHA


def test_a_run_that_was_interrupted_before_a_decision_is_inconclusive() -> None:
    report = report_of(run_of(tuned_only=5), stopping(names_of(40)))
    assert report.stopped is not None
    assert (report.stopped.decision, report.stopped.pairs_not_run) == (None, 0)
    assert report.gate_result == "inconclusive"
    assert "the run is not finished" in report.findings[0].sentence
    assert {e.causes[0].kind for e in report.exclusions} == {"missing"}


def test_a_hopeless_run_stops_and_fails() -> None:
    report = report_of(run_of(base_only=4, neither=10), stopping(names_of(20)))
    assert report.stopped is not None
    assert report.stopped.decision == "hopeless"
    assert report.gate_result == "fail"
    assert report.exclusions == ()


def test_a_pair_that_finished_after_a_gap_is_not_looked_at() -> None:
    trials = run_of(tuned_only=9)
    gap = [t for t in trials if t.scenario != "s-00003"]
    report = report_of(gap, stopping(names_of(40)))
    assert report.stopped is not None
    assert (report.stopped.looked_at, report.stopped.wins, report.stopped.decision) == (3, 3, None)


def test_the_order_is_the_rules_not_that_of_the_names() -> None:
    trials = run_of(tuned_only=8, base_only=8)
    assert report_of(trials, stopping(names_of(16))).gate_result == "pass"
    assert report_of(trials, stopping(names_of(16)[::-1])).gate_result == "fail"


def test_invalid_pairs_on_the_way_count_against_and_for_before_anything_is_promoted() -> None:
    trials = run_of(tuned_only=8, both=2)
    at = key_of(trials, "s-00002", Arm.TUNED)
    trials[at] = invalid(trials[at])
    assert report_of(trials, stopping(names_of(10))).gate_result == "inconclusive"


def test_tests_for_a_fixed_number_of_pairs_are_not_applied() -> None:
    claims = (
        {"metric": "success", "kind": "non_inferiority", "alpha": ALPHA, "margin": 0.1},
        {"metric": "success", "kind": "minimum_rate", "alpha": ALPHA, "threshold": 0.5},
        {"metric": "success", "kind": "superiority", "alpha": ALPHA, "minimum_effect": 0.1},
        {"metric": "turns", "kind": "maximum_cost", "alpha": ALPHA, "threshold": 5},
        {"metric": "turns", "kind": "maximum_cost", "alpha": ALPHA, "ratio": 1},
    )
    policy = policy_of(SUPERIOR, *({**claim, "tier": "supporting"} for claim in claims))
    report = report_of(run_of(tuned_only=60), stopping(names_of(60)), policy)
    assert report.findings[0].status == "met"
    assert {row.status for row in report.findings[1:]} == {"undecidable"}
    assert all("fixed beforehand" in row.sentence for row in report.findings[1:])
    plain = report_of(run_of(tuned_only=60), LIVE, policy)
    assert {row.status for row in plain.findings} == {"met"}


def test_claims_without_a_test_are_decided_as_ever() -> None:
    policy = policy_of(
        SUPERIOR,
        {"metric": "success", "kind": "minimum_rate", "threshold": 0.9},
        {"metric": "turns", "kind": "maximum_cost", "threshold": 5},
    )
    assert report_of(run_of(tuned_only=8), stopping(names_of(40)), policy).gate_result == "pass"


def test_critical_scenarios_that_were_not_run_leave_no_loss_unproven() -> None:
    run = stopping(names_of(40))
    for critical, unseen in (({"s-00000"}, 0), ({"s-00000", "s-00039"}, 1)):
        trials = [replace(t, critical=t.scenario in critical) for t in run_of(tuned_only=8)]
        facts = tuple(ScenarioFacts(id=name, critical=name in critical) for name in names_of(40))
        report = report_of(trials, replace(run, scenarios=facts))
        assert report.gate_result == ("inconclusive" if unseen else "pass")
        assert ("the run stopped before 1 such pair had run" in report.findings[1].sentence) == bool(unseen)
    unknown = report_of(run_of(tuned_only=8), replace(run, scenarios=()))
    assert unknown.findings[1].status == "undecidable"  # any of those not run might be critical


def test_repeats_of_a_scenario_are_one_step() -> None:
    trials = [t for i in range(8) for r in range(3) for t in pair(f"s-{i:05d}", base=False, tuned=True, repeat=r)]
    report = report_of(trials, stopping(names_of(20), repeats=3))
    assert report.stopped is not None
    assert (report.stopped.looked_at, report.stopped.wins, report.stopped.pairs_not_run) == (8, 8, 36)
    unfinished = report_of(trials[:-2], stopping(names_of(20), repeats=3))
    assert unfinished.stopped is not None
    assert unfinished.stopped.looked_at == 7


def test_too_few_scenarios_for_any_such_decision_are_undecidable() -> None:
    report = report_of(run_of(tuned_only=7), stopping(names_of(7)))
    assert report.findings[0].status == "undecidable"
    assert "at least 8 are needed" in report.findings[0].sentence


def test_the_gate_reads_the_same_from_the_file(tmp_path: object) -> None:
    report = report_of(run_of(tuned_only=8), stopping(names_of(40)))
    path = tmp_path / "report.json"  # type: ignore[operator]  # pytest gives a Path
    path.write_text(report_json(report))
    again = read_report(path)
    assert again == report
    assert gate(again, load_policy()).rationale == report.rationale
    blind = again.model_copy(update={"stopped": None})  # what it says of its stop is not what decides
    assert gate(blind, load_policy()).findings == gate(report, load_policy()).findings


@settings(max_examples=30, deadline=None)
@given(st.lists(st.sampled_from(["both", "tuned_only", "base_only", "neither"]), min_size=1, max_size=30))
def test_a_promotion_never_rests_on_more_than_the_e_process(cells: list[str]) -> None:
    kinds = {"both": (True, True), "tuned_only": (False, True), "base_only": (True, False), "neither": (False, False)}
    names = names_of(len(cells))
    trials = [
        t
        for name, cell in zip(names, cells, strict=True)
        for t in pair(name, base=kinds[cell][0], tuned=kinds[cell][1])
    ]
    report = report_of(trials, stopping(names))
    assert report.stopped is not None
    assert (report.gate_result == "pass") <= (report.stopped.p <= ALPHA)
    assert report.stopped.p >= 1 / 2 ** len(cells)
