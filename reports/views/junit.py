"""The report as JUnit XML: every trial a test case and the decision one more."""

from __future__ import annotations

from collections.abc import Iterable
from xml.etree import ElementTree as ET

from harness.values import Arm, Outcome
from reports.metrics import arm_of
from reports.plain import plain
from reports.schema import GateResult, Pair, PairResult, Report

NOT_RUN = "this trial has not run"
STOPPED = "not needed: the run was decided before its turn came"


def render_junit(report: Report) -> str:
    """JUnit XML: FAIL is a failure, INVALID an error, a trial that never ran is skipped.

    The suite `gate` holds the decision: a failed gate is a failure, an undecided one an error.
    """
    root = ET.Element("testsuites", name=f"evalh {plain(report.run.id)}")
    for arm in Arm:
        root.append(_suite(arm.value, (_trial_case(pair, arm) for pair in report.pairs)))
    root.append(_suite("gate", [_gate_case(report)]))
    for count in ("tests", "failures", "errors"):  # not skipped: the JUnit schemas know it in a suite only
        root.set(count, str(sum(int(suite.get(count, "0")) for suite in root)))
    ET.indent(root)
    return '<?xml version="1.0" encoding="utf-8"?>\n' + ET.tostring(root, encoding="unicode") + "\n"


def _suite(name: str, cases: Iterable[ET.Element]) -> ET.Element:
    suite = ET.Element("testsuite", name=name)
    suite.extend(cases)
    suite.set("tests", str(len(suite)))
    for attribute, tag in (("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
        suite.set(attribute, str(len(suite.findall(f"testcase/{tag}"))))
    suite.set("time", f"{sum(float(case.get('time', '0')) for case in suite):.3f}")
    return suite


def _trial_case(pair: Pair, arm: Arm) -> ET.Element:
    trial = arm_of(pair, arm)
    name, place = f"{plain(pair.scenario)}.{pair.repeat}", f"{arm}.{plain(pair.archetype or 'unknown')}"
    case = ET.Element("testcase", name=name, classname=place)
    if trial is None:
        ET.SubElement(case, "skipped", message=STOPPED if pair.result is PairResult.STOPPED else NOT_RUN)
        return case
    case.set("time", f"{trial.seconds:.3f}")
    if trial.outcome is Outcome.FAIL:
        ET.SubElement(case, "failure", message=plain(trial.reason), type="FAIL")
    elif trial.outcome is Outcome.INVALID:
        ET.SubElement(case, "error", message=plain(trial.reason), type=plain(trial.failed_part or "INVALID"))
    return case


def _gate_case(report: Report) -> ET.Element:
    case = ET.Element("testcase", name=report.promotion_recommendation.value, classname="gate", time="0")
    why = "\n".join(plain(sentence, 600) for sentence in report.rationale)
    if report.gate_result is GateResult.PASS:
        ET.SubElement(case, "system-out").text = why
    else:
        tag = "failure" if report.gate_result is GateResult.FAIL else "error"
        ET.SubElement(case, tag, message=plain(report.rationale[0]), type=report.gate_result.value).text = why
    return case
