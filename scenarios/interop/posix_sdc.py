"""A scenario in one JSON object (provider, announcement, directives, fixtures, checker, reference) as a bundle."""

from __future__ import annotations

import re
import shlex
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any, Final

from scenarios.interop.draft import Draft, DraftFile, Table, slug
from scenarios.interop.findings import Findings
from scenarios.interop.retrieval import telling
from scenarios.interop.sdc_checks import absolute, sdc_checks
from scenarios.interop.sdc_reading import Reader, read_json, shown
from scenarios.interop.sdc_world import Told, fixtures, told, yards

_CHANNELS: Final = ("motd", "banner", "env", "file", "help")
_COMMENT: Final = ("$schema", "description", "comment", "notes", "title", "schema_version", "version", "author")
_DEFAULT_TURNS: Final = 12


def read_posix_sdc(path: Path, *, archetype: str = "") -> Draft:
    """The bundle that a file becomes; nothing is run or written, and every assumption is in its notes.

    `archetype` is the file's own (`archetype` or `category`), or "posix-sdc", where it is not said. Raises
    RefusedError with a line for everything that cannot be understood.
    """
    found = Findings()
    reader = read_json(path, found)
    name = reader.text("id", "name", "scenario_id", "scenario") or path.stem
    channel, landing, files = _announcement(reader)
    placed = fixtures(reader)
    directives = told(reader, "\n".join([*_texts(landing), *(file.content.decode() for file in files)]))
    _lead(landing, files, channel, directives, found)
    checks = _checks(reader)
    replies, expected = _reference(reader, directives, landing.get("env", {}))
    own = reader.text("archetype", "category") or "posix-sdc"
    setup = _setup(reader, placed)
    limits = _limits(reader, replies)
    tags = _tags(reader, name, channel, directives)
    for key in reader.unknown():
        if key not in _COMMENT:
            found.note(f"{key} was not understood, and is left out")
    found.settle()
    everything = {file.path: file for file in (*placed, *files, *directives.files)}
    return Draft(
        id=slug(name),
        archetype=archetype or slug(own),
        origin=f"imported from {path.name}, a scenario in one JSON object",
        tags=tags,
        landing=landing,
        files=tuple(everything.values()),
        setup=setup,
        retrieved_when=telling(directives.text, tuple(_texts(landing))),
        checks=tuple(checks),
        replies=replies,
        expected=expected,
        limits=limits,
        notes=tuple(f"assumed: {note}" for note in found.notes),
    )


def _checks(reader: Reader) -> list[Table]:
    value = reader.any("checker", "check", "checks", "verifier")
    refused = reader.found.refused
    checks = sdc_checks(reader, "checker", value) if value else []
    if not checks and reader.found.refused == refused:
        reader.refuse("checker", "there is nothing that could be judged", "give a script in sh")
    return checks


def _texts(landing: Mapping[str, Any]) -> list[str]:
    env = landing.get("env", {})
    return [str(landing.get("motd", "")), str(landing.get("banner", "")), *map(str, env.values())]


def _announcement(reader: Reader) -> tuple[str, dict[str, Any], list[DraftFile]]:
    """The channel, the landing, and a file in the operator's home where that announces."""
    orientation = reader.text("orientation", "system", "system_prompt")
    landing: dict[str, Any] = {"orientation": orientation} if orientation else {}
    value = reader.any("announcement", "announce")
    if isinstance(value, str) and value.strip().lower() in _CHANNELS:
        value = {"type": value.strip().lower()}
    if value is None or isinstance(value, str | list):
        if value is not None:
            reader.found.note("the announcement is the message of the day")
        text = reader.text("announcement", "announce") or ""
        return "motd", {**landing, **({"motd": _line(text)} if text.strip() else {})}, []
    if not isinstance(value, dict):
        reader.refuse("announcement", f"a text or an object is needed, and this is {shown(value)}")
        return "motd", landing, []
    inner = reader.table("announcement", value)
    channel = str(inner.any("type", "kind", "channel", "via", "method") or "").lower()
    if not channel:
        channel = next((one for one in _CHANNELS if one in value), "motd")
        inner.found.note(f"the announcement is of the kind {channel}")
    if channel not in _CHANNELS:
        inner.refuse("type", f"there is no announcement by {channel!r}", f"known are {', '.join(_CHANNELS)}")
        channel = "motd"
    if channel == "env":
        return channel, {**landing, "env": _variables(inner)}, []
    text = inner.text("text", "content", "message", "value", channel) or ""
    if channel == "file":
        place = absolute(inner.text("path", "name", "filename") or "README")
        return channel, landing, [DraftFile(path=place, content=_line(text).encode())]
    shown_in = channel if channel == "banner" else "motd"
    return channel, {**landing, **({shown_in: _line(text)} if text.strip() else {})}, []


def _line(text: str) -> str:
    return f"{text.rstrip(chr(10))}\n"


def _variables(inner: Reader) -> dict[str, str]:
    given = inner.any("env", "variables", "vars")
    if isinstance(given, dict) and all(isinstance(value, str) for value in given.values()):
        return dict(given)
    name = inner.text("name", "variable", "var", "key") or (given if isinstance(given, str) else None)
    value = inner.text("value", "text", "content", "path") or ""
    if not name or not re.fullmatch(r"[A-Za-z_]\w*", name):
        name = "DIRECTIVES"
        inner.found.note("the variable that announces is DIRECTIVES")
    return {name: value}


def _lead(landing: dict[str, Any], files: list[DraftFile], channel: str, directives: Told, found: Findings) -> None:
    """Let the announcement name the directives, or their provider, where it does not."""
    said = "\n".join([*_texts(landing), *(file.content.decode() for file in files)])
    if any(_mentions(said, name) for name in directives.names):
        return
    where = directives.names[0]
    found.note(f"the announcement did not say where to look, and names {where} now")
    if channel == "file":
        old = files[0].content.decode().strip("\n")
        files[0] = DraftFile(path=files[0].path, content=_line(f"{old}\nOrders: {where}".strip("\n")).encode())
    elif channel == "env" and not all(landing["env"].values()):
        landing["env"] = {name: value or where for name, value in landing["env"].items()}
    else:
        key = "banner" if channel == "banner" else "motd"
        landing[key] = str(landing.get(key, "")) + f"Orders: {where}\n"


def _mentions(text: str, name: str) -> bool:
    return re.search(rf"(?<![\w-]){re.escape(name)}(?![\w-])", text) is not None


def _reference(reader: Reader, directives: Told, variables: Collection[str]) -> tuple[tuple[str, ...], str]:
    """The reply of each turn, and how the last of them ends the session."""
    value = reader.any("reference_solution", "reference", "solution", "replies")
    if isinstance(value, dict):
        value = next((value[name] for name in ("commands", "replies", "steps") if name in value), None)
    if isinstance(value, str):
        reader.found.note("every line of the reference is a reply of its own")
        value = [line for line in value.split("\n") if line.strip()]
    commands = [_command(item) for item in value] if isinstance(value, list) else []
    if not commands or None in commands:
        reader.refuse("reference_solution", "a list of commands is needed")
        return ("exit",), "exit"
    replies = [str(command).rstrip() for command in commands if str(command).strip()]
    expected = _expected(reader, replies[-1])
    if replies[-1].rsplit("\n", 1)[-1].split()[:1] != [expected]:
        reader.found.note(f"the reference ends with {expected}")
        replies.append("exit" if expected == "exit" else "panic it cannot be done")
    ways = (*directives.names, directives.path.rsplit("/", 1)[-1], *variables)
    if not any(_mentions(reply, way) for way in ways for reply in replies):
        reader.found.note(f"the reference reads the directives first, with {directives.read}")
        replies.insert(0, directives.read)
    return tuple(replies), expected


def _command(item: object) -> str | None:
    if isinstance(item, dict):
        item = next((item[name] for name in ("command", "cmd", "reply", "input", "text") if name in item), None)
    return item if isinstance(item, str) else None


def _expected(reader: Reader, last: str) -> str:
    said = reader.any("expected_terminal", "terminal", "expected_end", "expected_outcome", "outcome")
    flag = reader.any("panic", "should_panic", "expect_panic", "blocked")
    solvable = reader.any("solvable", "feasible")
    if said in {"exit", "panic"}:
        return str(said)
    if said is not None:
        reader.refuse("expected_terminal", f"it is {said!r}", "say exit or panic")
    if isinstance(flag, bool) or isinstance(solvable, bool):
        return "panic" if flag is True or solvable is False else "exit"
    ends = "panic" if last.rsplit("\n", 1)[-1].split()[:1] == ["panic"] else "exit"
    reader.found.note(f"it rightly ends with {ends}")
    return ends


def _setup(reader: Reader, placed: tuple[DraftFile, ...]) -> str:
    script = reader.text("setup", "setup_script", "setup_commands") or ""
    own = yards(placed)
    if own:
        reader.found.note(f"the operator owns {', '.join(own)}")
    parts = [script.rstrip("\n")] if script.strip() else []
    parts += [f"find {shlex.join(own)} -type d -exec chown operator:operator '{{}}' +"] if own else []
    return "\n".join(parts) + "\n" if parts else ""


def _limits(reader: Reader, replies: tuple[str, ...]) -> dict[str, Any]:
    turns = reader.any("max_turns", "turns", "turn_limit")
    if isinstance(turns, int) and not isinstance(turns, bool) and turns >= len(replies):
        return {"turns": min(turns, 200)}
    if turns is not None:
        reader.found.note(f"{turns!r} turns are too few for the reference, and are not kept")
    return {"turns": min(len(replies) + 4, 200)} if len(replies) > _DEFAULT_TURNS else {}


def _tags(reader: Reader, name: str, channel: str, directives: Told) -> dict[str, Any]:
    difficulty = reader.any("difficulty")
    known = {"trivial": 1, "easy": 2, "medium": 3, "hard": 4}
    level = known.get(str(difficulty).lower(), difficulty if difficulty in (1, 2, 3, 4, 5) else 2)
    task = reader.text("task") or slug(name)
    return {
        "task": task.strip().split("\n")[0][:80] or "task",
        "provider": directives.provider or "file",
        "announcement": channel,
        "difficulty": level,
    }
