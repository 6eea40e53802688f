"""What a run comes to: its report on disk and on the screen, and the exit code that CI reads."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click
from rich.console import Console

import reports
from harness.calibration import calibrate_run
from harness.cli.calibrate import progress
from harness.cli.launch import perform
from harness.cli.prepare import Prepared
from harness.cli.report import show, show_report
from harness.cli.stage import Stage
from harness.errors import InfrastructureError
from harness.store import RunStore
from harness.values import Terminal
from reports.calibration import CALIBRATION
from scenarios import LoadedScenario

CALIBRATORS = 8  # calibration trials at a time, at most


def policy(name: str | None) -> reports.Policy:
    """The policy that decides, read before anything starts; BadInputError names what is wrong in it."""
    return reports.load_policy(name or reports.DEFAULT_POLICY)


def warn_undecidable(
    chosen: reports.Policy,
    scenarios: Sequence[LoadedScenario],
    console: Console,
    *,
    sequential: bool = False,
    repeats: bool = False,
) -> None:
    """Say before the run what its policy cannot decide on these scenarios, as `reports.undecidable` has it."""
    facts = [
        reports.ScenarioFacts(
            id=loaded.scenario.id,
            archetype=loaded.scenario.archetype,
            critical=loaded.scenario.critical,
            expected_terminal=Terminal(loaded.scenario.expected_terminal),
        )
        for loaded in scenarios
    ]
    for reason in reports.undecidable(chosen, facts, sequential=sequential, repeats=repeats):
        console.print(f"note: {reason}", markup=False, highlight=False, soft_wrap=True)


def perform_and_report(prepared: Prepared, stage: Stage, run: RunStore, console: Console) -> None:
    """Run the grid and write the report; an interruption says how to go on.

    The run stays the caller's until the stage is gone too: a trial that was interrupted still writes until then.
    """
    try:
        calibrate(prepared, stage, run, console)
        perform(prepared, stage, run, console)
        report_only(run.path)
    except KeyboardInterrupt:
        click.echo(f"evalh: stopped; finish it with: evalh resume {run.path}", err=True)
        raise
    except InfrastructureError:
        click.echo(f"evalh: what is finished is kept in {run.path}; go on with: evalh resume {run.path}", err=True)
        raise


def calibrate(prepared: Prepared, stage: Stage, run: RunStore, console: Console) -> None:
    """Put the calibration of the run's scenarios beside its records; what prevents that is said, and ends nothing."""
    if not prepared.settings.calibration or (run.path / CALIBRATION).exists():
        return
    run.audit("calibration_started")
    with progress(console, len(prepared.scenarios)) as heard:
        jobs = min(prepared.settings.concurrency, CALIBRATORS)
        problem = calibrate_run(prepared.scenarios, stage.engine, run.path, jobs=jobs, on_trial=heard)
    run.audit("calibration_finished", problem=problem)
    if problem:
        console.print(f"note: no calibration: {problem}", markup=False, highlight=False, soft_wrap=True)


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
        click.echo(f"\nreport: {path / reports.REPORT} (report.html, report.md and junit.xml beside it)")
        click.echo(f"look at a session: evalh replay {path} TRIAL")
    decision = reports.gate(made, chosen)
    if gated or decision.exit_code == InfrastructureError.exit_code:
        return decision.exit_code
    return 0
