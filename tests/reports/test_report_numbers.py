"""The report's further numbers: axes, odds, clusters, costs, repeats, calibration, several tests at once."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.errors import BadInputError
from harness.values import Arm, Metrics, TrialRecord
from reports import (
    CALIBRATION,
    CalibrationFile,
    CalibrationRow,
    Report,
    build_report,
    calibration_row,
    load_policy,
    read_calibration,
    rebuild_report,
    render_text,
    report_json,
)
from reports.columns import OTHER
from reports.metrics import AXIS_VALUES
from reports.schema import ArmRepeats, Measure, Metric
from reports.statistics.multiplicity import benjamini_hochberg
from tests.reports.records import LIVE, invalid, key_of, pair, record, run_of
from tests.reports.test_cli import a_run


def report_of(trials: Sequence[TrialRecord]) -> Report:
    return build_report(trials, run=LIVE, policy=load_policy())


def metric(report: Report, name: str = "success") -> Metric:
    return next(m for m in report.metrics if m.name == name)


def measure(report: Report, name: str) -> Measure:
    return next(m for m in report.measures if m.name == name)


def tagged(trials: Sequence[TrialRecord], **values: int) -> list[TrialRecord]:
    """The trials with tags: of each axis as many values as are given, dealt out by the scenario's number."""
    return [
        replace(t, tags=tuple((axis, f"v{int(t.scenario[2:]) % count}") for axis, count in sorted(values.items())))
        for t in trials
    ]


class TestAxes:
    def test_the_rows_of_an_axis_sum_to_the_metric(self) -> None:
        report = report_of(tagged(run_of(both=4, tuned_only=9, base_only=2, neither=5), announcement=3, difficulty=5))
        for one in report.metrics:
            for axis, values in (("announcement", 3), ("difficulty", 5)):
                rows = [row for row in one.by_axis if row.axis == axis]
                assert [row.value for row in rows] == [f"v{i}" for i in range(values)]
                for cell in ("n", "both", "tuned_only", "base_only", "neither"):
                    assert sum(getattr(row.pairs, cell) for row in rows) == getattr(one.pairs, cell)

    def test_a_row_has_the_rates_and_intervals_that_its_scenarios_alone_would_have(self) -> None:
        trials = tagged(run_of(both=4, tuned_only=9, base_only=2, neither=5), difficulty=2)
        row = next(row for row in metric(report_of(trials)).by_axis if row.value == "v1")
        alone = metric(report_of([t for t in trials if dict(t.tags)["difficulty"] == "v1"]))
        assert (row.base, row.tuned, row.pairs) == (alone.base, alone.tuned, alone.pairs)

    def test_an_axis_with_very_many_values_pools_the_rarest(self) -> None:
        trials = tagged(run_of(both=100), task=60)
        rows = metric(report_of(trials)).by_axis
        assert len(rows) == AXIS_VALUES
        assert rows[-1].value == OTHER
        assert sum(row.pairs.n for row in rows) == 100

    def test_scenarios_without_the_tag_are_a_row_of_their_own(self) -> None:
        trials = [replace(t, tags=(("task", "copy"),) if t.scenario < "s-00002" else ()) for t in run_of(both=5)]
        assert [(row.value, row.pairs.n) for row in metric(report_of(trials)).by_axis] == [("", 3), ("copy", 2)]

    def test_a_group_that_has_repeats_is_shrunk_like_the_whole(self) -> None:
        trials = [t for r in range(3) for t in pair("a", base=False, tuned=True, repeat=r)]
        trials += pair("b", base=True, tuned=True)
        report = report_of([replace(t, archetype=t.scenario) for t in trials])
        rows = {row.archetype: row for row in metric(report).by_archetype}
        assert rows["a"].tuned is not None
        assert rows["b"].tuned is not None
        assert (rows["a"].tuned.count, rows["a"].tuned.n) == (3, 3)
        assert rows["a"].tuned.wilson == rows["b"].tuned.wilson  # three repeats of one scenario are one


class TestOdds:
    def test_wins_and_losses_are_counted_by_what_is_good(self) -> None:
        trials = [
            replace(t, metrics=replace(t.metrics, false_panic=t.arm is Arm.BASE)) for t in run_of(both=9, neither=3)
        ]
        odds = metric(report_of(trials), "false_panic").win_odds
        assert odds is not None
        assert (odds.wins, odds.losses, odds.odds) == (12, 0, None)
        assert odds.probability_better == pytest.approx(1 - 0.5**13)

    def test_nine_to_none_has_the_posterior_that_the_statistics_page_shows(self) -> None:
        odds = metric(report_of(run_of(tuned_only=9, neither=7))).win_odds
        assert odds is not None
        assert (round(odds.median, 4), [round(limit, 3) for limit in odds.interval]) == (13.9327, [2.242, 394.479])

    def test_there_are_none_for_repeats_or_for_what_was_not_measured(self) -> None:
        repeats = [t for r in range(3) for t in pair("a", base=False, tuned=True, repeat=r)]
        assert metric(report_of(repeats)).win_odds is None
        assert metric(report_of(run_of(both=3)), "informed_panic").win_odds is None


class TestSeveralTests:
    def test_every_tested_metric_has_its_p_after_benjamini_hochberg(self) -> None:
        trials = [
            replace(t, metrics=replace(t.metrics, task=t.scenario < "s-00012" or t.arm is Arm.TUNED))
            for t in run_of(tuned_only=9, base_only=1, neither=6)
        ]
        tests = [m.test for m in report_of(trials).metrics if m.test]
        assert [test.p_bh for test in tests] == list(benjamini_hochberg([test.p for test in tests]))
        assert all(test.p_bh is not None and test.p_bh >= test.p for test in tests)


class TestClusters:
    def test_archetypes_are_units_where_there_are_several(self) -> None:
        trials = [
            replace(t, archetype=f"kind-{int(t.scenario[2:]) % 8}") for t in run_of(tuned_only=20, both=4, neither=8)
        ]
        (row,) = metric(report_of(trials)).clustered
        assert (row.by, row.clusters, row.pairs, row.conclusion) == ("archetype", 8, 32, "different")
        assert row.difference == pytest.approx(20 / 32)
        assert row.cluster_robust is not None
        assert row.cluster_robust[0] <= row.difference <= row.cluster_robust[1]

    def test_below_six_archetypes_it_is_inconclusive_and_says_why(self) -> None:
        trials = [replace(t, archetype=f"kind-{int(t.scenario[2:]) % 5}") for t in run_of(tuned_only=30)]
        (row,) = metric(report_of(trials)).clustered
        assert row.conclusion == "inconclusive"
        assert " ".join(row.reason.split()) in " ".join(render_text(report_of(trials), width=400).split())

    def test_repeats_make_scenarios_units_and_their_sign_flip_is_the_gates(self) -> None:
        trials = [t for i in range(7) for r in range(3) for t in pair(f"a-{i}", base=False, tuned=i < 6, repeat=r)]
        found = metric(report_of(trials))
        (row,) = found.clustered
        assert (row.by, row.clusters, row.pairs) == ("scenario", 7, 21)
        assert found.test is not None
        assert row.signflip_p == found.test.p == pytest.approx(2 / 2**6)

    def test_one_archetype_and_no_repeats_leave_nothing_to_cluster(self) -> None:
        assert metric(report_of(run_of(tuned_only=9))).clustered == ()


class TestCosts:
    def test_turns_are_compared_by_shift_and_sign_flip(self) -> None:
        turns = measure(report_of(run_of(tuned_only=10)), "turns")
        assert (turns.n, turns.units, turns.base_median, turns.tuned_median, turns.shift) == (10, 10, 12, 3, -9)
        assert turns.p == pytest.approx(2 / 2**10)
        assert turns.interval == (-9, -9)

    def test_what_no_pair_measured_in_both_arms_is_null_with_a_reason(self) -> None:
        trials = [replace(t, completion_tokens=None) if t.arm is Arm.BASE else t for t in run_of(both=4)]
        tokens = measure(report_of(trials), "completion_tokens")
        assert (tokens.n, tokens.base_median, tokens.tuned_median, tokens.shift, tokens.p) == (
            0,
            None,
            None,
            None,
            None,
        )
        assert tokens.unmeasured_reason == "no valid pair measured it in both arms"
        assert measure(report_of([]), "turns").unmeasured_reason == "there is no valid pair"

    def test_repeats_are_averaged_before_they_are_compared(self) -> None:
        trials = [
            replace(t, turns=10 * (r + 1) if t.arm is Arm.BASE else 4)
            for i in range(5)
            for r in range(3)
            for t in pair(f"a-{i}", base=True, tuned=True, repeat=r)
        ]
        turns = measure(report_of(trials), "turns")
        assert (turns.n, turns.units, turns.base_median, turns.shift) == (15, 5, 20, -16)
        assert turns.p == pytest.approx(2 / 2**5)

    def test_costs_without_bounds_are_compared_like_any_other(self) -> None:
        trials = [
            replace(t, prompt_tokens=10**12 if t.arm is Arm.BASE else int(t.scenario[2:])) for t in run_of(both=3)
        ]
        tokens = measure(report_of(trials), "prompt_tokens")
        assert tokens.shift == pytest.approx(1 - 10**12)
        assert tokens.p == pytest.approx(2 / 2**3)

    def test_an_excluded_pair_costs_nothing(self) -> None:
        trials = run_of(tuned_only=5)
        at = key_of(trials, "s-00000", Arm.BASE)
        trials[at] = replace(invalid(trials[at]), turns=999)
        assert measure(report_of(trials), "turns").n == 4


class TestRepeats:
    def test_without_repeats_there_is_no_such_section(self) -> None:
        assert report_of(run_of(both=4)).repeats is None

    def test_pass_at_k_and_pass_hat_k_are_the_published_ones(self) -> None:
        trials = [
            t
            for i, passes in enumerate((0, 1, 2, 3))
            for r in range(3)
            for t in pair(f"a-{i}", base=r < passes, tuned=True, repeat=r)
        ]
        section = report_of(trials).repeats
        assert section is not None
        assert (section.scenarios, section.least, section.most) == (4, 3, 3)
        assert section.base is not None
        at = {row.k: (row.pass_at, row.pass_hat) for row in section.base.pass_k}
        # by hand: 1 - C(3-c, k)/C(3, k) and C(c, k)/C(3, k), averaged over c = 0, 1, 2, 3
        assert at[1] == pytest.approx((1 / 2, 1 / 2))
        assert at[2] == pytest.approx(((0 + 2 / 3 + 1 + 1) / 4, (0 + 0 + 1 / 3 + 1) / 4))
        assert at[3] == pytest.approx((3 / 4, 1 / 4))
        assert section.tuned is not None
        assert all((row.pass_at, row.pass_hat) == (1, 1) for row in section.tuned.pass_k)

    def test_variance_lies_between_scenarios_that_differ_and_within_ones_that_waver(self) -> None:
        steady = [t for i in range(8) for r in range(4) for t in pair(f"a-{i}", base=i % 2 == 0, tuned=True, repeat=r)]
        waver = [t for i in range(8) for r in range(4) for t in pair(f"a-{i}", base=r % 2 == 0, tuned=True, repeat=r)]
        between, within = (_base(report_of(trials)) for trials in (steady, waver))
        assert between.within == 0
        assert between.icc == 1
        assert within.between == 0
        assert within.icc == 0

    def test_a_scenario_that_lost_a_repeat_counts_for_the_ks_it_still_has(self) -> None:
        trials = [t for i in range(4) for r in range(3) for t in pair(f"a-{i}", base=True, tuned=True, repeat=r)]
        trials[0] = invalid(trials[0])
        section = report_of(trials).repeats
        assert section is not None
        assert (section.least, section.most) == (2, 3)
        assert [row.scenarios for row in _base(report_of(trials)).pass_k] == [4, 4, 3]

    def test_a_report_with_repeats_states_the_smallest_effect_it_could_have_seen(self) -> None:
        repeats = [t for i in range(16) for r in range(5) for t in pair(f"a-{i}", base=False, tuned=i < 9, repeat=r)]
        alone, clustered = report_of(run_of(tuned_only=9, neither=7)), report_of(repeats)
        smallest = [m.test.smallest_detectable for r in (alone, clustered) for m in [metric(r)] if m.test]
        assert smallest[0] == smallest[1]  # as if the repeats added nothing
        assert "With 16 scenarios, whose repeats may add nothing," in " ".join(render_text(clustered).split())

    def test_a_run_that_could_have_seen_nothing_says_so(self) -> None:
        text = " ".join(render_text(report_of(run_of(tuned_only=4))).split())
        assert "With 4 pairs and losses as often as here, the test finds no difference in success" in text


def _base(report: Report) -> ArmRepeats:
    assert report.repeats is not None
    assert report.repeats.base is not None
    return report.repeats.base


class TestCalibration:
    ROWS = (
        calibration_row("always_exit", [record("a", Arm.TUNED, success=False), record("b", Arm.TUNED, success=False)]),
        calibration_row("reference", [record("a", Arm.TUNED), record("b", Arm.TUNED)], note="took a while"),
    )

    def test_a_row_has_every_rate_that_was_measured_over_the_valid_trials(self) -> None:
        row = calibration_row(
            "prose", [record("a", Arm.TUNED), record("b", Arm.TUNED, success=False), invalid(record("c", Arm.TUNED))]
        )
        assert (row.trials, row.invalid) == (3, 1)
        assert (row.rates["success"].count, row.rates["success"].n) == (1, 2)
        assert (row.rates["any_command"].count, row.rates["any_command"].n) == (2, 2)
        assert "informed_panic" not in row.rates

    def test_is_read_from_the_run_directory_into_report_and_text(self, tmp_path: Path) -> None:
        run = a_run(tmp_path / "run", run_of(tuned_only=9, neither=7))
        assert "Calibration: not run" in " ".join(render_text(rebuild_report(run)).split())
        (run / CALIBRATION).write_text(CalibrationFile(suite="sha256:1", rows=self.ROWS).model_dump_json(indent=2))
        report = rebuild_report(run)
        assert report.calibration == self.ROWS
        text = render_text(report)
        assert "Calibration: not run" not in text
        (line,) = [line for line in text.splitlines() if line.startswith("always exit")]
        assert line.split()[:4] == ["always", "exit", "2", "0/2"]

    def test_a_suite_that_idlers_pass_or_the_reference_fails_is_noted(self, tmp_path: Path) -> None:
        run = a_run(tmp_path / "run", run_of(tuned_only=9, neither=7))
        rows = (
            calibration_row("always_panic", [record("a", Arm.TUNED), record("b", Arm.TUNED, success=False)]),
            calibration_row("reference", [record("a", Arm.TUNED), record("b", Arm.TUNED, success=False)]),
            calibration_row("prose", [invalid(record("a", Arm.TUNED))]),
        )
        made = CalibrationFile(suite="sha256:1", rows=rows, problems=("always_exit: no engine\x1b[31m",))
        (run / CALIBRATION).write_text(made.model_dump_json())
        notes = rebuild_report(run).scoring.notes
        assert "calibration: always_panic succeeds in 1 of 2 scenarios: they ask for too little" in notes
        assert "calibration: the reference replies fail 1 scenario of 2" in notes
        assert "calibration: 1 INVALID trial of prose" in notes
        assert "calibration: always_exit: no engine\\u{1b}[31m" in notes

    @pytest.mark.parametrize("content", [b"", b"[]", b'{"suite": 1}', b"\xff", b"[" * 100_000])
    def test_a_damaged_file_is_bad_input_that_names_it(self, content: bytes, tmp_path: Path) -> None:
        (tmp_path / CALIBRATION).write_bytes(content)
        with pytest.raises(BadInputError, match=CALIBRATION):
            read_calibration(tmp_path)

    def test_a_damaged_file_is_left_out_of_the_report_and_noted(self, tmp_path: Path) -> None:
        run = a_run(tmp_path / "run", run_of(tuned_only=9, neither=7))
        (run / CALIBRATION).write_text("{}")
        report = rebuild_report(run)
        assert report.calibration == ()
        assert any(note.startswith("calibration is left out: calibration.json: ") for note in report.scoring.notes)
        assert report.promotion_recommendation == "promote_to_stage"

    def test_no_file_is_no_calibration(self, tmp_path: Path) -> None:
        assert read_calibration(tmp_path) is None

    def test_a_hostile_player_reaches_no_terminal(self) -> None:
        row = CalibrationRow(player="\x1b[2J", trials=1, invalid=0, rates={})
        report = build_report(run_of(both=2), run=replace(LIVE, calibration=(row,)), policy=load_policy())
        assert "\x1b" not in render_text(report)


@settings(max_examples=15, deadline=None)
@given(st.randoms(use_true_random=False), st.integers(1, 3), st.integers(2, 20))
def test_no_number_of_a_report_depends_on_the_order_of_its_records(
    random: object, repeats: int, scenarios: int
) -> None:
    shuffle, draw = random.shuffle, random.random  # type: ignore[attr-defined]  # hypothesis gives a random.Random
    trials = [
        replace(t, archetype=f"k{i % 3}", tags=(("task", f"t{i % 4}"),), seconds=draw(), turns=int(9 * draw()))
        for i in range(scenarios)
        for r in range(repeats)
        for t in pair(f"a-{i}", base=draw() < 0.4, tuned=draw() < 0.7, repeat=r)
    ]
    trials = [invalid(t) if draw() < 0.05 else t for t in trials]
    once = report_json(report_of(trials))
    shuffle(trials)
    assert report_json(report_of(trials)) == once


def test_a_trial_of_which_nothing_was_measured_breaks_nothing() -> None:
    trials = [replace(t, metrics=Metrics(), completion_tokens=None, prompt_tokens=None) for t in run_of(both=3)]
    report = report_of(trials)
    assert metric(report, "task").unmeasured_reason is not None
    assert json.loads(report_json(report))["measures"][0]["name"] == "turns"
