"""`evalh compare`: two runs held against each other, as far as they are comparable."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path
from typing import NoReturn

import click

from harness.cli.report import WIDTHS, show
from harness.errors import BadInputError
from harness.values import Arm
from reports.compare import ALLOWABLE, Comparison, Verdict, compare_runs, read_side
from reports.tally import METRICS
from reports.views.compare import render_compare

EXITS = {Verdict.COMPARABLE: 0, Verdict.QUALIFIED: 10, Verdict.REFUSED: BadInputError.exit_code}


@click.command()
@click.argument("report_a", type=click.Path(path_type=Path))
@click.argument("report_b", type=click.Path(path_type=Path))
@click.option("--metric", type=click.Choice(list(METRICS)), default="success", show_default=True, help="what counts")
@click.option("--arm", type=click.Choice([a.value for a in Arm]), default="tuned", show_default=True, help="which arm")
@click.option("--allow", type=click.Choice(ALLOWABLE), multiple=True, help="compare although this differs; repeatable")
@click.option("--json", "as_json", is_flag=True, help="print the comparison as JSON (`evalh schema compare`)")
def compare(
    *, report_a: Path, report_b: Path, metric: str, arm: str, allow: tuple[str, ...], as_json: bool
) -> NoReturn:
    """Compare run B with run A, pair by pair; each a run directory or a report file. Differences are B minus A.

    The exit code says how far they are comparable, not which is better: 0 everything that identifies the
    measurement is alike and every row was compared; 10 compared, with the reservations that are listed;
    30 not comparable, or bad input.
    """
    sides = read_side(report_a), read_side(report_b)
    made = compare_runs(*sides, metric=metric, arm=Arm(arm), allowed=frozenset(allow))
    if as_json:
        show(made.model_dump_json(indent=2))
    elif made.verdict is not Verdict.REFUSED:
        _show(made)
    for reason in made.refusals:
        click.echo(f"evalh: not comparable: {reason}", err=True)
    sys.exit(EXITS[made.verdict])


def _show(made: Comparison) -> None:
    terminal = sys.stdout.isatty()
    columns = shutil.get_terminal_size((80, 24)).columns if terminal else 80
    width = min(max(columns, WIDTHS[0]), WIDTHS[1])
    show(render_compare(made, width=width, colour=terminal and "NO_COLOR" not in os.environ))
