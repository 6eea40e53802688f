"""Reports on disk: the four files of a run directory, and a report read back."""

from __future__ import annotations

from pathlib import Path

from pydantic import ValidationError

from harness.errors import BadInputError
from harness.store import write_atomically
from reports.consistent import contradictions
from reports.plain import plain
from reports.policy import str_path
from reports.schema import Report
from reports.upgrade import upgraded
from reports.views.html import write_html
from reports.views.junit import render_junit
from reports.views.markdown import render_markdown

REPORT = "paired_eval_report.json"


def write_reports(run_dir: Path, report: Report) -> Path:
    """Write report.md, junit.xml, report.html and paired_eval_report.json, each whole or not at all; the last's path.

    Raises:
        StoreError: the directory cannot be written.
    """
    write_atomically(run_dir / "report.md", render_markdown(report))
    write_atomically(run_dir / "junit.xml", render_junit(report))
    write_html(run_dir, report)
    write_atomically(run_dir / REPORT, report_json(report))
    return run_dir / REPORT


def report_json(report: Report) -> str:
    """The report's JSON text, as it stands in paired_eval_report.json."""
    return report.model_dump_json(indent=2) + "\n"


def read_report(path: Path) -> Report:
    """A report from its JSON file; one of schema 1 is brought up to this schema as far as its pairs allow.

    Raises:
        BadInputError: it cannot be read, is no report of a known schema version (the first wrong key is named),
            or contradicts itself.
    """
    shown = plain(str(path))
    try:
        content = path.read_bytes()
        report = upgraded(content) or Report.model_validate_json(content, strict=True)
    except OSError as error:
        raise BadInputError(
            f"cannot read {shown}: {error.strerror}", hint="give a run directory or a report"
        ) from error
    except ValidationError as error:
        first = error.errors()[0]
        raise BadInputError(
            f"{shown}: {str_path(first['loc'])}: {plain(first['msg'])}",
            hint="this is no report of this schema version; `evalh schema report` prints the schema",
        ) from error
    for said in contradictions(report):
        raise BadInputError(
            f"{shown}: {said}", hint="the report was edited; `evalh report RUN --json` makes it again from the records"
        )
    return report
