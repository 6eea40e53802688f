"""Two runs compared: what refuses, what qualifies, and that no row is ever dropped in silence."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.cli.main import cli
from harness.errors import BadInputError
from harness.store import RunManifest, create
from harness.values import Arm, TrialRecord
from reports import build_report, load_policy, read_report, rebuild_report, report_json, run_info, write_reports
from reports.compare import ALLOWABLE, Comparison, Verdict, compare_runs, read_side
from reports.compare.schema import ArmComparison, Finding, Status
from reports.compare.side import Side
from reports.schema_numbers import EarlyStop
from reports.statistics.clusters import sign_flip
from reports.statistics.difference import tango
from reports.statistics.mcnemar import mcnemar_exact
from reports.statistics.values import PairedTable
from reports.views.compare import render_compare
from tests.records import DIGEST
from tests.records import manifest as plain_manifest
from tests.reports.records import LIVE, invalid, pair, run_of

Change = Callable[[RunManifest], RunManifest]


def told(trials: Sequence[TrialRecord]) -> RunManifest:
    """A manifest that tells everything that identifies a measurement."""
    made = plain_manifest(*sorted({trial.scenario for trial in trials}))
    settings = {"max_turns": 12, "turn_seconds": 20.0, "session_seconds": 120.0, "dtype": "float32"}
    changes = {
        "base": made.base.model_copy(update={"name": "model-base", "digest": DIGEST}),
        "tuned": made.tuned.model_copy(update={"name": "model-tuned", "digest": "sha256:1"}),
        "chat_template_sha256": DIGEST,
        "tokenizer_sha256": DIGEST,
        "settings": settings,
        "repeats": 1 + max(trial.repeat for trial in trials),
    }
    return made.model_copy(update=changes)


def a_run(place: Path, trials: Sequence[TrialRecord], **changes: object) -> Path:
    """A run directory of these records, written by the store."""
    store = create(place, told(trials).model_copy(update=changes))
    for trial in trials:
        store.append_trial(trial)
    store.close()
    return place


def side(trials: Sequence[TrialRecord], **changes: object) -> Side:
    """What `read_side` makes of such a run directory."""
    manifest = told(trials).model_copy(update=changes)
    report = build_report(trials, run=run_info(manifest), policy=load_policy())
    return Side(report=report, manifest=manifest, from_records=True)


def compared(
    a: Sequence[TrialRecord], b: Sequence[TrialRecord], changes: dict[str, object] | None = None
) -> Comparison:
    """Two runs that differ in their records, and B in `changes` of its manifest."""
    return compare_runs(side(a, run="a"), side(b, run="b", **(changes or {})))


def arm(comparison: Comparison, name: str = "tuned") -> ArmComparison:
    return next(found for found in comparison.arms if found.arm == name)


def trials(*, base: str, tuned: str) -> list[TrialRecord]:
    """A run whose scenarios succeed as the two texts say, a letter each: 1 or 0."""
    rows = [pair(f"s-{i:03d}", base=b == "1", tuned=t == "1") for i, (b, t) in enumerate(zip(base, tuned, strict=True))]
    return [trial for row in rows for trial in row]


class TestWhatIsComparable:
    def test_two_runs_of_one_suite_with_everything_told_and_alike_are_comparable(self) -> None:
        made = compared(trials(base="0000000000", tuned="1100000000"), trials(base="0" * 10, tuned="1" * 10))
        assert (made.verdict, made.qualifications, made.refusals) == (Verdict.COMPARABLE, (), ())
        assert arm(made).compared == arm(made).rows == 10

    def test_the_difference_is_b_minus_a_and_the_numbers_are_those_of_the_paired_table(self) -> None:
        made = compared(
            trials(base="0" * 16, tuned="1100000011110000"),
            trials(base="0" * 16, tuned="1011111111110000"),
        )
        (found,) = [metric for metric in arm(made).metrics if metric.name == "success"]
        table = PairedTable(both=5, tuned_only=6, base_only=1, neither=4)
        assert found.pairs.model_dump() == {"n": 16, "both": 5, "b_only": 6, "a_only": 1, "neither": 4}
        assert found.test is not None
        assert found.difference is not None
        assert found.test.p == mcnemar_exact(6, 1)
        assert found.difference.estimate == 5 / 16
        assert found.difference.tango == tango(table, 0.95)
        assert found.finding is Finding.NOT_SHOWN
        assert [(change.scenario, change.better) for change in arm(made).changes if change.better == "a"] == [
            ("s-001", "a")
        ]

    @pytest.mark.parametrize(
        ("a", "b", "finding"),
        [
            ("0" * 10, "1" * 10, Finding.B_BETTER),
            ("1" * 10, "0" * 10, Finding.A_BETTER),
            ("1" * 10, "1" * 10, Finding.NOT_SHOWN),
            ("0" * 5, "1" * 5, Finding.UNDECIDABLE),
        ],
    )
    def test_a_finding_is_what_the_test_shows(self, a: str, b: str, finding: Finding) -> None:
        made = compared(trials(base="0" * len(a), tuned=a), trials(base="0" * len(a), tuned=b))
        (found,) = [metric for metric in arm(made).metrics if metric.name == "success"]
        assert found.finding is finding

    def test_where_lower_is_better_more_of_it_is_worse(self) -> None:
        def panicking(*, b: bool) -> list[TrialRecord]:
            made = trials(base="0" * 10, tuned="0" * 10)
            return [replace(t, metrics=replace(t.metrics, false_panic=b)) if t.arm is Arm.TUNED else t for t in made]

        a, b = (side(panicking(b=x), run=str(x)) for x in (False, True))
        made = compare_runs(a, b, metric="false_panic")
        (found,) = [metric for metric in arm(made).metrics if metric.name == "false_panic"]
        assert found.finding is Finding.A_BETTER
        assert {change.better for change in arm(made).changes} == {"a"}

    def test_a_run_is_the_same_as_itself(self) -> None:
        one = side(run_of(both=3, tuned_only=4, neither=5))
        made = compare_runs(one, one)
        assert made.verdict is Verdict.COMPARABLE
        assert made.notes[0] == "A and B are the same run"
        assert arm(made).changes == ()
        assert made.gain is not None
        assert (made.gain.difference, made.gain.p) == (0, 1)


MANIFEST_CHANGES: dict[str, dict[str, object]] = {
    "sandbox_image": {"sandbox_image": "sha256:" + "9" * 64},
    "session_contract": {"session_contract": "2"},
    "render_contract": {"render_contract": "2"},
    "chat_template": {"chat_template_sha256": "sha256:" + "9" * 64},
    "template_variables": {"chat_template_kwargs": '{"enable_thinking": false}'},
    "mode": {"endpoint_scripted": True},
}
SAMPLING_CHANGES: dict[str, dict[str, float]] = {
    "temperature": {"temperature": 0.7},
    "top_p": {"top_p": 0.9},
    "max_tokens": {"max_tokens": 64},
}
SETTING_CHANGES = {"max_turns": 24, "turn_seconds": 5.0, "session_seconds": 60.0}


def changed(name: str, trials: Sequence[TrialRecord]) -> dict[str, object]:
    """What of the manifest is otherwise when the fact `name` differs."""
    if name in SAMPLING_CHANGES:
        return {"sampling": told(trials).sampling.model_copy(update=SAMPLING_CHANGES[name])}
    if name in SETTING_CHANGES:
        return {"settings": {**told(trials).settings, name: SETTING_CHANGES[name]}}
    return MANIFEST_CHANGES[name]


class TestWhatRefuses:
    def test_every_fact_that_can_be_allowed_is_tested_here(self) -> None:
        assert {*MANIFEST_CHANGES, *SAMPLING_CHANGES, *SETTING_CHANGES} == set(ALLOWABLE)

    @pytest.mark.parametrize("name", ALLOWABLE)
    def test_a_difference_in_what_was_asked_of_the_model_refuses_and_can_be_allowed(self, name: str) -> None:
        records = run_of(both=8)
        a = side(records)
        b = side(records, **changed(name, records))
        made = compare_runs(a, b)
        assert made.verdict is Verdict.REFUSED
        assert made.arms == ()
        (reason,) = made.refusals
        assert reason.startswith(f"{name}: ")
        assert f"--allow {name}" in reason
        allowed = compare_runs(a, b, allowed=frozenset({name}))
        assert allowed.verdict is Verdict.QUALIFIED
        assert any(reason.startswith(f"{name}: ") for reason in allowed.qualifications)
        assert arm(allowed).compared == 8

    def test_without_a_row_in_common_there_is_nothing_to_compare(self) -> None:
        other = [replace(trial, scenario=f"x{trial.scenario}") for trial in run_of(both=3)]
        made = compared(run_of(both=2), other)
        assert made.verdict is Verdict.REFUSED
        assert made.refusals == ("rows: nothing can be compared: 2 only in A, 3 only in B",)

    def test_other_versions_of_every_scenario_are_nothing_to_compare(self) -> None:
        other = [replace(trial, scenario_digest="sha256:9") for trial in run_of(both=3)]
        made = compared(run_of(both=3), other)
        assert made.refusals == ("rows: nothing can be compared: 3 of different versions of the scenario",)


class TestWhatQualifies:
    @pytest.mark.parametrize(
        ("name", "changes"),
        [
            ("seed", {"seed": 4}),
            ("tokenizer", {"tokenizer_sha256": "sha256:9"}),
            ("evalh_version", {"versions": {"evalh": "9"}}),
            ("engine", {"engine": "docker"}),
            ("dtype", {"settings": {"max_turns": 12, "turn_seconds": 20.0, "session_seconds": 120.0, "dtype": "auto"}}),
        ],
    )
    def test_a_difference_that_may_explain_another_result_is_said(self, name: str, changes: dict[str, object]) -> None:
        made = compared(run_of(both=8), run_of(both=8), changes)
        assert made.verdict is Verdict.QUALIFIED
        (reason,) = made.qualifications
        assert reason.startswith(f"{name}: ")

    def test_another_base_is_said_and_makes_the_control_worthless(self) -> None:
        records = run_of(both=8)
        base = told(records).base.model_copy(update={"digest": "sha256:9"})
        made = compared(records, records, {"base": base})
        assert made.verdict is Verdict.QUALIFIED
        assert made.base_control is not None
        assert made.base_control.same_base is False
        assert "controls nothing" in made.base_control.sentence

    def test_what_a_run_does_not_tell_is_unknown_and_not_compared(self) -> None:
        made = compared(run_of(both=8), run_of(both=8), {"chat_template_sha256": None, "settings": {}})
        assert made.verdict is Verdict.QUALIFIED
        (reason,) = made.qualifications
        assert reason == ("unknown in B, not compared: chat_template, max_turns, turn_seconds, session_seconds, dtype")
        assert {fact.name for fact in made.facts if fact.status is Status.UNKNOWN} >= {"chat_template", "max_turns"}

    def test_images_of_two_engines_have_names_that_cannot_be_compared(self) -> None:
        made = compared(run_of(both=8), run_of(both=8), {"engine": "docker", "sandbox_image": "sha256:9"})
        assert made.verdict is Verdict.QUALIFIED
        assert any(
            "the sandbox image was not compared: each engine names images" in reason for reason in made.qualifications
        )

    def test_the_spelling_of_template_variables_is_no_difference(self) -> None:
        a = side(run_of(both=8), chat_template_kwargs='{"a": 1, "b": 2}')
        b = side(run_of(both=8), chat_template_kwargs='{"b":2,"a":1}')
        assert compare_runs(a, b).verdict is Verdict.COMPARABLE

    def test_a_run_that_stopped_early_is_said(self) -> None:
        one = side(run_of(both=8))
        rule = EarlyStop(
            metric="success",
            alpha=0.05,
            first=0,
            planned=16,
            looked_at=8,
            pairs_not_run=8,
            decision="better",
            wins=8,
            losses=0,
            log_e=3.3,
            log_e_max=3.3,
            p=0.035,
            sentences=(),
        )
        early = replace(one, report=one.report.model_copy(update={"stopped": rule}))
        (reason,) = compare_runs(one, early).qualifications
        assert reason.startswith("run B stopped as soon as it was decided")


class TestRows:
    def test_each_row_that_is_not_compared_is_listed_with_its_reason(self) -> None:
        a = trials(base="0" * 8, tuned="1" * 8)
        b = [t for t in trials(base="0" * 9, tuned="1" * 9) if t.scenario != "s-000"]
        b = [replace(t, scenario_digest="sha256:9") if t.scenario == "s-001" else t for t in b]
        b = [invalid(t, address="endpoint") if t.scenario == "s-002" and t.arm is Arm.TUNED else t for t in b]
        b = [t for t in b if t.scenario != "s-003" or t.arm is Arm.BASE]
        made = compared(a, b)
        assert [(row.scenario, row.why) for row in arm(made).left_out] == [
            ("s-000", "only_in_a"),
            ("s-001", "other_version"),
            ("s-002", "invalid"),
            ("s-003", "not_run"),
            ("s-008", "only_in_b"),
        ]
        assert "endpoint: no container" in arm(made).left_out[2].reason
        assert arm(made).compared == 4
        assert made.qualifications[0] == (
            "rows of the tuned arm: 5 of 9 not compared: 1 only in A, 1 only in B, "
            "1 of different versions of the scenario, 1 INVALID, 1 not run in at least one run"
        )

    def test_an_arm_counts_although_the_other_arm_of_its_pair_is_invalid(self) -> None:
        a = trials(base="0" * 8, tuned="1" * 8)
        b = [invalid(t) if t.arm is Arm.BASE and t.scenario == "s-000" else t for t in a]
        made = compared(a, b)
        assert arm(made).compared == 8
        assert arm(made, "base").compared == 7
        assert made.gain is not None
        assert made.gain.rows == 7

    @settings(max_examples=25, deadline=None)
    @given(st.data())
    def test_every_row_of_either_run_is_compared_or_listed_and_none_twice(self, data: st.DataObject) -> None:
        def drawn() -> Side:
            kept = []
            for trial in trials(base="0110", tuned="1010"):
                for repeat in range(2):
                    fate = data.draw(st.sampled_from(["run", "run", "invalid", "absent", "other"]))
                    one = replace(trial, repeat=repeat)
                    if fate != "absent":
                        kept.append(
                            invalid(one)
                            if fate == "invalid"
                            else replace(one, scenario_digest="sha256:9")
                            if fate == "other"
                            else one
                        )
            report = build_report(kept, run=LIVE, policy=load_policy())
            return Side(report=report, manifest=None, from_records=True)

        a, b = drawn(), drawn()
        keys = {(p.scenario, p.repeat) for side in (a, b) for p in side.report.pairs}
        made = compare_runs(a, b)
        if made.verdict is Verdict.REFUSED:
            assert any(reason.startswith("rows: ") for reason in made.refusals)
            return
        for found in made.arms:
            left = {(row.scenario, row.repeat) for row in found.left_out}
            assert len(left) == len(found.left_out)
            assert found.rows == len(keys) == found.compared + len(left)
            assert left <= keys
            for metric in found.metrics:
                assert metric.pairs.n <= found.compared
                cells = metric.pairs
                assert cells.both + cells.a_only + cells.b_only + cells.neither == cells.n
        mirrored = compare_runs(b, a)
        assert [x.difference and -x.difference.estimate for x in arm(mirrored).metrics] == [
            x.difference and x.difference.estimate for x in arm(made).metrics
        ]
        assert [x.test and x.test.p for x in arm(mirrored).metrics] == [x.test and x.test.p for x in arm(made).metrics]


class TestRepeats:
    def test_are_paired_by_repeat_and_tested_by_flipping_whole_scenarios(self) -> None:
        def repeated(wins: Sequence[int]) -> list[TrialRecord]:
            rows = [
                pair(f"s-{i}", base=False, tuned=repeat < won, repeat=repeat)
                for i, won in enumerate(wins)
                for repeat in range(3)
            ]
            return [trial for row in rows for trial in row]

        made = compared(repeated([0, 1, 0, 2, 0, 0, 1, 0]), repeated([3, 2, 1, 2, 3, 1, 3, 2]))
        (found,) = [metric for metric in arm(made).metrics if metric.name == "success"]
        assert found.test is not None
        assert found.test.name == "sign_flip"
        assert found.test.clusters == 8
        assert found.test.p == sign_flip([3, 1, 1, 0, 3, 1, 2, 2])
        assert found.pairs.n == 24

    def test_of_which_one_run_has_fewer_are_listed(self) -> None:
        both = [t for r in (0, 1) for i in range(8) for t in pair(f"s-{i}", base=False, tuned=True, repeat=r)]
        made = compared(both, [t for t in both if t.repeat == 0])
        assert arm(made).compared == 8
        assert {(row.repeat, row.why) for row in arm(made).left_out} == {(1, "only_in_a")}


class TestTheBaseAsAControl:
    def test_a_greedy_base_that_did_otherwise_has_drifted(self) -> None:
        made = compared(trials(base="0" * 8, tuned="1" * 8), trials(base="00000011", tuned="1" * 8))
        assert made.base_control is not None
        assert (made.base_control.differ, made.base_control.differ_in_metric) == (2, 2)
        assert made.base_control.drifted
        assert made.verdict is Verdict.QUALIFIED
        assert "the runs drifted" in made.qualifications[0]

    def test_it_differs_in_more_than_the_metric(self) -> None:
        a = trials(base="0" * 8, tuned="1" * 8)
        b = [replace(t, turns=t.turns + 1) if t.arm is Arm.BASE and t.scenario == "s-000" else t for t in a]
        made = compared(a, b)
        assert made.base_control is not None
        assert (made.base_control.differ, made.base_control.differ_in_metric) == (1, 0)
        assert made.base_control.drifted

    def test_a_sampled_base_may_differ_as_far_as_chance_goes(self) -> None:
        warm = {"sampling": told(run_of(both=1)).sampling.model_copy(update={"temperature": 0.7})}
        records = trials(base="00000000", tuned="1" * 8)
        a = side(records, **warm)
        near = side(trials(base="00000011", tuned="1" * 8), **warm)
        far = side(trials(base="11111111", tuned="1" * 8), **warm)
        control, drifted = compare_runs(a, near).base_control, compare_runs(a, far).base_control
        assert control is not None
        assert drifted is not None
        assert not control.drifted
        assert "no more than sampling explains" in control.sentence
        assert drifted.drifted

    def test_the_gain_over_ones_own_base_takes_the_drift_off(self) -> None:
        made = compared(trials(base="0" * 8, tuned="0" * 8), trials(base="1" * 8, tuned="1" * 8))
        assert made.gain is not None
        assert (made.gain.a, made.gain.b, made.gain.difference, made.gain.p) == (0, 0, 0, 1)
        other = side(trials(base="0" * 8, tuned="1" * 8))
        more = compare_runs(side(trials(base="0" * 8, tuned="0" * 8)), other).gain
        assert more is not None
        assert (more.difference, more.p) == (1, sign_flip([1] * 8))

    def test_is_not_there_when_the_base_itself_is_asked_for(self) -> None:
        one = side(run_of(both=8))
        made = compare_runs(one, one, arm=Arm.BASE)
        assert [found.arm for found in made.arms] == ["base"]
        assert made.base_control is None
        assert made.gain is None


class TestWhatIsRead:
    def test_a_report_file_in_its_run_directory_is_read_with_the_manifest(self, tmp_path: Path) -> None:
        run = a_run(tmp_path / "a", run_of(both=8))
        path = write_reports(run, rebuild_report(run))
        made = compare_runs(read_side(run), read_side(path))
        assert made.verdict is Verdict.COMPARABLE
        assert (made.a.source, made.b.source) == ("records", "report")

    def test_a_report_file_alone_leaves_settings_unknown(self, tmp_path: Path) -> None:
        run = a_run(tmp_path / "a", run_of(both=8))
        alone = tmp_path / "report.json"
        alone.write_bytes(write_reports(run, rebuild_report(run)).read_bytes())
        made = compare_runs(read_side(run), read_side(alone))
        assert made.verdict is Verdict.QUALIFIED
        assert any(reason.startswith("unknown in B, not compared: ") for reason in made.qualifications)

    def test_a_report_of_schema_1_is_compared_with_its_versions_of_scenarios_unknown(self, tmp_path: Path) -> None:
        run = a_run(tmp_path / "a", run_of(both=8))
        content = json.loads(report_json(rebuild_report(run)))
        for name in ("policy", "findings", "measures", "repeats", "calibration", "stopped"):
            del content[name]
        for found in content["pairs"]:
            for name in ("scenario_digest", "tags", "position"):
                del found[name]
            del found["base"]["seed"], found["tuned"]["seed"]
        old = tmp_path / "old.json"
        old.write_text(json.dumps({**content, "schema_version": 1}))
        made = compare_runs(read_side(run), read_side(old))
        assert made.verdict is Verdict.QUALIFIED
        assert arm(made).compared == 8
        assert "scenarios: the version of 8 scenarios is unknown in B, not compared" in made.qualifications

    def test_a_report_file_of_another_run_is_not_read_with_the_manifest_beside_it(self, tmp_path: Path) -> None:
        run, other = a_run(tmp_path / "a", run_of(both=8), run="a"), a_run(tmp_path / "b", run_of(both=8), run="b")
        stray = run / "stray.json"
        stray.write_bytes(write_reports(other, rebuild_report(other)).read_bytes())
        assert read_side(stray).manifest is None

    def test_a_directory_that_is_no_run_is_named(self, tmp_path: Path) -> None:
        with pytest.raises(BadInputError, match="neither a run directory nor holds a report"):
            read_side(tmp_path)


def said(*arguments: str | Path) -> int:
    with pytest.raises(SystemExit) as done:
        cli.main(["compare", *map(str, arguments)], standalone_mode=False)
    return int(done.value.code or 0)


class TestTheCommand:
    def test_exits_0_10_and_30_and_says_why(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        records = run_of(both=4, tuned_only=4)
        a, b = a_run(tmp_path / "a", records), a_run(tmp_path / "b", records)
        more = a_run(tmp_path / "c", [*records, *pair("t-1", base=True, tuned=True)])
        other = a_run(tmp_path / "d", records, sandbox_image="sha256:9")
        assert said(a, b) == 0
        assert "COMPARABLE" in capsys.readouterr().out
        assert said(a, more) == 10
        shown = capsys.readouterr().out
        assert "t-1.0  only_in_b" in shown
        assert "QUALIFIED" in shown
        assert said(a, other) == 30
        refused = capsys.readouterr()
        assert refused.out == ""
        assert refused.err.count("\n") == 1
        assert refused.err.startswith("evalh: not comparable: sandbox_image: ")
        assert said(a, other, "--allow", "sandbox_image") == 10

    def test_json_is_the_comparison_of_the_published_schema(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        a = a_run(tmp_path / "a", run_of(both=4, tuned_only=4))
        b = a_run(tmp_path / "b", run_of(both=8), session_contract="2")
        assert said(a, a, "--json") == 0
        assert Comparison.model_validate_json(capsys.readouterr().out).verdict is Verdict.COMPARABLE
        assert said(a, b, "--json") == 30
        refused = Comparison.model_validate_json(capsys.readouterr().out)
        assert refused.refusals[0].startswith("session_contract")
        cli.main(["schema", "compare"], standalone_mode=False)
        published = json.loads(capsys.readouterr().out)
        assert set(published["properties"]) == set(Comparison.model_fields)

    def test_another_metric_and_arm_are_asked_for_by_name(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        a = a_run(tmp_path / "a", trials(base="0" * 8, tuned="1" * 8))
        b = a_run(tmp_path / "b", trials(base="1" * 8, tuned="1" * 8))
        assert said(a, b, "--metric", "right_terminal", "--arm", "base") == 0
        shown = capsys.readouterr().out
        assert "The base arm: 8 rows compared of 8" in shown
        assert "right_terminal: B is better." in shown


class TestTheText:
    @pytest.mark.parametrize("width", [60, 80, 120])
    def test_fits_its_width_and_lists_no_more_than_twenty_rows(self, width: int) -> None:
        a, b = run_of(both=30), [replace(t, scenario=f"x{t.scenario}") for t in run_of(both=30)]
        shared = [t for i in range(8) for t in pair(f"t-{i}", base=True, tuned=True)]
        text = render_compare(compared([*a, *shared], [*b, *shared]), width=width)
        assert max(map(len, text.splitlines())) <= width
        assert "and 40 more; --json lists them all" in " ".join(text.split())

    def test_lets_nothing_hostile_through(self, tmp_path: Path) -> None:
        hostile = "\x1b]0;owned\x07[bold red]x[/bold red]\u202e\n<script>"
        report = rebuild_report(a_run(tmp_path / "a", run_of(both=8)))
        first = report.pairs[0].model_copy(update={"scenario": hostile})
        forged = report.model_copy(update={"pairs": (first, *report.pairs[1:])})
        path = tmp_path / "forged.json"
        path.write_text(forged.model_dump_json())
        made = compare_runs(read_side(tmp_path / "a"), read_side(path))
        for text in (render_compare(made), made.model_dump_json()):
            assert not {"\x1b", "\u202e", "\x07"} & set(text)
        assert "[bold red]x" in render_compare(made)
        assert read_report(path).pairs[0].scenario == hostile
