"""`evalh gate`: the decision over a run or a report, said by the exit code."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import NoReturn

import click

import reports
from harness.cli.report import POLICY, show
from harness.errors import BadInputError
from harness.store import MANIFEST, read_manifest


@click.command()
@click.argument("run_or_report", type=click.Path(path_type=Path))
@POLICY
@click.option("--json", "as_json", is_flag=True, help="print the decision as JSON")
def gate(*, run_or_report: Path, policy: str | None, as_json: bool) -> NoReturn:
    """Decide over a run directory or a report file; the exit code is the decision.

    0 promote, 10 inconclusive, 20 gate failed, 30 bad input, 40 infrastructure. Unless a policy is named, a run
    is held to the one that it was started with, and a report file, or a run without one, to `promote`.
    The decision is computed from the pairs; what the report says of itself is not trusted.
    """
    chosen = _own_policy(run_or_report) if policy is None else reports.load_policy(policy)
    decision = reports.gate(_report_at(run_or_report, chosen), chosen)
    show(json.dumps(reports.decision_json(decision), indent=2) if as_json else reports.render_decision(decision))
    sys.exit(decision.exit_code)


def _own_policy(path: Path) -> reports.Policy:
    if (path / MANIFEST).exists():
        return reports.policy_of(read_manifest(path))
    return reports.load_policy(reports.DEFAULT_POLICY)


def _report_at(path: Path, policy: reports.Policy) -> reports.Report:
    if not path.is_dir():
        return reports.read_report(path)
    if (path / MANIFEST).exists():
        return reports.rebuild_report(path, policy)
    if (path / reports.REPORT).exists():
        return reports.read_report(path / reports.REPORT)
    raise BadInputError(
        f"{path} is neither a run directory nor holds a report",
        hint=f"give a directory that `evalh run` made, or a {reports.REPORT}",
    )
