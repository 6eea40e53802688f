"""`evalh report`, `evalh gate` and `evalh schema`: what a run came to, the decision, and the formats."""

from __future__ import annotations

import json
import os
import shutil
import sys
from pathlib import Path
from typing import NoReturn

import click
from pydantic import BaseModel

import reports
from harness.errors import BadInputError
from harness.store import MANIFEST

RUN = click.argument("run", type=click.Path(path_type=Path))
POLICY = click.option("--policy", metavar="POLICY", help="promote, regression, smoke, or a TOML file")
WIDTHS = (60, 120)  # columns


@click.command()
@RUN
@POLICY
@click.option("--json", "form", flag_value="json", help="print paired_eval_report.json")
@click.option("--markdown", "form", flag_value="markdown", help="print the step summary")
@click.option("--junit", "form", flag_value="junit", help="print the JUnit XML")
def report(*, run: Path, policy: str | None, form: str | None) -> None:
    """Show the paired report of RUN, made again from its records.

    Works on an unfinished run too. Without --policy, the decision is by the policy the run was started with.
    """
    made = reports.rebuild_report(run, reports.load_policy(policy) if policy else None)
    views = {"json": reports.report_json, "markdown": reports.render_markdown, "junit": reports.render_junit}
    if form is None:
        show_report(made)
    else:
        show(views[form](made))


@click.command()
@click.argument("run_or_report", type=click.Path(path_type=Path))
@POLICY
@click.option("--json", "as_json", is_flag=True, help="print the decision as JSON")
def gate(*, run_or_report: Path, policy: str | None, as_json: bool) -> NoReturn:
    """Decide over a run directory or a report file; the exit code is the decision.

    0 promote, 10 inconclusive, 20 gate failed, 30 bad input, 40 infrastructure. The policy is `promote`
    unless another is named. The decision is computed from the pairs; what the report says of itself is not trusted.
    """
    chosen = reports.load_policy(policy or reports.DEFAULT_POLICY)
    decision = reports.gate(_report_at(run_or_report, chosen), chosen)
    show(json.dumps(reports.decision_json(decision), indent=2) if as_json else reports.render_decision(decision))
    sys.exit(decision.exit_code)


@click.command()
@click.argument("what", type=click.Choice(["report", "scenario", "policy"]))
def schema(*, what: str) -> None:
    """Print the JSON Schema of the report, of a scenario bundle, or of a policy."""
    from scenarios.bundle import Scenario  # only this command needs it

    models: dict[str, type[BaseModel]] = {"report": reports.Report, "scenario": Scenario, "policy": reports.Policy}
    dialect = {"$schema": "https://json-schema.org/draft/2020-12/schema"}
    show(json.dumps(dialect | models[what].model_json_schema(), indent=2))


def show_report(made: reports.Report) -> None:
    """Print the text view: as wide as the terminal allows, 80 columns and no colour in a pipe."""
    terminal = sys.stdout.isatty()
    columns = shutil.get_terminal_size((80, 24)).columns if terminal else 80
    width = min(max(columns, WIDTHS[0]), WIDTHS[1])
    show(reports.render_text(made, width=width, colour=terminal and "NO_COLOR" not in os.environ))


def show(text: str) -> None:
    """Print text on any standard output, one that cannot say every character included."""
    encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
    click.echo(text.rstrip("\n").encode(encoding, "backslashreplace").decode(encoding))


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
