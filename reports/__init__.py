"""Records become pairs, pairs a comparison, and a comparison and a policy a decision."""

from reports.build import build_report
from reports.calibration import CALIBRATION, CalibrationFile, calibration_row, read_calibration
from reports.claims import undecidable
from reports.facts import ScenarioFacts
from reports.files import REPORT, read_report, report_json, write_reports
from reports.gate import Decision, gate
from reports.policy import DEFAULT as DEFAULT_POLICY
from reports.policy import Policy, load_policy
from reports.rebuild import policy_of, rebuild_report
from reports.run_info import RunInfo, StopRule, run_info
from reports.schema import CalibrationRow, Report, ScoringMode
from reports.views.decision import decision_json, render_decision
from reports.views.junit import render_junit
from reports.views.markdown import SUMMARY_BYTES, comment_marker, render_comment, render_markdown
from reports.views.text import render_text

__all__ = [
    "CALIBRATION",
    "DEFAULT_POLICY",
    "REPORT",
    "SUMMARY_BYTES",
    "CalibrationFile",
    "CalibrationRow",
    "Decision",
    "Policy",
    "Report",
    "RunInfo",
    "ScenarioFacts",
    "ScoringMode",
    "StopRule",
    "build_report",
    "calibration_row",
    "comment_marker",
    "decision_json",
    "gate",
    "load_policy",
    "policy_of",
    "read_calibration",
    "read_report",
    "rebuild_report",
    "render_comment",
    "render_decision",
    "render_junit",
    "render_markdown",
    "render_text",
    "report_json",
    "run_info",
    "undecidable",
    "write_reports",
]
