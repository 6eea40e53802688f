"""Two runs compared: what refuses, and what qualifies."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from harness.values import Arm, TrialRecord
from reports.compare import ALLOWABLE, Verdict, compare_runs
from reports.compare.schema import Finding, Status
from reports.schema_numbers import EarlyStop
from reports.statistics.difference import tango
from reports.statistics.mcnemar import mcnemar_exact
from reports.statistics.values import PairedTable
from tests.reports.comparing import arm, compared, side, told, trials
from tests.reports.records import run_of


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
