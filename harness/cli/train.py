"""`evalh train`: a LoRA adapter from trajectories, learnt through the same render that serving is checked by."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.text import Text

from harness.cli.making import counting, sayer
from harness.cli.masked import masked
from harness.cli.variables import template_variables
from harness.errors import BadInputError
from harness.tokenizer import load_tokenizer
from harness.training.checkpoints import Resume, last_checkpoint, step_of
from harness.training.curve import sparkline
from harness.training.plan import AUTO_TARGETS, Step, TrainPlan
from harness.training.train import Trained, batches_of, examples_of
from harness.training.train import train as train_adapter

_DEFAULT = TrainPlan(data=Path(), base=Path(), out=Path())


def _number(
    flag: str, name: str, kind: click.ParamType[Any], text: str
) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """An option whose default is the plan's own."""
    return click.option(flag, name, type=kind, default=getattr(_DEFAULT, name), show_default=True, help=text)


@click.command()
@click.option(
    "--data", required=True, type=click.Path(path_type=Path), metavar="FILE", help='JSONL: {"messages": [...]} a line'
)
@click.option("--base", required=True, type=click.Path(path_type=Path), metavar="DIR", help="the checkpoint to adapt")
@click.option("--out", type=click.Path(path_type=Path), metavar="DIR", help="the adapter's directory")
@click.option("--inspect", is_flag=True, help="account for the data, show the first example, and stop")
@click.option("--steps", type=click.IntRange(1), help="of training [default: as many as the epochs take]")
@_number("--epochs", "epochs", click.IntRange(1, 1000), "passes over the data")
@_number("--batch-tokens", "batch_tokens", click.IntRange(1), "about so many tokens in a step, padding counted")
@_number("--max-tokens", "max_tokens", click.IntRange(2), "longer examples are left out")
@_number("--lr", "learning_rate", click.FloatRange(0, 1, min_open=True), "the highest learning rate")
@_number("--warm-up", "warm_up", click.FloatRange(0, 1), "the part of the steps in which the rate rises")
@_number("--clip", "clip", click.FloatRange(0, min_open=True), "of the gradient's norm")
@_number("--rank", "rank", click.IntRange(1, 1024), "of the LoRA matrices")
@click.option("--alpha", type=click.IntRange(1), help="LoRA's alpha [default: twice the rank]")
@_number("--dropout", "dropout", click.FloatRange(0, 1, max_open=True), "of LoRA")
@click.option(
    "--targets",
    default=",".join(AUTO_TARGETS),
    show_default=True,
    metavar="NAMES",
    help="layers to adapt, with commas; auto: attention and MLP, or all-linear where they have other names",
)
@_number("--seed", "seed", click.IntRange(0, 2**32 - 1), "of the order, the first weights and dropout")
@_number("--dtype", "dtype", click.Choice(["auto", "float32", "bfloat16"]), "that the base is computed in")
@_number("--device", "device", click.Choice(["auto", "cpu", "cuda"]), "to train on")
@click.option("--load-4bit", is_flag=True, help="QLoRA: quantise the base on load (CUDA and bitsandbytes)")
@click.option("--gradient-checkpointing", is_flag=True, help="less memory, more time")
@click.option("--chat-template-kwargs", default="{}", metavar="JSON", help="variables for the chat template")
@click.option("--drop-bad", is_flag=True, help="leave out lines that cannot be rendered, and count them")
@_number("--save-every", "save_every", click.IntRange(1), "steps between checkpoints")
@click.option("--resume/--no-resume", default=True, show_default=True, help="go on from the last checkpoint")
@click.option("--threads", type=click.IntRange(1), help="of the CPU [default: one for a tiny model, else all]")
@click.option("--json", "as_json", is_flag=True, help="one JSON object on stdout at the end")
def train(
    *,
    out: Path | None,
    inspect: bool,
    targets: str,
    chat_template_kwargs: str,
    resume: bool,
    as_json: bool,
    **settings: Any,
) -> None:
    """Train a LoRA adapter on trajectories.

    Exactly the tokens of the replies and of what ends them are learnt, each after the prompt that a server would have
    sent. The same command finishes a training that was interrupted.
    """
    if out is None and not inspect:
        raise BadInputError("where is the adapter to be written?", hint="give --out DIR, or --inspect")
    plan = TrainPlan(
        out=out or Path(),
        targets=tuple(name.strip() for name in targets.split(",") if name.strip()) or AUTO_TARGETS,
        chat_template_kwargs=template_variables(chat_template_kwargs),
        **settings,
    )
    if inspect:
        _inspect(plan, as_json=as_json)
        return
    console = Console(stderr=True)
    made = perform(plan, console, resume="same" if resume else "never")
    if as_json:
        click.echo(json.dumps(as_object(made)))


def perform(plan: TrainPlan, console: Console, *, resume: Resume = "same") -> Trained:
    """Train with progress on `console`; an interruption says how to go on."""
    say = sayer(console)
    reached = 0
    try:
        with counting(console, "steps") as update:

            def stepped(step: Step) -> None:
                nonlocal reached
                reached = step.number
                told = f"loss {step.loss:.3f}, {step.accuracy:.0%} of tokens right, {step.seconds:.0f} s"
                update(step.number, step.steps, told)

            made = train_adapter(plan, say=say, on_step=stepped, resume=resume)
    except KeyboardInterrupt:
        kept = last_checkpoint(plan.out)
        if kept is not None:
            say(f"evalh: stopped after step {reached}; the same command goes on after step {step_of(kept)}")
        raise
    if made.steps:
        losses = [step.loss for step in made.steps]
        say(f"loss {losses[0]:.3f} {sparkline(losses)} {losses[-1]:.3f}")
    return made


def as_object(made: Trained) -> dict[str, object]:
    """What `--json` prints of a training; without losses where nothing had to be trained."""
    last = made.steps[-1] if made.steps else None
    return {
        "adapter": str(made.adapter),
        "fresh": last is not None,
        "steps": len(made.steps),
        "resumed_after": made.resumed_after,
        "first_loss": made.steps[0].loss if last else None,
        "last_loss": last.loss if last else None,
        "accuracy": last.accuracy if last else None,
        "seconds": last.seconds if last else None,
    }


def command_line(plan: TrainPlan) -> list[str]:
    """The command that does what `perform` does; what is as by default is left out."""
    words = ["evalh", "train", "--data", str(plan.data), "--base", str(plan.base), "--out", str(plan.out)]
    flags = {"learning_rate": "--lr"}
    for name in ("steps", "epochs", "batch_tokens", "learning_rate", "rank", "alpha", "seed", "threads", "save_every"):
        value = getattr(plan, name)
        if value != getattr(_DEFAULT, name):
            words += [flags.get(name, f"--{name.replace('_', '-')}"), str(value)]
    return words


def _inspect(plan: TrainPlan, *, as_json: bool) -> None:
    """The accounting over the data and the first example; needs a tokenizer alone, no weights."""
    tokenizer = load_tokenizer(plan.base, flag="--base")
    prepared = examples_of(plan, tokenizer)
    steps = len(batches_of(plan, prepared))
    numbers = {**prepared.counts, "steps": steps}
    if as_json:
        click.echo(json.dumps({**numbers, "reasons": dict(prepared.reasons)}))
        return
    console = Console()
    for name, value in numbers.items():
        console.print(Text(f"{name.replace('_', ' ')}: {value}"))
    for reason, count in prepared.reasons.items():
        console.print(Text(f"  {count} x {reason}"), soft_wrap=True)
    console.print(Text("the first example; what is learnt is green", style="bold"))
    console.print(masked(tokenizer, prepared.examples[0]), soft_wrap=True)
