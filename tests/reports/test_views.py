"""Every view says the same decision, fits where it is read, and lets nothing hostile through."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from dataclasses import replace
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.values import Arm, TrialRecord
from reports import (
    Report,
    RunInfo,
    build_report,
    calibration_row,
    decision_json,
    gate,
    load_policy,
    render_decision,
    render_junit,
    render_markdown,
    render_text,
    report_json,
)
from reports.plain import plain
from tests.reports.records import LIVE, invalid, run_of

VIEWS: tuple[Callable[[Report], str], ...] = (render_text, render_markdown, render_junit, report_json)
HOSTILE = [
    "\x1b]0;owned\x07\x1b[2J",
    "[bold red]markup[/bold red] :skull:",
    "<script>alert(1)</script>&amp;]]>",
    "| a | b |\n\n# heading\n```\n",
    "@everyone #1 https://evil.example www.evil.example ![x](http://evil.example)",
    "\u202egnp.exe\u2066\u200b\ufeff",
    "\ud800 lone surrogate \udfff",
    "\x00\x85\u2028\u2029\ufffe\uffff",
    "</code></details> `` ` <!-- -->",
    "x" * 100_000,
]


def report_of(trials: list[TrialRecord], run: RunInfo = LIVE) -> Report:
    return build_report(trials, run=run, policy=load_policy())


def hostile_report(text: str) -> Report:
    """A report in which every text that a model or a server could have written is `text`."""
    trials = [replace(t, reason=text, panic_reason=text, model=text + t.arm) for t in run_of(tuned_only=7, neither=9)]
    trials = [
        replace(t, archetype=t.scenario[-1:] + text, tags=(("difficulty", t.scenario[-1:] + text), (text, "x")))
        for t in trials
    ]
    trials[0] = invalid(trials[0], address="endpoint", message=text)
    row = calibration_row("prose", [t for t in trials if t.arm is Arm.TUNED], note=text)
    row = row.model_copy(update={"player": plain(text)})
    return report_of(trials, replace(LIVE, notes=(text,), calibration=(row,)))


class TestOneDecision:
    @pytest.mark.parametrize(
        ("cells", "result", "recommendation"),
        [
            ({"tuned_only": 9, "neither": 7}, "pass", "promote_to_stage"),
            ({"both": 16}, "fail", "hold"),
            ({"tuned_only": 5}, "inconclusive", "await_paired_eval"),
        ],
    )
    def test_is_in_every_view(self, cells: dict[str, int], result: str, recommendation: str) -> None:
        report = report_of(run_of(**cells))
        assert f"{result.upper()}: {recommendation}" in render_text(report)
        assert f"**{result.upper()}: {recommendation}**" in render_markdown(report)
        assert f'"gate_result": "{result}"' in report_json(report)
        (case,) = ET.fromstring(render_junit(report)).findall("testsuite[@name='gate']/testcase")  # noqa: S314 - our own
        assert case.get("name") == recommendation
        assert [child.tag for child in case] == [{"pass": "system-out", "fail": "failure"}.get(result, "error")]
        decision = gate(report, load_policy())
        assert f"{result.upper()}: {recommendation} (exit code {decision.exit_code})" in render_decision(decision)
        assert decision_json(decision)["gate_result"] == result


class TestText:
    @pytest.mark.parametrize("width", [60, 80, 120])
    def test_fits_the_width_and_carries_no_escapes(self, width: int) -> None:
        trials = [replace(t, archetype="a-rather-long-archetype-name-of-the-suite") for t in run_of(tuned_only=400)]
        trials[0] = invalid(trials[0], message="a long message " * 20)
        lines = render_text(report_of(trials), width=width).splitlines()
        assert max(map(len, lines)) <= width
        assert not any("\x1b" in line for line in lines)

    def test_at_80_columns_a_metric_is_one_line_with_all_that_matters(self) -> None:
        text = render_text(report_of(run_of(tuned_only=9, neither=7)))
        (line,) = [line for line in text.splitlines() if line.startswith("right_terminal")]
        assert line.split() == ["right_terminal", "0/16", "9/16", "+56", "[+26,", "+77]", "0.0039", "9", "0"]

    def test_wide_enough_it_shows_wilson_intervals(self) -> None:
        text = render_text(report_of(run_of(tuned_only=9, neither=7)), width=120)
        assert "9/16 [33, 77]" in text

    def test_says_what_this_many_pairs_could_have_seen(self) -> None:
        text = " ".join(render_text(report_of(run_of(tuned_only=9, neither=7))).split())
        assert "With 16 pairs and losses as rare as here, the test finds a difference in success of 45 points" in text

    def test_a_metric_that_was_not_measured_shows_a_dash_and_the_reason(self) -> None:
        text = render_text(report_of(run_of(both=3)))
        (line,) = [line for line in text.splitlines() if line.startswith("informed_panic")]
        assert "0" not in line
        assert "No comparison for informed_panic" in text

    def test_lists_each_exclusion_up_to_ten_and_counts_the_rest(self) -> None:
        trials = run_of(tuned_only=40)
        trials = [invalid(t) if t.arm is Arm.BASE and int(t.scenario[2:]) < 15 else t for t in trials]
        text = render_text(report_of(trials))
        assert text.count("base invalid (sandbox): no container") == 10
        assert "and 5 more" in text

    def test_colour_is_only_there_when_asked_for(self) -> None:
        assert "\x1b[" in render_text(report_of(run_of(both=1)), colour=True)

    @pytest.mark.parametrize("width", [80, 120, 200])
    def test_every_part_fits_the_width(self, width: int) -> None:
        trials = [
            replace(
                t,
                repeat=r,
                archetype=f"kind-{int(t.scenario[2:]) % 9}",
                tags=(("difficulty", str(int(t.scenario[2:]) % 5)),),
            )
            for t in run_of(tuned_only=20, base_only=3, neither=9)
            for r in range(3)
        ]
        row = calibration_row("always_exit", [t for t in trials if t.arm is Arm.TUNED])
        text = render_text(report_of(trials, replace(LIVE, calibration=(row,))), width=width)
        assert max(map(len, text.splitlines())) <= width
        for part in ("difficulty: 3", "turns", "tuned pass@k", "always exit", "as units", "Holm", "Benjamini"):
            assert part in text


class TestJunit:
    def test_a_fail_is_a_failure_an_invalid_trial_an_error_and_one_that_never_ran_skipped(self) -> None:
        trials = run_of(both=3, tuned_only=2, neither=1)
        trials[0] = invalid(trials[0])
        root = ET.fromstring(render_junit(report_of(trials[:-1])))  # noqa: S314 - our own
        base, tuned, _ = root.findall("testsuite")
        assert (base.get("tests"), base.get("failures"), base.get("errors"), base.get("skipped")) == (
            "6",
            "3",
            "1",
            "0",
        )
        assert (tuned.get("failures"), tuned.get("errors"), tuned.get("skipped")) == ("0", "0", "1")
        assert len(base.findall("testcase/failure")) == 3

    def test_the_totals_are_the_sums_of_the_suites(self) -> None:
        root = ET.fromstring(render_junit(report_of(run_of(both=3, tuned_only=2, neither=1))))  # noqa: S314 - our own
        for count in ("tests", "failures", "errors"):
            assert int(root.get(count, "-1")) == sum(int(suite.get(count, "-1")) for suite in root)


@pytest.mark.parametrize("width", [60, 80, 120])
@pytest.mark.parametrize(
    "said", ["::error::owned ", "##[error]owned ", "##vso[task.complete]owned ", " ::add-mask::x "]
)
def test_nothing_that_a_model_says_is_a_command_to_the_ci_system_that_reads_the_log(said: str, width: int) -> None:
    trials = [replace(t, reason=said * 20, model=f"{t.model}{said}", archetype=said) for t in run_of(both=4)]
    trials += [invalid(t, message=said * 20) for t in run_of(tuned_only=3)]
    report = report_of(trials)
    decision = render_decision(gate(report, load_policy()))
    for text in (render_text(report, width=width), decision, *(view(report) for view in VIEWS)):
        assert not re.search(r"^\s*::[a-z]|##[a-z]*\[", text, re.MULTILINE)
    assert "owned" in report_json(report) or "add-mask" in report_json(report)


class TestMarkdown:
    def test_never_exceeds_what_github_takes_and_counts_what_it_left_out(self) -> None:
        trials = [replace(t, reason="<" * 300) for t in run_of(both=2000)]
        text = render_markdown(report_of(trials))
        assert len(text.encode()) <= 1 << 20
        left_out = re.search(r"(\d+) pairs left out", text)
        assert left_out is not None
        assert int(left_out[1]) + text.count("\n- <code>") == 2000

    def test_many_exclusions_leave_room_too(self) -> None:
        trials = [invalid(t, message="&" * 300) for t in run_of(both=3000)]
        assert len(render_markdown(report_of(trials)).encode()) <= 1 << 20


class TestHostileText:
    @pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
    def test_reaches_no_view_alive(self, text: str) -> None:
        report = hostile_report(text)
        for view in VIEWS:
            shown = view(report)
            shown.encode()
            bad = {c for c in shown if c != "\n" and unicodedata.category(c) in {"Cc", "Cf", "Cs", "Cn", "Zl", "Zp"}}
            assert not bad
            assert "x" * 1000 not in shown

    @pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
    def test_cannot_add_markup_a_link_or_a_mention_to_markdown(self, text: str) -> None:
        shown = render_markdown(hostile_report(text))
        tags = set(re.findall(r"<[^>]*>?", shown))
        assert tags <= {"<code>", "</code>", "<details>", "</details>", "<summary>", "</summary>"}
        assert not re.search(r"[@`!]|https?:/|www\.|\]\(|(?<!&)#(?!#? )", shown)
        quiet = render_markdown(hostile_report("quiet"))
        assert shown.count("\n") == quiet.count("\n")
        assert shown.count("|") == quiet.count("|")

    @pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
    def test_leaves_junit_well_formed_with_as_many_cases(self, text: str) -> None:
        cases = ET.fromstring(render_junit(hostile_report(text))).findall(".//testcase")  # noqa: S314 - our own
        assert len(cases) == 2 * 16 + 1

    def test_is_not_read_as_terminal_markup(self) -> None:
        assert "[bold red]markup" in render_text(hostile_report(HOSTILE[1]), width=120)

    @settings(max_examples=200)
    @given(st.text(alphabet=st.characters(exclude_categories=()), max_size=400))
    def test_is_one_printable_line_after_plain_and_stays_so(self, text: str) -> None:
        shown = plain(text)
        assert shown.isprintable() or all(c.isprintable() or unicodedata.category(c) == "Zs" for c in shown)
        assert plain(shown, 10_000) == shown
        assert shown.encode().decode() == shown
