"""`evalh schema`: the JSON Schema of each format that evalh publishes."""

from __future__ import annotations

import json

import click
from pydantic import BaseModel

import reports
from harness.cli.report import show

DIALECT = {"$schema": "https://json-schema.org/draft/2020-12/schema"}


@click.command()
@click.argument("what", type=click.Choice(["report", "compare", "scenario", "policy"]))
def schema(*, what: str) -> None:
    """Print the JSON Schema of the report, of a comparison of two runs, of a scenario bundle, or of a policy."""
    from reports.compare import Comparison
    from scenarios.bundle import Scenario  # only this command needs it

    models: dict[str, type[BaseModel]] = {
        "report": reports.Report,
        "compare": Comparison,
        "scenario": Scenario,
        "policy": reports.Policy,
    }
    show(json.dumps(DIALECT | models[what].model_json_schema(), indent=2))
