"""`evalh calibrate`: what each metric gives to players that cannot think, so that a table can be read against it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from harness.cli.settings import effective
from harness.errors import InfrastructureError

if TYPE_CHECKING:
    from reports.calibration import CalibrationFile


@click.command()
@click.option("--scenarios", metavar="DIR", help="directory of bundles [default: the shipped suite]")
@click.option("--split", type=click.Choice(["holdout", "train"]), help="which split of the shipped suite")
@click.option("--n", metavar="N|all|SUBSET", help="how many scenarios, as in `evalh run`")
@click.option("--seed", type=int, help="of the selection, as in `evalh run`")
@click.option("--engine", type=click.Choice(["auto", "docker", "crun"]), help="sandbox engine")
@click.option("--jobs", type=click.IntRange(1, 64), default=4, show_default=True, help="trials at a time")
@click.option("--again", is_flag=True, help="run the players although their results are kept")
@click.option("--json", "as_json", is_flag=True, help="print calibration.json")
def calibrate(*, jobs: int, again: bool, as_json: bool, **flags: str | int | None) -> None:
    """Play each scenario as who always exits, always panics, only talks, and repeats the reference replies.

    No model is needed. Results are kept by the digest of scenarios, image and contracts; `evalh run` shows them in
    its report. The reference should succeed everywhere, and the others nowhere.
    """
    settings = effective(flags, complete=False).settings

    from harness import calibration  # --help costs no heavy import
    from harness.cli.prepare import choose_scenarios
    from harness.sandbox import choose

    chosen = choose_scenarios(settings)
    console = Console(stderr=True)
    with closing(choose(settings.engine)) as engine, progress(console, len(chosen)) as heard:
        found = calibration.calibrate(chosen, engine, jobs=jobs, again=again, on_trial=heard)
    if all(row.trials == row.invalid for row in found.rows):
        why = next((row.note for row in found.rows if row.note), "no trial was valid")
        raise InfrastructureError(f"no trial of any player was valid: {why}", hint="`evalh sandbox doctor`")
    click.echo(found.model_dump_json(indent=2) if as_json else shown(found), nl=as_json)


@contextmanager
def progress(console: Console, scenarios: int) -> Iterator[Callable[[], None]]:
    """Hears of each trial: a bar on a terminal, nothing elsewhere."""
    from reports.calibration import PLAYERS

    columns = (TextColumn("calibration"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task("calibration", total=scenarios * len(PLAYERS))
        yield lambda: bar.advance(task)


def shown(found: CalibrationFile) -> str:
    """The rates as a table, a column for each player, and what is wrong with the suite."""
    from reports.calibration import calibration_notes
    from reports.tally import METRICS

    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for name in ("metric", *(row.player for row in found.rows)):
        table.add_column(Text(name), justify="left" if name == "metric" else "right")
    for metric in METRICS:
        rates = [row.rates.get(metric) for row in found.rows]
        table.add_row(metric, *(f"{rate.count}/{rate.n}" if rate else "-" for rate in rates))
    console = Console(width=80, color_system=None, highlight=False, markup=False)
    with console.capture() as taken:
        console.print(table)
        for note in calibration_notes(found):
            console.print(f"Note: {note}", soft_wrap=True)
    return "".join(line.rstrip() + "\n" for line in taken.get().splitlines())
