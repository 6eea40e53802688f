"""`evalh record`: training trajectories from the reference replies of scenarios, in real containers."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import click
from rich.console import Console

from harness.cli.making import counting, sayer
from harness.errors import BadInputError
from harness.training.record import Recorded, RecordPlan
from harness.training.record import record as record_sessions


@click.command()
@click.option(
    "--scenarios",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="training scenarios [default: the shipped training split]",
)
@click.option(
    "--split",
    type=click.Choice(["train", "holdout"]),
    default="train",
    show_default=True,
    help="only train: what a model is judged by is never trained on",
)
@click.option("--out", required=True, type=click.Path(path_type=Path, dir_okay=False), metavar="FILE", help="JSONL")
@click.option(
    "--tokenizer", type=click.Path(path_type=Path), metavar="DIR", help="whose control tokens no text may spell"
)
@click.option("--base", type=click.Path(path_type=Path), metavar="DIR", help="the same of a checkpoint")
@click.option(
    "--engine", type=click.Choice(["auto", "docker", "crun"]), default="auto", show_default=True, help="of containers"
)
@click.option("--concurrency", type=click.IntRange(1, 64), default=4, show_default=True, help="sessions at a time")
@click.option("--json", "as_json", is_flag=True, help="one JSON object on stdout at the end")
def record(
    *,
    scenarios: Path | None,
    split: str,
    out: Path,
    tokenizer: Path | None,
    base: Path | None,
    engine: str,
    concurrency: int,
    as_json: bool,
) -> None:
    """Record the reference replies of training scenarios, typed into real containers, as trajectories.

    Each line of FILE is {"messages": [...], "meta": {...}}. A scenario whose reference does not pass is an error.
    Nothing is recorded again while FILE is of the same scenarios.
    """
    if split != "train":
        raise BadInputError(
            "--split holdout: held-out scenarios are never recorded", hint="what a model is judged by is not trained on"
        )
    lender = tokenizer or base
    if lender is None:
        raise BadInputError(
            "recording needs the tokenizer of the model to train: its control tokens are broken in every text",
            hint="give --base DIR or --tokenizer DIR",
        )
    plan = RecordPlan(scenarios=scenarios, out=out, tokenizer=lender, engine=engine, concurrency=concurrency)
    made = perform(plan, Console(stderr=True))
    if as_json:
        click.echo(json.dumps({**asdict(made), "path": str(made.path)}))


def perform(plan: RecordPlan, console: Console) -> Recorded:
    """Record with progress on `console`."""
    with counting(console, "sessions") as update:
        return record_sessions(plan, say=sayer(console), on_done=lambda done, total: update(done, total, ""))


def command_line(plan: RecordPlan) -> list[str]:
    """The command that does what `perform` does."""
    given = [] if plan.scenarios is None else ["--scenarios", str(plan.scenarios)]
    rest = ["--engine", plan.engine, "--concurrency", str(plan.concurrency)]
    return ["evalh", "record", *given, "--base", str(plan.tokenizer), "--out", str(plan.out), *rest]
