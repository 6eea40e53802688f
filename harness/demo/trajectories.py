"""Trajectories on disk: one JSON object a line, the messages of a session and which scenario they came from."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.errors import BadInputError, RenderError
from harness.values import Message, Role, Session
from render import messages_from_json, replied


@dataclass(frozen=True, slots=True, kw_only=True)
class Trajectory:
    """A finished session as a trainer reads it: it ends with the assistant turn that ended the session."""

    scenario: str
    messages: tuple[Message, ...]


def from_session(scenario: str, session: Session, *, control_tokens: Sequence[str] = ()) -> Trajectory:
    """The trajectory of a session: its opening, then reply and observation by turns, up to the last reply.

    What followed the last reply nobody read; it is left out.
    """
    messages = list(session.opening)
    for turn in session.turns:
        messages.append(Message(role=Role.ASSISTANT, content=replied(turn.completion.text, control_tokens)))
        messages.append(Message(role=Role.USER, content=turn.observation))
    if session.turns:
        messages.pop()
    return Trajectory(scenario=scenario, messages=tuple(messages))


def write_trajectories(path: Path, trajectories: Iterable[Trajectory]) -> int:
    """Write the file whole or not at all; returns how many trajectories it holds."""
    path.parent.mkdir(parents=True, exist_ok=True)
    scratch = path.with_name(f".{path.name}.partial")
    count = 0
    try:
        with scratch.open("w", encoding="utf-8") as sink:
            for trajectory in trajectories:
                sink.write(_line(trajectory) + "\n")
                count += 1
        scratch.replace(path)
    finally:
        scratch.unlink(missing_ok=True)
    return count


def read_trajectories(path: Path) -> tuple[Trajectory, ...]:
    """Every trajectory of the file; blank lines are skipped, keys beside `messages` and `scenario` ignored.

    Raises:
        BadInputError: no such file, or a line that is no trajectory (file, line number and turn are named).
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise BadInputError(f"cannot read {path}: {reason}", hint="make it with `evalh demo record`") from error
    found = [_read_line(f"{path}:{number}", line) for number, line in enumerate(lines, start=1) if line.strip()]
    if not found:
        raise BadInputError(f"{path} holds no trajectories", hint="make it with `evalh demo record`")
    return tuple(found)


def digest(path: Path) -> str:
    """`sha256:...` of the file's bytes."""
    return f"sha256:{hashlib.sha256(path.read_bytes()).hexdigest()}"


def _line(trajectory: Trajectory) -> str:
    turns = [{"role": str(message.role), "content": message.content} for message in trajectory.messages]
    return json.dumps({"messages": turns, "scenario": trajectory.scenario}, ensure_ascii=False)


def _read_line(where: str, line: str) -> Trajectory:
    try:
        value = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise BadInputError(f"{where}: not JSON", hint='one object a line: {"messages": [...]}') from error
    try:
        messages = messages_from_json(value)
    except RenderError as error:
        raise BadInputError(f"{where}: {error.message}", hint=error.hint) from error
    scenario = value.get("scenario", "")
    return Trajectory(scenario=scenario if isinstance(scenario, str) else "", messages=messages)
