"""What a run comes to: its report on disk and on the screen, and the exit code that CI reads."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import click
from rich.console import Console

import reports
from harness.cli.launch import perform
from harness.cli.prepare import Prepared
from harness.cli.report import show, show_report
from harness.cli.stage import Stage
from harness.errors import InfrastructureError
from harness.store import RunStore


def policy(name: str | None) -> reports.Policy:
    """The policy that decides, read before anything starts; BadInputError names what is wrong in it."""
    return reports.load_policy(name or reports.DEFAULT_POLICY)


def warn_undecidable(chosen: reports.Policy, count: int, console: Console) -> None:
    """Say before the run what its policy cannot decide with so few scenarios."""
    for reason in reports.undecidable(chosen, count):
        console.print(f"note: {reason}", markup=False, highlight=False, soft_wrap=True)


def perform_and_report(prepared: Prepared, stage: Stage, run: RunStore, console: Console) -> None:
    """Run the grid and write the report; an interruption says how to go on."""
    try:
        with closing(run):
            perform(prepared, stage, run, console)
    except KeyboardInterrupt:
        click.echo(f"evalh: stopped; finish it with: evalh resume {run.path}", err=True)
        raise
    except InfrastructureError:
        click.echo(f"evalh: what is finished is kept in {run.path}; go on with: evalh resume {run.path}", err=True)
        raise
    report_only(run.path)


def report_only(path: Path) -> None:
    """Write the report of what a run directory holds."""
    reports.write_reports(path, reports.rebuild_report(path))


def conclude(path: Path, chosen: reports.Policy, *, as_json: bool, gated: bool) -> int:
    """Print the report and its place; the exit code: 0, or with a gate the decision's own."""
    made = reports.rebuild_report(path, chosen)
    if as_json:
        show(reports.report_json(made))
    else:
        show_report(made)
        click.echo(f"\nreport: {path / reports.REPORT} (report.md and junit.xml beside it)")
        click.echo(f"look at a session: evalh replay {path} TRIAL")
    decision = reports.gate(made, chosen)
    if gated or decision.exit_code == InfrastructureError.exit_code:
        return decision.exit_code
    return 0
