"""`evalh demo`: the real small model, its trajectories and its adapter, each made when it is not there."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from harness.demo.places import ADAPTER, BASE, GGUF, TRAJECTORIES

if TYPE_CHECKING:
    from harness.demo.train import Step

_EVERY = 10  # steps or sessions between two plain lines

base_option = click.option(
    "--base", type=click.Path(path_type=Path), default=BASE, show_default=True, help="the checkpoint's directory"
)
data_option = click.option(
    "--data", type=click.Path(path_type=Path), default=TRAJECTORIES, show_default=True, help="the trajectories"
)
scenarios_option = click.option(
    "--scenarios", type=click.Path(path_type=Path), help="training scenarios [default: the shipped training split]"
)
engine_option = click.option(
    "--engine", type=click.Choice(["auto", "docker", "crun"]), default="auto", show_default=True, help="of containers"
)
concurrency_option = click.option(
    "--concurrency", type=click.IntRange(1, 64), default=4, show_default=True, help="sessions at a time"
)
out_option = click.option(
    "--out", type=click.Path(path_type=Path), default=ADAPTER, show_default=True, help="the adapter's directory"
)
steps_option = click.option("--steps", type=click.IntRange(1), default=240, show_default=True, help="of training")
seed_option = click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="of training")
threads_option = click.option("--threads", type=click.IntRange(1), help="of the CPU [default: all it may use]")


@click.group()
def demo() -> None:
    """Make the demonstration model (SmolLM2-135M-Instruct) and an adapter for it.

    Each step is skipped when what it makes is there already.
    """


@demo.command()
@base_option
def fetch(*, base: Path) -> None:
    """Fetch the model's file (93 MB, checksum pinned) and make an ordinary checkpoint of it."""
    _fetch(Console(stderr=True), base)


@demo.command()
@scenarios_option
@data_option
@base_option
@engine_option
@concurrency_option
def record(*, scenarios: Path | None, data: Path, base: Path, engine: str, concurrency: int) -> None:
    """Record the training scenarios' reference replies in real containers, as trajectories."""
    _record(Console(stderr=True), scenarios=scenarios, data=data, base=base, engine=engine, concurrency=concurrency)


@demo.command()
@data_option
@base_option
@out_option
@steps_option
@seed_option
@threads_option
def train(*, data: Path, base: Path, out: Path, steps: int, seed: int, threads: int | None) -> None:
    """Train a LoRA adapter on the trajectories (minutes, on the CPU)."""
    _train(Console(stderr=True), data=data, base=base, out=out, steps=steps, seed=seed, threads=threads)


@demo.command(name="all")
@scenarios_option
@engine_option
@concurrency_option
@steps_option
@seed_option
@threads_option
def everything(
    *, scenarios: Path | None, engine: str, concurrency: int, steps: int, seed: int, threads: int | None
) -> None:
    """Fetch, record and train, as far as something is missing."""
    console = Console(stderr=True)
    _fetch(console, BASE)
    _record(console, scenarios=scenarios, data=TRAJECTORIES, base=BASE, engine=engine, concurrency=concurrency)
    _train(console, data=TRAJECTORIES, base=BASE, out=ADAPTER, steps=steps, seed=seed, threads=threads)


def _fetch(console: Console, base: Path) -> None:
    from harness.demo.convert import convert, is_converted
    from harness.demo.fetch import fetch as fetch_file

    say = _sayer(console)
    if is_converted(base):
        say(f"{base} is there")
        return
    convert(fetch_file(GGUF, say=say), base, say=say)


def _record(console: Console, *, scenarios: Path | None, data: Path, base: Path, engine: str, concurrency: int) -> None:
    from harness.demo.record import RecordPlan
    from harness.demo.record import record as record_sessions

    plan = RecordPlan(scenarios=scenarios, out=data, base=base, engine=engine, concurrency=concurrency)
    with _progress(console, "sessions") as update:
        record_sessions(plan, say=_sayer(console), on_done=lambda done, total: update(done, total, ""))


def _train(console: Console, *, data: Path, base: Path, out: Path, steps: int, seed: int, threads: int | None) -> None:
    from harness.demo.train import TrainPlan
    from harness.demo.train import train as train_adapter

    plan = TrainPlan(data=data, base=base, out=out, steps=steps, seed=seed, threads=threads)
    with _progress(console, "steps") as update:

        def stepped(step: Step) -> None:
            told = f"loss {step.loss:.3f}, {step.accuracy:.0%} of tokens right, {step.seconds:.0f} s"
            update(step.number, step.steps, told)

        train_adapter(plan, say=_sayer(console), on_step=stepped)


def _sayer(console: Console) -> Callable[[str], None]:
    return lambda text: console.print(text, markup=False, highlight=False, soft_wrap=True)


@contextmanager
def _progress(console: Console, unit: str) -> Iterator[Callable[[int, int, str], None]]:
    """A bar on a terminal, a plain line now and then elsewhere; called with done, total and a remark."""
    if not console.is_terminal:
        say = _sayer(console)

        def line(done: int, total: int, remark: str) -> None:
            if done in {1, total} or done % _EVERY == 0:
                say(f"{done}/{total} {unit}" + (f": {remark}" if remark else ""))

        yield line
        return
    columns = (
        TextColumn(unit),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[remark]}"),
    )
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task(unit, total=None, remark="", visible=False)
        yield lambda done, total, remark: bar.update(task, completed=done, total=total, remark=remark, visible=True)
