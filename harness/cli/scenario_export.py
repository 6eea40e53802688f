"""`evalh scenario export`: bundles as tasks of another format."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import click

from harness.cli.scenario_bundles import bundles_at
from harness.errors import BadInputError


@click.command()
@click.option("--harbor", required=True, type=click.Path(path_type=Path), metavar="DIR|FILE", help="bundles to export")
@click.option("--out", required=True, type=click.Path(path_type=Path), metavar="DIR", help="where the tasks go")
@click.option("--json", "as_json", is_flag=True, help="print JSON")
def export(*, harbor: Path, out: Path, as_json: bool) -> None:
    """Write bundles as Harbor tasks (schema 1.4), each into OUT/ID.

    What has no counterpart is refused by name, and the others are written all the same. Exit code 30: some scenario
    was refused.
    """
    from scenarios.interop import export_harbor

    chosen = bundles_at([harbor])
    rows, refused = [], []
    for item in chosen:
        try:
            folder = export_harbor(item, out)
        except BadInputError as error:
            if len(chosen) == 1:
                raise
            refused.append({"id": item.scenario.id, "problems": error.message.split("\n")})
            click.echo(error.message, err=True)
            continue
        rows.append({"id": item.scenario.id, "folder": str(folder)})
        if not as_json:
            click.echo(f"{folder} written")
    if as_json:
        click.echo(json.dumps({"tasks": rows, "refused": refused}, indent=2))
    if refused:
        click.echo(f"{len(refused)} of {len(chosen)} scenarios were refused", err=True)
        sys.exit(BadInputError.exit_code)
