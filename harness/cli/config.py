"""`evalh config`: the effective settings, and where each of them came from."""

from __future__ import annotations

import json
from pathlib import Path

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from harness.cli.options import Flag, run_options
from harness.cli.settings import effective


@click.command()
@click.option("--config", type=click.Path(path_type=Path), help="settings file; default: ./evalh.toml")
@click.option("--json", "as_json", is_flag=True, help="print JSON")
@run_options
def config(*, config: Path | None, as_json: bool, **flags: Flag) -> None:
    """Show the settings that `evalh run` would use with the same flags."""
    merged = effective(flags, config, complete=False)
    values = merged.settings.model_dump(mode="json")
    if as_json:
        rows = {name: {"value": value, "source": merged.sources[name]} for name, value in values.items()}
        click.echo(json.dumps(rows, indent=2))
        return
    table = Table("setting", "value", "from")
    for name, value in values.items():
        table.add_row(name, Text("-" if value is None else str(value)), Text(merged.sources[name]))
    Console().print(table)
