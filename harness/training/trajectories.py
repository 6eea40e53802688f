"""Trajectories on disk: one JSON object a line, the messages of a session and what is known of it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import render
from harness.errors import BadInputError, RenderError
from harness.values import Message, Role, Session
from render import messages_from_json, replied

OnBad = Callable[[int, str], None]
"""Hears the number of a line that is left out, and why."""

_HINT: Final = "make it with `evalh record`"
_RENDERED: Final = ("tools", "functions", "documents", "system", "chat_template", "chat_template_kwargs")
_WORDS: Final = ("scenario", "id")  # keys beside `messages` that name a trajectory where there is no meta


@dataclass(frozen=True, slots=True, kw_only=True)
class Trajectory:
    """A finished session as a trainer reads it: it ends with the assistant turn that ended the session."""

    messages: tuple[Message, ...]
    meta: Mapping[str, str] = field(default_factory=dict)
    line: int = field(default=0, compare=False)  # in its file, from 1; 0 where it never was in one

    @property
    def scenario(self) -> str:
        """The scenario that it came from, "" if it does not say."""
        return self.meta.get("scenario", "")


def from_session(
    session: Session, *, meta: Mapping[str, str] | None = None, control_tokens: Sequence[str] = ()
) -> Trajectory:
    """The trajectory of a session: its opening, then reply and observation by turns, up to the last reply.

    What followed the last reply nobody read; it is left out.
    """
    messages = list(session.opening)
    for turn in session.turns:
        messages.append(Message(role=Role.ASSISTANT, content=replied(turn.completion.text, control_tokens)))
        messages.append(Message(role=Role.USER, content=turn.observation))
    if session.turns:
        messages.pop()
    return Trajectory(messages=tuple(messages), meta=dict(meta or {}))


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


def read_trajectories(path: Path, *, on_bad: OnBad | None = None) -> tuple[Trajectory, ...]:
    """Every trajectory of the file; blank lines are skipped, and keys that no template renders are ignored.

    With `on_bad`, a line that is no trajectory is told to it and left out; without, it is refused.

    Raises:
        BadInputError: no such file, nothing in it, or a line that is no trajectory (file, line and turn are named).
    """
    try:
        lines = _bytes(path).decode("utf-8").split("\n")  # not splitlines: JSON strings may hold other line ends
    except UnicodeDecodeError as error:
        raise BadInputError(f"cannot read {path}: it is not UTF-8 text", hint=_HINT) from error
    found: list[Trajectory] = []
    written = [(number, line) for number, line in enumerate(lines, start=1) if line.strip()]
    for number, line in written:
        try:
            found.append(_read_line(number, line))
        except BadInputError as error:
            if on_bad is None:
                raise BadInputError(f"{path}:{number}: {error.message}", hint=error.hint) from error
            on_bad(number, error.message)
    if not written:
        raise BadInputError(f"{path} holds no trajectories", hint=_HINT)
    return tuple(found)


def digest(path: Path) -> str:
    """`sha256:...` of the file's bytes. Raises BadInputError where it cannot be read."""
    return f"sha256:{hashlib.sha256(_bytes(path)).hexdigest()}"


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise BadInputError(f"cannot read {path}: {error.strerror}", hint=_HINT) from error


def _line(trajectory: Trajectory) -> str:
    turns = [{"role": str(message.role), "content": message.content} for message in trajectory.messages]
    return json.dumps({"messages": turns, "meta": dict(trajectory.meta)}, ensure_ascii=False)


def _read_line(number: int, line: str) -> Trajectory:
    try:
        value = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise BadInputError("not JSON", hint='one object a line: {"messages": [...]}') from error
    try:
        messages = messages_from_json(value)
    except RenderError as error:
        raise BadInputError(error.message, hint=error.hint) from error
    changing = [key for key in _RENDERED if value.get(key)]
    if changing:
        raise BadInputError(
            f"it carries {', '.join(changing)}, which a template would render and the contract cannot represent",
            hint="a trajectory is messages alone; the template's own variables go into --chat-template-kwargs",
        )
    meta = _meta(value)
    if meta.get("render_contract", render.CONTRACT_VERSION) != render.CONTRACT_VERSION:
        raise BadInputError(
            f"it was recorded under render contract {meta['render_contract']}, this is {render.CONTRACT_VERSION}",
            hint="record it again: what the model reads would be written otherwise now",
        )
    return Trajectory(messages=messages, meta=meta, line=number)


def _meta(value: Mapping[str, object]) -> Mapping[str, str]:
    """What `meta` says in words; where there is none, what stands beside the messages."""
    meta = value.get("meta")
    told = meta if isinstance(meta, dict) else {key: value[key] for key in _WORDS if key in value}
    return {key: said for key, said in told.items() if isinstance(said, str)}
