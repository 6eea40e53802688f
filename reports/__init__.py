"""Records become pairs, pairs a comparison, and a comparison and a policy a decision."""

from reports.build import build_report
from reports.files import REPORT, read_report, report_json, write_reports
from reports.gate import Decision, gate, undecidable
from reports.policy import DEFAULT as DEFAULT_POLICY
from reports.policy import Policy, load_policy
from reports.rebuild import rebuild_report
from reports.run_info import RunInfo, run_info
from reports.schema import Report, ScoringMode
from reports.views.decision import decision_json, render_decision
from reports.views.junit import render_junit
from reports.views.markdown import render_markdown
from reports.views.text import render_text

__all__ = [
    "DEFAULT_POLICY",
    "REPORT",
    "Decision",
    "Policy",
    "Report",
    "RunInfo",
    "ScoringMode",
    "build_report",
    "decision_json",
    "gate",
    "load_policy",
    "read_report",
    "rebuild_report",
    "render_decision",
    "render_junit",
    "render_markdown",
    "render_text",
    "report_json",
    "run_info",
    "undecidable",
    "write_reports",
]
