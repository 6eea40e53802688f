"""The JUnit file: XML whatever was said, a case for every trial, and the decision as one more."""

from __future__ import annotations

from dataclasses import replace
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.values import Arm
from reports import build_report, load_policy, render_junit
from reports.schema import PairResult, Report
from tests.reports.records import LIVE, invalid, record, run_of

SMALL = build_report(run_of(tuned_only=2), run=LIVE, policy=load_policy())


def parsed(report: Report) -> ET.Element:
    return ET.fromstring(render_junit(report).encode())  # noqa: S314 - our own


@settings(max_examples=200)
@given(st.text(alphabet=st.characters(exclude_categories=()), max_size=80))
def test_any_text_in_any_place_leaves_it_xml_with_as_many_cases(text: str) -> None:
    pairs = [
        pair.model_copy(
            update={
                "scenario": f"{i}{text}",
                "archetype": text,
                "base": pair.base and pair.base.model_copy(update={"reason": text, "failed_part": text}),
            }
        )
        for i, pair in enumerate(SMALL.pairs)
    ]
    run = SMALL.run.model_copy(update={"id": text})
    report = SMALL.model_copy(update={"pairs": tuple(pairs), "run": run, "rationale": (text, f"]]>{text}")})
    assert len(parsed(report).findall(".//testcase")) == 2 * 2 + 1


def test_no_attribute_stands_where_the_junit_schemas_of_ci_servers_have_none() -> None:
    allowed = {
        "testsuites": {"name", "time", "tests", "failures", "errors"},
        "testsuite": {"name", "tests", "failures", "errors", "skipped", "time"},
        "testcase": {"name", "classname", "time"},
        "failure": {"message", "type"},
        "error": {"message", "type"},
        "skipped": {"message"},
        "system-out": set(),
    }
    trials = [*run_of(tuned_only=9, neither=7)[:-1], invalid(record("s-1", Arm.BASE))]
    for node in parsed(build_report(trials, run=LIVE, policy=load_policy())).iter():
        assert set(node.keys()) <= allowed[node.tag]


def test_the_names_tell_arm_archetype_scenario_and_repeat() -> None:
    report = build_report([record("s-1", arm, archetype="copy") for arm in Arm], run=LIVE, policy=load_policy())
    cases = parsed(report).findall(".//testcase")
    assert [(case.get("classname"), case.get("name")) for case in cases[:2]] == [
        ("base.copy", "s-1.0"),
        ("tuned.copy", "s-1.0"),
    ]


def test_a_pair_that_an_early_stop_made_unnecessary_is_skipped_and_says_so() -> None:
    stopped = SMALL.pairs[0].model_copy(update={"result": PairResult.STOPPED, "base": None, "tuned": None})
    root = parsed(SMALL.model_copy(update={"pairs": (stopped, SMALL.pairs[1])}))
    messages = [skipped.get("message") for skipped in root.findall(".//skipped")]
    assert messages == ["not needed: the run was decided before its turn came"] * 2
    assert [suite.get("skipped") for suite in root] == ["1", "1", "0"]


@pytest.mark.parametrize("address", ["sandbox", "endpoint", "checker", "parity"])
def test_an_invalid_trial_is_an_error_of_the_part_that_failed(address: str) -> None:
    trials = run_of(both=2)
    root = parsed(build_report([invalid(trials[0], address=address), *trials[1:]], run=LIVE, policy=load_policy()))
    (error,) = root.findall("testsuite[@name='base']/testcase/error")
    assert error.get("type") == address


def test_the_time_of_a_suite_is_the_sum_of_its_trials() -> None:
    trials = [replace(trial, seconds=1.5) for trial in run_of(both=4)]
    root = parsed(build_report(trials, run=LIVE, policy=load_policy()))
    assert [suite.get("time") for suite in root] == ["6.000", "6.000", "0.000"]
