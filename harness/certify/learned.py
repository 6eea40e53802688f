"""What was trained on: the texts that a model read and the replies that it learned, from sessions or from bundles."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import scenarios
from harness.errors import BadInputError, RenderError
from harness.values import Role
from render import messages_from_json


@dataclass(frozen=True, slots=True, kw_only=True)
class Lesson:
    """One trajectory or training scenario: its name, the texts that it shows, and its replies."""

    name: str
    texts: tuple[str, ...]
    replies: tuple[str, ...]


def lessons(path: Path) -> tuple[Lesson, ...]:
    """The lessons of a JSONL file of trajectories, or of a folder of bundles.

    A line is `{"messages": [...]}`, with `scenario` naming it or `meta.scenario`; other keys are ignored.

    Raises:
        BadInputError: the file cannot be read or is empty, or a line of it is no trajectory. BundleError: a bad bundle.
    """
    found = tuple(_of_bundles(path) if path.is_dir() else _of_lines(path))
    if not found:
        raise BadInputError(f"{path} holds no trajectories", hint='one object a line: {"messages": [...]}')
    return found


def _of_bundles(folder: Path) -> Iterator[Lesson]:
    for item in scenarios.load_dir(folder):
        landing = item.scenario.landing
        texts = (landing.orientation, landing.banner, landing.motd, *(_text(file.content) for file in item.files))
        yield Lesson(
            name=item.scenario.id,
            texts=tuple(text for text in texts if text.strip()),
            replies=item.scenario.reference.replies,
        )


def _text(content: bytes) -> str:
    return content.decode(errors="replace")


def _of_lines(path: Path) -> Iterator[Lesson]:
    try:
        with path.open(encoding="utf-8") as source:
            for number, line in enumerate(source, start=1):
                if line.strip():
                    yield _of_line(f"{path}:{number}", line)
    except OSError as error:
        raise BadInputError(f"cannot read {path}: {error.strerror}", hint="give a JSONL file or a folder") from error
    except UnicodeDecodeError as error:
        raise BadInputError(f"{path} is not UTF-8 text", hint="trajectories are JSON, one object a line") from error


def _of_line(where: str, line: str) -> Lesson:
    try:
        value = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise BadInputError(f"{where}: not JSON", hint='one object a line: {"messages": [...]}') from error
    try:
        messages = messages_from_json(value)
    except RenderError as error:
        raise BadInputError(f"{where}: {error.message}", hint=error.hint) from error
    return Lesson(
        name=_name(value) or where,
        texts=tuple(message.content for message in messages if message.role is not Role.ASSISTANT),
        replies=tuple(message.content for message in messages if message.role is Role.ASSISTANT),
    )


def _name(value: object) -> str:
    if not isinstance(value, dict):
        return ""
    meta = value.get("meta")
    named = value.get("scenario") or (meta.get("scenario") if isinstance(meta, dict) else "")
    return named if isinstance(named, str) else ""
