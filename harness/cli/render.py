"""`evalh render`: what the render contract makes of trajectories, as text and ids with what is learnt, to look at."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

import click
from rich.console import Console
from rich.text import Text

import render as contract
from harness.cli.masked import decoded, runs, visible
from harness.cli.variables import template_variables
from harness.errors import BadInputError, RenderError
from harness.tokenizer import load_tokenizer
from harness.values import Message, Role

_HUES = {Role.SYSTEM: "magenta", Role.USER: "cyan", Role.ASSISTANT: "green"}


@click.command()
@click.argument("file", type=click.File(encoding="utf-8", errors="strict"))
@click.option(
    "--tokenizer",
    "directory",
    required=True,
    type=click.Path(path_type=Path, file_okay=False),
    metavar="DIR",
    help="a tokenizer's or a checkpoint's directory",
)
@click.option("--json", "as_json", is_flag=True, help="one JSON object for each trajectory")
@click.option("--inspect", is_flag=True, help="the accounting over the file instead of the trajectories")
@click.option("--separator", default=contract.SEPARATOR, help="between folded and merged turns [default: a blank line]")
@click.option("--chat-template-kwargs", "options", default="{}", metavar="JSON", help="the template's own variables")
def render(*, file: TextIO, directory: Path, as_json: bool, inspect: bool, separator: str, options: str) -> None:
    """Show each trajectory of FILE (JSONL of {"messages": [...]}; - for stdin) as the model will read and learn it."""
    variables = template_variables(options)
    tokenizer = load_tokenizer(directory)
    previews = (
        contract.Preview(error=messages)
        if isinstance(messages, str)
        else contract.preview(tokenizer, messages, separator=separator, chat_template_kwargs=variables)
        for messages in _conversations(file)
    )
    if inspect:
        _account(list(previews), Console(), as_json=as_json)
        return
    console = Console()
    for number, shown in enumerate(previews, start=1):
        if as_json:
            click.echo(json.dumps(as_object(shown)))
        else:
            _show(number, shown, tokenizer, console)


def _conversations(file: TextIO) -> Iterator[tuple[Message, ...] | str]:
    """The messages of each line that is not blank, or what is wrong with the line."""
    try:
        for number, line in enumerate(file, start=1):
            if not line.strip():
                continue
            try:
                yield contract.messages_from_json(json.loads(line))
            except RenderError as error:
                yield str(error)
            except (ValueError, RecursionError):
                yield f"line {number} is not JSON"
    except UnicodeDecodeError as error:
        raise BadInputError(f"{file.name}: not UTF-8 text", hint="give JSON lines in UTF-8") from error


def as_object(shown: contract.Preview) -> dict[str, object]:
    """The preview as `--json` prints it."""
    return {
        "messages": None
        if shown.messages is None
        else [{"role": str(message.role), "content": message.content} for message in shown.messages],
        "text": shown.text,
        "ids": shown.ids,
        "prompt_ids": shown.prompt_ids,
        "examples": [{"ids": one.ids, "labels": one.labels} for one in shown.examples or ()],
        "additive": shown.additive,
        "prefix_stable": shown.prefix_stable,
        "error": shown.error,
    }


def _show(number: int, shown: contract.Preview, tokenizer: contract.ChatTokenizer, console: Console) -> None:
    title = (
        f"trajectory {number}: {len(shown.messages or ())} turns, {len(shown.ids or ())} tokens, {shown.trained} learnt"
    )
    kind = "" if shown.additive is None else ", additive" if shown.additive else ", one example a turn"
    console.print(Text(title + kind, style="bold"))
    for message in shown.messages or ():
        console.print(
            Text(f"{message.role}: ", style=f"bold {_HUES[message.role]}") + Text(visible(message.content)),
            soft_wrap=True,
        )
    for index, example in enumerate(shown.examples or (), start=1):
        console.print(Text(f"example {index}: what is learnt is green", style="bold"))
        pieces, ids = Text(), Text()
        for learnt, run in runs(example):
            style = "green underline" if learnt else "dim"
            pieces.append(visible(str(decoded(tokenizer, run))), style=style)
            ids.append(" ".join(map(str, run)) + " ", style=style)
        console.print(pieces, soft_wrap=True)
        console.print(ids, soft_wrap=True)
    if shown.error:
        console.print(Text(f"refused: {visible(shown.error)}", style="red"), soft_wrap=True)
    console.print()


def _account(previews: list[contract.Preview], console: Console, *, as_json: bool) -> None:
    kept = [shown for shown in previews if shown.error is None]
    examples = [example for shown in kept for example in shown.examples or ()]
    numbers: dict[str, int | bool | dict[str, int]] = {
        "trajectories": len(previews),
        "kept": len(kept),
        "dropped": len(previews) - len(kept),
        "reasons": dict(Counter(shown.error for shown in previews if shown.error is not None)),
        "examples": len(examples),
        "tokens": sum(len(example.ids) for example in examples),
        "trained_tokens": sum(example.trained for example in examples),
        "longest": max((len(example.ids) for example in examples), default=0),
        "additive": sum(bool(shown.additive) for shown in kept),
        "prefix_stable": sum(bool(shown.prefix_stable) for shown in kept),
    }
    if as_json:
        click.echo(json.dumps(numbers))
        return
    for name, value in numbers.items():
        if isinstance(value, dict):
            for reason, count in value.items():
                console.print(Text(f"  {count} x {visible(reason)}"), soft_wrap=True)
        else:
            console.print(Text(f"{name.replace('_', ' ')}: {value}"))
