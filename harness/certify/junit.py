"""Examinations as JUnit XML: every bundle a test case, every refusing finding a failure."""

from __future__ import annotations

from collections.abc import Sequence
from xml.etree import ElementTree as ET

from harness.certify.findings import Examination, Weight
from reports.plain import plain


def render_junit(examinations: Sequence[Examination]) -> str:
    """JUnit XML with one suite for each archetype; remarks stand in the case's output."""
    root = ET.Element("testsuites", name="evalh scenario check")
    kin: dict[str, list[Examination]] = {}
    for each in examinations:
        kin.setdefault(each.loaded.scenario.archetype, []).append(each)
    for archetype in sorted(kin):
        root.append(_suite(archetype, sorted(kin[archetype], key=lambda each: each.loaded.scenario.id)))
    for count in ("tests", "failures"):
        root.set(count, str(sum(int(suite.get(count, "0")) for suite in root)))
    ET.indent(root)
    return '<?xml version="1.0" encoding="utf-8"?>\n' + ET.tostring(root, encoding="unicode") + "\n"


def _suite(archetype: str, members: Sequence[Examination]) -> ET.Element:
    suite = ET.Element("testsuite", name=archetype)
    suite.extend(_case(each) for each in members)
    suite.set("tests", str(len(members)))
    suite.set("failures", str(len(suite.findall("testcase/failure"))))
    suite.set("time", f"{sum(each.seconds for each in members):.3f}")
    return suite


def _case(each: Examination) -> ET.Element:
    scenario = each.loaded.scenario
    case = ET.Element("testcase", name=scenario.id, classname=scenario.archetype, time=f"{each.seconds:.3f}")
    fatal = [finding for finding in each.findings if finding.weight is Weight.FATAL]
    if fatal:
        failure = ET.SubElement(case, "failure", message=plain(fatal[0].message), type=fatal[0].experiment)
        failure.text = "\n".join(plain(finding.message) for finding in fatal)
    remarks = [plain(finding.message) for finding in each.findings if finding.weight is Weight.REMARK]
    if remarks:
        ET.SubElement(case, "system-out").text = "\n".join(remarks)
    return case
