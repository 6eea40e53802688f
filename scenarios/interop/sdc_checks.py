"""The checker of a one-JSON scenario, in the shapes it may come in, as checks of a bundle."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Callable, Mapping
from typing import Any, Final

from scenarios.interop.absent import absent_programs
from scenarios.interop.draft import Table
from scenarios.interop.places import HOME
from scenarios.interop.sdc_reading import Reader, shown

_KINDS: Final[Mapping[str, str]] = {
    **dict.fromkeys(("script", "shell", "sh", "command", "cmd", "bash"), "script"),
    **dict.fromkeys(("file_equals", "equals", "file_content", "content", "file_content_equals"), "file_equals"),
    **dict.fromkeys(("file_contains", "contains", "file_content_contains"), "file_contains"),
    **dict.fromkeys(("file_matches", "matches", "regex"), "file_matches"),
    **dict.fromkeys(("file_exists", "exists", "path_exists"), "file_exists"),
    **dict.fromkeys(("file_absent", "absent", "not_exists", "file_not_exists", "missing"), "file_absent"),
    **dict.fromkeys(("json_equals", "json"), "json_equals"),
    **dict.fromkeys(("mode", "permissions"), "mode"),
    **dict.fromkeys(("line_count", "lines"), "line_count"),
}
_ALL: Final = frozenset(("all", "and", "all_of", "checks"))


def absolute(path: str) -> str:
    """A path of the world: what is relative, or begins with ~/, lies in the operator's home."""
    return path if path.startswith("/") else f"{HOME}/{path.removeprefix('~/').removeprefix('./')}"


def sdc_checks(reader: Reader, name: str, value: Any) -> list[Table]:
    """The checks that a checker stands for; what cannot be one is refused."""
    if isinstance(value, str):
        return _script(reader, name, value)
    if isinstance(value, list):
        if value and all(isinstance(item, str) for item in value):
            reader.found.note("the lines of the checker must all succeed, each a command")
            return [check for item in value for check in _script(reader, name, item)]
        return [check for index, item in enumerate(value) for check in sdc_checks(reader, f"{name}[{index}]", item)]
    if not isinstance(value, dict):
        reader.refuse(name, f"a script, an object or a list of them is needed, and this is {shown(value)}")
        return []
    return _object(reader.table(name, value), reader, name)


def _object(inner: Reader, outer: Reader, name: str) -> list[Table]:
    kind = inner.any("type", "kind", "check")
    for several in sorted(_ALL & set(inner.data)):
        return sdc_checks(outer, f"{name}.{several}", inner.any(several))
    if kind is None:
        return _untyped(inner, outer, name)
    if str(kind) not in _KINDS:
        outer.refuse(name, f"there is no way to judge {str(kind)!r}", f"known are {', '.join(sorted(set(_KINDS)))}")
        return []
    return _KNOWN[_KINDS[str(kind)]](inner, outer, name)


def _untyped(inner: Reader, outer: Reader, name: str) -> list[Table]:
    """An object without a kind: told by its keys, or paths with the texts they must have."""
    keys = set(inner.data)
    if keys & {"script", "command", "cmd", "shell"}:
        return _command(inner, outer, name)
    if "path" in keys and keys & {"content", "expected", "equals"}:
        inner.found.note(f"{name} wants the file's text to be equal")
        return _equals(inner, outer, name)
    files = inner.data.get("files", inner.data)
    if isinstance(files, dict) and files and all("/" in path and isinstance(text, str) for path, text in files.items()):
        inner.found.note(f"{name} names files and the texts that they must have")
        return [{"kind": "file_equals", "path": absolute(path), "content": text} for path, text in files.items()]
    outer.refuse(name, "it does not say how it judges", "give it a type, such as script or file_equals")
    return []


def _script(reader: Reader, name: str, text: str) -> list[Table]:
    if re.fullmatch(r"[\w./]+(?:\.py(?::\w+)?|:\w+)", text.strip()):
        reader.refuse(name, f"{text.strip()!r} names code that is not in the file", "give a script in sh")
        return []
    for line, program, why in absent_programs(text):
        reader.refuse(name, f"line {line}: {program}: {why}", "write the checker in sh")
    reader.found.note("a checker is a script in sh, run as root in the operator's home; its status 0 passes")
    return [{"kind": "script", "script": f"cd {HOME} || exit 1\n{text.rstrip(chr(10))}\n"}] if text.strip() else []


def _command(inner: Reader, outer: Reader, name: str) -> list[Table]:
    text = inner.text("script", "command", "cmd", "shell", "run")
    expected = inner.text("expected_output", "stdout", "output", "expected", "expect")
    status = inner.any("expected_exit_code", "exit_code", "status")
    if text is None:
        outer.refuse(name, "its command is missing")
        return []
    if expected is not None:
        inner.found.note("a command's output must be equal to what is expected, but for newlines at its end")
        text = f'[ "$(\n{text}\n)" = {shlex.quote(expected.rstrip(chr(10)))} ]'
    elif status not in (None, 0):
        text = f"(\n{text}\n)\n[ $? -eq {shlex.quote(str(status))} ]"
    return _script(outer, name, text)


def _path(inner: Reader, outer: Reader, name: str) -> str | None:
    path = inner.text("path", "file", "target", "filename")
    if path is None:
        outer.refuse(name, "its path is missing")
    return None if path is None else absolute(path)


def _equals(inner: Reader, outer: Reader, name: str) -> list[Table]:
    return _with(inner, outer, name, "file_equals", "content", ("content", "expected", "equals", "text", "value"))


def _matches(inner: Reader, outer: Reader, name: str) -> list[Table]:
    return _with(inner, outer, name, "file_matches", "pattern", ("pattern", "regex", "matches", "expected"))


def _contains(inner: Reader, outer: Reader, name: str) -> list[Table]:
    found = _with(inner, outer, name, "file_matches", "pattern", ("text", "contains", "content", "expected", "value"))
    return [{**check, "pattern": re.escape(str(check["pattern"]))} for check in found]


def _permissions(inner: Reader, outer: Reader, name: str) -> list[Table]:
    found = _with(inner, outer, name, "mode", "mode", ("mode", "permissions", "expected"))
    return [{**check, "mode": str(check["mode"]).removeprefix("0o").zfill(3)} for check in found]


def _count(inner: Reader, outer: Reader, name: str) -> list[Table]:
    found = _with(inner, outer, name, "line_count", "count", ("count", "lines", "expected"))
    if found and not str(found[0]["count"]).isdigit():
        outer.refuse(name, "its count is no number")
        return []
    return [{**check, "count": int(str(check["count"]))} for check in found]


def _json(inner: Reader, outer: Reader, name: str) -> list[Table]:
    path, value = _path(inner, outer, name), inner.any("value", "expected", "equals", "content")
    text = value if isinstance(value, str) and "value" in inner.data else json.dumps(value)
    at = inner.text("at", "pointer") or ""
    return [] if path is None else [{"kind": "json_equals", "path": path, "value": text, "at": at}]


def _with(inner: Reader, outer: Reader, name: str, kind: str, key: str, names: tuple[str, ...]) -> list[Table]:
    path, value = _path(inner, outer, name), inner.text(*names)
    if value is None:
        outer.refuse(name, f"what it expects is missing ({names[0]})")
    return [] if path is None or value is None else [{"kind": kind, "path": path, key: value}]


def _presence(kind: str) -> Callable[[Reader, Reader, str], list[Table]]:
    def check(inner: Reader, outer: Reader, name: str) -> list[Table]:
        path = _path(inner, outer, name)
        return [] if path is None else [{"kind": kind, "path": path}]

    return check


_KNOWN: Final[Mapping[str, Callable[[Reader, Reader, str], list[Table]]]] = {
    "script": _command,
    "file_equals": _equals,
    "file_contains": _contains,
    "file_matches": _matches,
    "file_exists": _presence("file_exists"),
    "file_absent": _presence("file_absent"),
    "json_equals": _json,
    "mode": _permissions,
    "line_count": _count,
}
