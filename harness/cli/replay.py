"""`evalh replay`: one session, as the model saw it and as the terminal showed it."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import click
from rich.console import Console
from rich.panel import Panel
from rich.text import Text

from harness.errors import BadInputError
from harness.store import StoredSession, read_session, read_trials
from harness.values import LineEnd, Message, Role, TrialRecord, Turn

STYLES = {Role.SYSTEM: "magenta", Role.USER: "cyan", Role.ASSISTANT: "green"}
LONGEST_PAUSE = 2.0  # seconds; longer silences of a recording are shortened to this when played


@click.command()
@click.argument("run", type=click.Path(path_type=Path))
@click.argument("trial", required=False)
@click.option("--terminal", "-t", is_flag=True, help="play the terminal's recording instead of the turns")
@click.option("--fast", is_flag=True, help="with --terminal: without the pauses")
@click.option("--json", "as_json", is_flag=True, help="print the turns as JSON lines")
def replay(*, run: Path, trial: str | None, terminal: bool, fast: bool, as_json: bool) -> None:
    """Show TRIAL (as SCENARIO.ARM.REPEAT) of RUN; without TRIAL, list the run's trials."""
    records = _latest(run)
    if trial is None:
        _list(records, as_json=as_json)
        return
    record = _find(records, trial, run)
    session = read_session(run, record.key, record.attempt)
    if terminal or fast:
        _play(session.cast, fast=fast)
    elif as_json:
        for message in _messages(session):
            click.echo(json.dumps({"role": message.role.value, "content": message.content}))
    else:
        _show(record, session)


def _latest(run: Path) -> dict[str, TrialRecord]:
    if not run.is_dir():
        raise BadInputError(f"{run}: no such run directory", hint="give a directory that `evalh run` made")
    return {str(record.key): record for record in read_trials(run)}


def _find(records: dict[str, TrialRecord], trial: str, run: Path) -> TrialRecord:
    if trial in records:
        return records[trial]
    alike = [name for name in records if trial in name]
    if len(alike) == 1:
        return records[alike[0]]
    shown = ", ".join(alike[:6] or list(records)[:6]) or "none"
    raise BadInputError(f"{run} holds no single trial {trial!r}", hint=f"it holds: {shown} …")


def _list(records: dict[str, TrialRecord], *, as_json: bool) -> None:
    for name, record in sorted(records.items()):
        end = record.terminal.value if record.terminal else "-"
        if as_json:
            click.echo(json.dumps({"trial": name, "outcome": record.outcome.value, "terminal": end}))
        else:
            click.echo(f"{name:44} {record.outcome.value:8} {end:16} {record.turns:3} turns  {_plain(record.reason)}")


def _messages(session: StoredSession) -> Iterator[Message]:
    yield from session.opening
    for turn in session.turns:
        yield Message(role=Role.ASSISTANT, content=turn.completion.text)
        if turn.lines:
            yield Message(role=Role.USER, content=turn.observation)


def _show(record: TrialRecord, session: StoredSession) -> None:
    console = Console(highlight=False)
    console.print(Text(f"{record.key}  {record.outcome}  {_plain(record.reason)}", style="bold"))
    for message in session.opening:
        _panel(console, message.role.value, message.content, STYLES[message.role], "")
    for turn in session.turns:
        _panel(console, f"assistant {turn.index}", turn.completion.text, "green", _tokens(turn))
        if turn.lines:
            _panel(console, "user", turn.observation, "cyan", _statuses(turn))
    if session.end is None:
        console.print("the session was cut short")
    else:
        status = "" if session.end.status is None else f" with status {session.end.status}"
        reason = f": {_plain(session.end.reason)}" if session.end.reason else ""
        console.print(Text(f"ended by {session.end.terminal}{status}{reason}", style="bold"))


def _panel(console: Console, title: str, content: str, style: str, note: str) -> None:
    console.print(
        Panel(
            Text(_plain(content, newlines=True)),
            title=title,
            subtitle=note or None,
            title_align="left",
            subtitle_align="right",
            border_style=style,
        )
    )


def _tokens(turn: Turn) -> str:
    counts = turn.completion.prompt_tokens, turn.completion.completion_tokens
    if counts[0] is None or counts[1] is None:
        return "tokens not told by the server"
    return f"{counts[0]} prompt tokens, {counts[1]} reply tokens, {turn.completion.seconds:.1f} s"


def _statuses(turn: Turn) -> str:
    words = [str(line.status) if line.end is LineEnd.PROMPT else line.end.value for line in turn.lines]
    return f"status {', '.join(words)}; {turn.typing_seconds:.2f} s"


def _plain(text: str, *, newlines: bool = False) -> str:
    """Text that cannot steer the reader's terminal."""
    return "".join(c if c.isprintable() or (newlines and c in "\n\t") else "\ufffd" for c in text)


def _play(cast: Path, *, fast: bool) -> None:
    try:
        lines = cast.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError as error:
        raise BadInputError(f"no recording {cast}: {error.strerror}", hint="the trial ended before it began") from error
    before = 0.0
    for line in lines[1:]:
        try:
            at, kind, data = json.loads(line)
        except ValueError:
            break  # the last event was cut by a crash
        if kind != "o":
            continue
        if not fast:
            time.sleep(min(max(float(at) - before, 0.0), LONGEST_PAUSE))
        before = float(at)
        sys.stdout.write(_plain(str(data).replace("\r\n", "\n"), newlines=True))
        sys.stdout.flush()
    sys.stdout.write("\n")
