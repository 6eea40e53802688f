"""`evalh scenario lint`: what is wrong with bundles, or doubtful, told without a container."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import click

from harness.cli.scenario_bundles import bundles_at
from harness.errors import BadInputError, BundleError


@click.command()
@click.argument("places", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="DIR|FILE...")
@click.option("--json", "as_json", is_flag=True, help="print JSON")
def lint(*, places: tuple[Path, ...], as_json: bool) -> None:
    """Read bundles and tell what is wrong (exit code 30), and what is doubtful (0)."""
    from harness.certify.lint import lint as lint_one

    try:
        loaded = bundles_at(places)
    except BundleError as error:
        if not as_json:
            raise
        click.echo(json.dumps({"errors": error.message.split("\n"), "warnings": []}, indent=2))
        sys.exit(BadInputError.exit_code)
    found: dict[tuple[str, str], tuple[str, str]] = {}  # a template's doubt once, with the instance that shows it
    for item in loaded:
        for warn in lint_one(item):
            found.setdefault((str(item.path), warn.key), (warn.message, item.scenario.id))
    if as_json:
        rows = [{"file": file, "id": name, "key": key, "message": text} for (file, key), (text, name) in found.items()]
        click.echo(json.dumps({"errors": [], "warnings": rows}, indent=2))
        return
    for (file, key), (text, name) in found.items():
        click.echo(f"{file}: {key}: {text}" + (f" (in the instance {name})" if name != Path(file).stem else ""))
    files = len({item.path for item in loaded})
    click.echo(f"bundles: {files}, scenarios: {len(loaded)}, doubts: {len(found)}")
