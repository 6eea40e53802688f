"""`evalh parity`: whether a server reads, token for token, what the render contract says."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

import render as contract
from harness.arms import api_key
from harness.cli.variables import template_variables
from harness.endpoint import OpenAIEndpoint
from harness.errors import BadInputError, RenderError
from harness.parity.audit import Audit, RawSystem, Row, audit
from harness.parity.contract import LocalContract
from harness.parity.conversations import Conversation, hard_conversations
from harness.values import Message, ParityLevel, Role

DIFFERS = 20
_LEVELS = tuple(ParityLevel)
_RAW = {
    RawSystem.FOLDS: "the server folds a system turn as the contract does",
    RawSystem.APART: "the server keeps a system turn apart: fold it before you send it, as evalh does",
    RawSystem.ONE_NEWLINE: "the server folds a system turn with one newline: fold it before you send it, as evalh does",
    RawSystem.REFUSES: "the server refuses a system turn: fold it before you send it, as evalh does",
    RawSystem.OTHER: "the server makes something else of a system turn: fold it before you send it, as evalh does",
    RawSystem.UNKNOWN: "what the server makes of a system turn cannot be told",
}


@click.command()
@click.option(
    "--tokenizer",
    "directory",
    required=True,
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="the tokenizer that training used, or a checkpoint with it",
)
@click.option("--endpoint", "url", required=True, metavar="URL", help="a chat-completions server")
@click.option("--model", "models", multiple=True, metavar="NAME", help="a served model [default: all; may be repeated]")
@click.option(
    "--trajectories",
    type=click.File(encoding="utf-8", errors="strict"),
    metavar="FILE",
    help='JSONL of {"messages": [...]}: the prompts of each are compared, too',
)
@click.option("--chat-template-kwargs", "options", default="{}", metavar="JSON", help="the template's own variables")
@click.option("--raw", is_flag=True, help="leave folding the system turn and merging neighbours to the server")
@click.option("--json", "as_json", is_flag=True, help="one JSON object")
@click.option("--api-key-env", default="EVALH_API_KEY", metavar="VAR", help="variable with the endpoint's key")
@click.pass_context
def parity(
    context: click.Context,
    *,
    directory: Path,
    url: str,
    models: tuple[str, ...],
    trajectories: TextIO | None,
    options: str,
    raw: bool,
    as_json: bool,
    api_key_env: str,
) -> None:
    """Compare what a server reads with the local render, over hard conversations; exit 20 where they differ."""
    variables = template_variables(options)
    local = LocalContract.load(directory, chat_template_kwargs=variables)
    conversations = [*hard_conversations(local.control_tokens), *(_prompts(trajectories) if trajectories else ())]
    console = Console(stderr=as_json)
    with OpenAIEndpoint(url, api_key=api_key(api_key_env), chat_template_kwargs=variables) as endpoint:
        names = models or endpoint.models()
        audits = []
        for name in names:
            with console.status(f"{name}: {len(conversations)} conversations"):
                audits.append(audit(endpoint, name, local, conversations, raw=raw))
    if not audits:
        raise BadInputError(f"{url} lists no model", hint="give --model NAME")
    if as_json:
        click.echo(json.dumps(as_object(audits), ensure_ascii=False))
    else:
        _show(audits, local, console)
    context.exit(0 if all(made.agrees for made in audits) else DIFFERS)


def _prompts(file: TextIO) -> Iterator[Conversation]:
    """Every prompt of every trajectory, each one once: the history before each reply, or the whole if it has none."""
    seen: set[tuple[Message, ...]] = set()
    try:
        for number, line in enumerate(file, start=1):
            if not line.strip():
                continue
            try:
                messages = contract.messages_from_json(json.loads(line))
            except RenderError as error:
                raise BadInputError(f"{file.name}:{number}: {error.message}", hint=error.hint) from error
            except (ValueError, RecursionError) as error:
                raise BadInputError(f"{file.name}:{number}: not JSON", hint="give one JSON object a line") from error
            for at, history in _histories(messages):
                if history not in seen:
                    seen.add(history)
                    yield Conversation(name=f"line {number}, turn {at}", messages=history)
    except UnicodeDecodeError as error:
        raise BadInputError(f"{file.name}: not UTF-8 text", hint="give JSON lines in UTF-8") from error


def _histories(messages: tuple[Message, ...]) -> Iterator[tuple[int, tuple[Message, ...]]]:
    for at, message in enumerate(messages):
        if message.role == Role.ASSISTANT and at and messages[at - 1].role != Role.ASSISTANT:
            yield at + 1, messages[:at]
    if messages and messages[-1].role == Role.USER:
        yield len(messages) + 1, messages


def as_object(audits: list[Audit]) -> dict[str, object]:
    """What `--json` prints: `level` is the weakest reached, `stop_tokens` and `raw_system` are tables by model."""
    rows = [row for made in audits for row in made.rows]
    levels = [*(made.level for made in audits), *(row.level for row in rows if row.agrees is not None)]
    return {
        "level": str(max(levels, key=_LEVELS.index)),
        "models": [made.model for made in audits],
        "agrees": all(made.agrees for made in audits),
        "cause": next((made.cause for made in audits if made.cause), None),
        "rows": [_row(row) for row in rows],
        "stop_tokens": {
            made.model: {
                "end_id": made.stop_tokens.end_id,
                "end_text": made.stop_tokens.end_text,
                "honoured": made.stop_tokens.honoured,
                "note": made.stop_tokens.note,
            }
            for made in audits
        },
        "raw_system": {made.model: None if made.raw_system is None else str(made.raw_system) for made in audits},
        "unproven": list(dict.fromkeys(sentence for made in audits for sentence in made.unproven)),
    }


def _row(row: Row) -> dict[str, object]:
    return {
        "name": row.name,
        "model": row.model,
        "level": str(row.level),
        "tokens": row.tokens,
        "agrees": row.agrees,
        "cause": row.cause,
        "causes": list(row.causes),
        "difference": row.difference,
        "note": row.note,
    }


def _show(audits: list[Audit], local: LocalContract, console: Console) -> None:
    for made in audits:
        console.print(Text(f"{made.model} against the {local.title}", style="bold"), soft_wrap=True)
        table = Table(box=None)
        for heading in ("conversation", "level", "tokens", "agrees", ""):
            table.add_column(heading, justify="right" if heading == "tokens" else "left")
        for row in made.rows:
            table.add_row(row.name, str(row.level), str(row.tokens or "-"), _word(row.agrees), row.cause or row.note)
        console.print(table)
        _explain(made, console)


def _word(agrees: bool | None) -> Text:  # noqa: FBT001 - three values of one finding
    return {True: Text("yes", "green"), False: Text("NO", "bold red"), None: Text("not compared", "yellow")}[agrees]


def _explain(made: Audit, console: Console) -> None:
    """The differences in full, then what holds beside the rows."""
    differing = [row for row in made.rows if row.agrees is False]
    for row in differing:
        console.print(Text(f"{row.name}: {row.difference}", style="red"), soft_wrap=True)
    stops = made.stop_tokens
    if stops.honoured is not None:
        words = "ends a reply" if stops.honoured else f"does NOT end a reply: {stops.note}"
        console.print(Text(f"stop token {stops.end_text} (id {stops.end_id}) {words}"), soft_wrap=True)
    if made.raw_system is not None:
        console.print(Text(_RAW[made.raw_system]), soft_wrap=True)
    for sentence in made.unproven:
        console.print(Text(f"unproven: {sentence}", style="yellow"), soft_wrap=True)
    if made.agrees:
        verdict = f"{made.model}: {sum(row.agrees is True for row in made.rows)} agree at level {made.level}"
    else:
        likely = f"; likeliest cause: {made.cause}" if made.cause else ""
        verdict = f"{made.model}: {len(differing)} of {len(made.rows)} conversations differ{likely}"
    console.print(Text(verdict, style="bold"), soft_wrap=True)
