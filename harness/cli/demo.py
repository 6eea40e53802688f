"""`evalh demo`: the real small model, and on top of it what `evalh record` and `evalh train` make."""

from __future__ import annotations

from pathlib import Path

import click
from rich.console import Console

from harness.demo.places import BASE, GGUF
from harness.demo.plans import STEPS, record_plan, train_plan


@click.group()
def demo() -> None:
    """Make the demonstration model (SmolLM2-135M-Instruct), an adapter for it, and what they show.

    Each step is skipped when what it makes is there already.
    """


@demo.command()
@click.option(
    "--base", type=click.Path(path_type=Path), default=BASE, show_default=True, help="the checkpoint's directory"
)
def fetch(*, base: Path) -> None:
    """Fetch the model's file (93 MB, checksum pinned) and make an ordinary checkpoint of it."""
    _fetch(Console(stderr=True), base)


@demo.command(name="all")
@click.option(
    "--scenarios", type=click.Path(path_type=Path), help="training scenarios [default: the shipped training split]"
)
@click.option(
    "--engine", type=click.Choice(["auto", "docker", "crun"]), default="auto", show_default=True, help="of containers"
)
@click.option("--concurrency", type=click.IntRange(1, 64), default=4, show_default=True, help="sessions at a time")
@click.option("--steps", type=click.IntRange(1), default=STEPS, show_default=True, help="of training")
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="of training")
@click.option("--threads", type=click.IntRange(1), help="of the CPU [default: all it may use]")
def everything(
    *, scenarios: Path | None, engine: str, concurrency: int, steps: int, seed: int, threads: int | None
) -> None:
    """Fetch, then record and train by the ordinary commands, which are shown; as far as something is missing."""
    from harness.cli import record, train

    console = Console(stderr=True)
    _fetch(console, BASE)
    recording = record_plan(scenarios=scenarios, engine=engine, concurrency=concurrency)
    _show(console, record.command_line(recording))
    record.perform(recording, console)
    training = train_plan(steps=steps, seed=seed, threads=threads)
    _show(console, train.command_line(training))
    train.perform(training, console, resume="replace")


@demo.command()
@click.option("--steps", type=click.IntRange(1), default=STEPS, show_default=True, help="of either training")
@click.option("--n", default="all", show_default=True, metavar="N|all|SUBSET", help="held-out scenarios")
@click.option("--out", type=click.Path(path_type=Path), default=Path("docs"), show_default=True, help="a directory")
def results(*, steps: int, n: str, out: Path) -> None:
    """Show what breadth of training is worth: results.md and results.json (an hour or two).

    Trains on the first training split and on the present one, and runs both on the held-out suite. To be run in the
    root of a full clone; what an earlier attempt made in build/results is used again.
    """
    from harness.demo.results.making import make_results
    from harness.demo.results.page import page
    from harness.store import write_atomically

    console = Console(stderr=True)
    _fetch(console, BASE)
    found = make_results(steps=steps, n=n, show=lambda words: _show(console, words))
    write_atomically(out / "results.json", found.model_dump_json(indent=1) + "\n")
    write_atomically(out / "results.md", page(found))
    click.echo(f"{out / 'results.md'} and {out / 'results.json'} written")


def _fetch(console: Console, base: Path) -> None:
    from harness.cli.making import sayer
    from harness.demo.convert import convert, is_converted
    from harness.demo.fetch import fetch as fetch_file

    say = sayer(console)
    if is_converted(base):
        say(f"{base} is there")
        return
    convert(fetch_file(GGUF, say=say), base, say=say)


def _show(console: Console, words: list[str]) -> None:
    from harness.cli.making import spelled

    console.print(spelled(words), markup=False, highlight=False, soft_wrap=True)
