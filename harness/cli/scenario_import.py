"""`evalh scenario import`: tasks of other formats as bundles."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from harness.errors import BadInputError

if TYPE_CHECKING:
    from scenarios import LoadedScenario
    from scenarios.interop import Draft


@click.command("import")
@click.option("--harbor", type=click.Path(path_type=Path), metavar="DIR", help="a Harbor task, or a folder of them")
@click.option("--posix-sdc", type=click.Path(path_type=Path), metavar="FILE", help="a scenario in one JSON object")
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    default=Path("my-scenarios"),
    show_default=True,
    help="the suite's folder; in one that is named train it is written for training",
)
@click.option("--archetype", default="", help="the family of scenarios that it belongs to [default: the task's own]")
@click.option("--accept-base", is_flag=True, help="take any base image for Debian 12 with its essential programs")
@click.option("--json", "as_json", is_flag=True, help="print JSON")
def import_(
    *, harbor: Path | None, posix_sdc: Path | None, out: Path, archetype: str, accept_base: bool, as_json: bool
) -> None:
    """Make bundles, OUT/ARCHETYPE/ID.toml, of tasks in another format; prove them with `evalh scenario check`.

    What has no counterpart is refused by name, with file and line; what was assumed or changed is told on standard
    error and kept in the bundle's provenance. Exit code 30: some task was refused.
    """
    from scenarios.interop import harbor_tasks, place, read_harbor, read_posix_sdc
    from scenarios.interop.draft import is_name

    if (harbor is None) is (posix_sdc is None):
        raise BadInputError("one source is needed", hint="give --harbor DIR or --posix-sdc FILE")
    if archetype and not is_name(archetype):
        raise BadInputError(f"{archetype!r} is no name for an archetype", hint="use small letters, digits and -")
    if posix_sdc is not None:
        tasks: Sequence[Path] = (posix_sdc,)
    else:
        tasks = harbor_tasks(harbor or Path())

    def read(task: Path) -> Draft:
        if posix_sdc is not None:
            return read_posix_sdc(task, archetype=archetype)
        return read_harbor(task, archetype=archetype, accept_base=accept_base)

    def run(task: Path) -> tuple[Draft, LoadedScenario]:
        draft = read(task)
        return draft, place(draft, out)

    _import_all(tasks, run, as_json=as_json)


def _import_all(tasks: Sequence[Path], run: Callable[[Path], tuple[Draft, LoadedScenario]], *, as_json: bool) -> None:
    rows: list[dict[str, object]] = []
    refused: list[dict[str, object]] = []
    for task in tasks:
        try:
            draft, loaded = run(task)
        except BadInputError as error:
            if len(tasks) == 1:
                raise
            refused.append({"task": str(task), "problems": error.message.split("\n")})
            click.echo(error.message, err=True)
            continue
        for note in draft.notes:
            click.echo(f"{draft.id}: {note}", err=True)
        if not as_json:
            click.echo(f"{loaded.path} written")
        row = {"id": draft.id, "archetype": draft.archetype, "file": str(loaded.path), "digest": loaded.digest}
        rows.append({**row, "task": str(task), "notes": list(draft.notes)})
    if as_json:
        click.echo(json.dumps({"bundles": rows, "refused": refused}, indent=2))
    if refused:
        click.echo(f"{len(refused)} of {len(tasks)} tasks were refused", err=True)
        sys.exit(BadInputError.exit_code)
