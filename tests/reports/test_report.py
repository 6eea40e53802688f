"""The report of a run: its fields, its numbers, and its schema."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from harness.errors import BadInputError
from harness.values import Arm
from reports import Report, build_report, load_policy, read_report, report_json, write_reports
from reports.schema import Metric, PairedTestName
from tests.reports.records import FIXTURE, LIVE, invalid, key_of, pair, run_of

TOP_LEVEL = [
    "schema_version",
    "run",
    "arms",
    "scoring",
    "parity",
    "metrics",
    "pairs",
    "exclusions",
    "critical_pass_rate",
    "pairwise",
    "aggregate_score",
    "gate_result",
    "promotion_recommendation",
    "rationale",
    "policy",
    "findings",
    "measures",
    "repeats",
    "calibration",
    "stopped",
]


def metric(report: Report, name: str) -> Metric:
    return next(m for m in report.metrics if m.name == name)


def test_the_top_level_is_the_contracts() -> None:
    text = report_json(build_report(run_of(both=1, tuned_only=2), run=LIVE, policy=load_policy()))
    assert list(json.loads(text)) == TOP_LEVEL


def test_nine_of_sixteen_against_none_has_the_published_numbers() -> None:
    report = build_report(run_of(tuned_only=9, neither=7), run=LIVE, policy=load_policy())
    terminal = metric(report, "right_terminal")
    assert terminal.base is not None
    assert terminal.tuned is not None
    assert (terminal.base.count, terminal.base.n, terminal.tuned.count, terminal.tuned.n) == (0, 16, 9, 16)
    assert (terminal.pairs.both, terminal.pairs.tuned_only, terminal.pairs.base_only, terminal.pairs.neither) == (
        0,
        9,
        0,
        7,
    )
    assert terminal.test is not None
    assert terminal.test.name is PairedTestName.MCNEMAR_EXACT
    assert terminal.test.mcnemar_exact_p == terminal.test.p == pytest.approx(0.00390625)
    assert terminal.test.mcnemar_midp == pytest.approx(0.001953125)
    assert terminal.difference is not None
    assert terminal.difference.estimate == 0.5625
    assert [round(limit, 3) for limit in terminal.difference.tango] == [0.260, 0.769]
    assert report.aggregate_score == 0.5625
    assert report.pairwise.model_dump() == {"wins": 9, "losses": 0, "ties": 7, "invalid": 0}


def test_archetypes_add_up_to_the_whole() -> None:
    trials = run_of(both=2, tuned_only=5, base_only=1, neither=4)
    trials = [replace(t, archetype=f"kind-{int(t.scenario[2:]) % 3}") for t in trials]
    success = metric(build_report(trials, run=LIVE, policy=load_policy()), "success")
    assert [row.archetype for row in success.by_archetype] == ["kind-0", "kind-1", "kind-2"]
    assert sum(row.pairs.n for row in success.by_archetype) == success.pairs.n == 12
    assert sum(row.pairs.tuned_only for row in success.by_archetype) == success.pairs.tuned_only == 5


def test_critical_pass_rate_is_of_the_tuned_arm_and_null_without_critical_scenarios() -> None:
    ordinary = pair("c", base=True, tuned=True)
    held = pair("a", base=True, tuned=True, critical=True)
    lost = pair("b", base=True, tuned=False, critical=True)
    assert build_report([*held, *lost, *ordinary], run=LIVE, policy=load_policy()).critical_pass_rate == 0.5
    assert build_report(ordinary, run=LIVE, policy=load_policy()).critical_pass_rate is None


def test_pairs_of_every_result_sum_to_the_pairs_and_exclusions_to_the_invalid() -> None:
    trials = run_of(both=2, tuned_only=3, base_only=1, neither=2)
    for scenario in ("s-00000", "s-00003"):
        at = key_of(trials, scenario, Arm.BASE)
        trials[at] = invalid(trials[at])
    report = build_report(trials, run=LIVE, policy=load_policy())
    assert sum(report.pairwise.model_dump().values()) == len(report.pairs) == 8
    assert len(report.exclusions) == report.pairwise.invalid == 2


def test_no_record_at_all_is_a_report_of_nulls_that_decides_nothing() -> None:
    report = build_report([], run=LIVE, policy=load_policy())
    assert report.aggregate_score is None
    assert all(m.base is None and m.unmeasured_reason for m in report.metrics)
    assert (report.gate_result, report.promotion_recommendation) == ("inconclusive", "await_paired_eval")


def test_repeats_are_tested_by_scenario_and_widen_the_intervals() -> None:
    repeats = [t for i in range(6) for r in range(4) for t in pair(f"a-{i}", base=False, tuned=i < 5, repeat=r)]
    alone = run_of(tuned_only=20, neither=4)
    clustered = metric(build_report(repeats, run=LIVE, policy=load_policy()), "success")
    independent = metric(build_report(alone, run=LIVE, policy=load_policy()), "success")
    assert clustered.test is not None
    assert independent.test is not None
    assert (clustered.test.name, clustered.test.clusters) == (PairedTestName.SIGN_FLIP, 6)
    assert clustered.test.mcnemar_exact_p is None
    assert clustered.test.p == pytest.approx(2 / 2**5)
    assert clustered.difference is not None
    assert independent.difference is not None
    assert clustered.difference.estimate == independent.difference.estimate
    assert clustered.difference.tango[0] < independent.difference.tango[0]


def test_the_interval_of_repeats_that_differ_agrees_with_their_test() -> None:
    repeats = [
        trial
        for i in range(20)
        for r in range(12)
        for trial in pair(f"a-{i}", base=r % 6 == 0, tuned=(r + i) % 2 == 0, repeat=r)
    ]
    success = metric(build_report(repeats, run=LIVE, policy=load_policy()), "success")
    assert success.test is not None
    assert success.difference is not None
    assert success.test.p < 0.001
    assert success.difference.tango[0] > 0
    assert success.difference.newcombe[0] > 0


def test_repeats_and_scripts_are_noted() -> None:
    repeats = [t for r in range(2) for t in pair("a", base=False, tuned=True, repeat=r)]
    scoring = build_report(repeats, run=FIXTURE, policy=load_policy()).scoring
    assert any("repeats" in note for note in scoring.notes)
    assert (scoring.mode, scoring.quality_signal, scoring.promotion_eligible) == ("fixture", False, False)


def test_one_model_in_both_arms_may_promote_nothing() -> None:
    trials = [replace(t, model="same") for t in run_of(tuned_only=9)]
    report = build_report(trials, run=LIVE, policy=load_policy())
    assert not report.scoring.promotion_eligible
    assert report.promotion_recommendation == "await_paired_eval"


def test_a_report_survives_the_disk(tmp_path: Path) -> None:
    report = build_report(run_of(both=1, tuned_only=7, neither=2), run=LIVE, policy=load_policy())
    path = write_reports(tmp_path, report)
    assert read_report(path) == report
    assert sorted(p.name for p in tmp_path.iterdir()) == [
        "junit.xml",
        "paired_eval_report.json",
        "report.html",
        "report.md",
    ]


@pytest.mark.parametrize(
    ("damage", "named"),
    [
        (lambda d: d.pop("pairs"), "pairs"),
        (lambda d: d.update(surprise=1), "surprise"),
        (lambda d: d.update(schema_version=99), "schema_version"),
        (lambda d: d["metrics"][0]["pairs"].update(n=-1), "metrics[0].pairs.n"),
    ],
)
def test_a_damaged_report_is_refused_by_the_key_that_is_wrong(damage: object, named: str, tmp_path: Path) -> None:
    content = json.loads(report_json(build_report(run_of(both=1), run=LIVE, policy=load_policy())))
    assert callable(damage)
    damage(content)
    path = tmp_path / "report.json"
    path.write_text(json.dumps(content))
    with pytest.raises(BadInputError) as caught:
        read_report(path)
    assert f": {named}: " in caught.value.message


@pytest.mark.parametrize("content", [b"", b"not json", b"\xff\xfe", b"[1, 2]", b"[" * 100_000])
def test_a_file_that_is_no_report_is_bad_input(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "x.json"
    path.write_bytes(content)
    with pytest.raises(BadInputError):
        read_report(path)


def test_ten_thousand_pairs_keep_exact_counts() -> None:
    report = build_report(
        run_of(both=3000, tuned_only=3000, base_only=1000, neither=3000), run=LIVE, policy=load_policy()
    )
    assert metric(report, "success").pairs.tuned_only == 3000
    assert len(report.pairs) == 10_000
