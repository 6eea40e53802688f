"""The world of a one-JSON scenario: its fixtures as files, its provider, and where its directives stand."""

from __future__ import annotations

import base64
import re
import shlex
from dataclasses import dataclass, replace
from typing import Any, Final

from scenarios.interop.draft import DraftFile
from scenarios.interop.places import paths_in, refusal, yard
from scenarios.interop.sdc_checks import absolute
from scenarios.interop.sdc_reading import Reader, shown

_WORD: Final = re.compile(r"[a-z][a-z0-9_-]*")
_PLAIN: Final = frozenset(("file", "files", "text", "txt", "readme", "document", "static", "none"))
DEFAULT_PATH: Final = "/srv/work/directives.txt"


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """Where the directives stand, how they are read, and by what name the scenario calls their provider."""

    path: str
    text: str
    read: str  # the command that shows them
    provider: str
    files: tuple[DraftFile, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """What an announcement or a reply may call them by, the best first."""
        programs = tuple(file.path.rsplit("/", 1)[-1] for file in self.files if file.path.startswith("/usr/local/bin/"))
        return (*programs, self.path)


def fixtures(reader: Reader) -> tuple[DraftFile, ...]:
    """The files that the scenario places."""
    value = reader.any("fixtures", "files", "fixture")
    if value is None:
        return ()
    if isinstance(value, dict) and isinstance(value.get("files"), dict | list):
        value = value["files"]
    if isinstance(value, dict):
        entries = [(path, item if isinstance(item, dict) else {"content": item}) for path, item in value.items()]
    elif isinstance(value, list) and all(isinstance(item, dict) for item in value):
        entries = [(str(item.get("path", item.get("name", ""))), item) for item in value]
    else:
        reader.refuse("fixtures", f"an object of paths, or a list of objects, is needed, and this is {shown(value)}")
        return ()
    return tuple(_fixture(reader, path, item) for path, item in entries)


def _fixture(reader: Reader, path: str, item: dict[str, Any]) -> DraftFile:
    inner = reader.table(f"fixtures[{path!r}]", item)
    inner.any("path", "name", "type")
    text = inner.text("content", "text", "lines", "data", "body")
    content = (text or "").encode()
    if inner.any("encoding") == "base64":
        try:
            content = base64.b64decode(content, validate=True)
        except ValueError:
            inner.refuse("content", "it is no base64")
    elif text is None and "content" not in item:
        inner.found.note(f"{absolute(path)} is an empty file")
    mode = str(inner.any("mode", "permissions") or ("755" if item.get("executable") else "644")).removeprefix("0o")
    owner = str(inner.any("owner", "user") or "operator")
    if owner not in {"operator", "root"}:
        inner.refuse("owner", f"worlds have the users root and operator, and no {owner}")
        owner = "root"
    if not path or path.endswith("/"):
        inner.refuse("path", "a fixture needs the path of a file", "make a directory in `setup`")
        return DraftFile(path=DEFAULT_PATH, content=b"")
    if not path.startswith("/"):
        inner.found.note("fixtures without a leading / lie in the operator's home")
    if why := refusal(absolute(path)):
        inner.refuse("path", why)
    return DraftFile(path=absolute(path), content=content, mode=mode.zfill(3)[-4:], owner=owner)


def told(reader: Reader, announced: str) -> Told:
    """The directives and their provider; `announced` is all the text of the landing."""
    name, path, program = _provider(reader)
    own, text = _directives(reader)
    found = reader.found
    if not text.strip():
        reader.refuse("directives", "they say nothing", "give the text that tells what is to be done")
    place = own or path
    if not place:
        mentioned = [one for one in paths_in(announced) if not refusal(one) and "." in one.rsplit("/", 1)[-1]]
        place = mentioned[0] if mentioned else DEFAULT_PATH
        found.note(f"the directives stand in {place}")
    directives = DraftFile(path=place, content=f"{text.rstrip(chr(10))}\n".encode(), owner="root")
    for one in (place, *((program.path,) if program else ())):
        if why := refusal(one):
            reader.refuse("directives", why)
    if program is None:
        return Told(path=place, text=text, read=f"cat {shlex.quote(place)}", provider=name, files=(directives,))
    if not program.content:
        found.note(f"{program.path} is a program that prints the directives, whatever it is asked")
        body = f"#!/bin/sh\n# Prints the directives, whatever it is asked.\ncat {shlex.quote(place)}\n"
        program = replace(program, content=body.encode())
        return Told(path=place, text=text, read=name, provider=name, files=(directives, program))
    return Told(path=place, text=text, read=f"cat {shlex.quote(place)}", provider=name, files=(directives, program))


def _provider(reader: Reader) -> tuple[str, str, DraftFile | None]:
    """The provider's name, the path of the directives if it tells one, and a program (empty: one has to be made)."""
    value = reader.any("provider")
    if value is None:
        reader.found.note("there is no provider, so the directives are a file")
        return "file", "", None
    if isinstance(value, str) and value.startswith("/"):
        return "file", value, None
    if isinstance(value, str):
        word = value.strip().lower()
        if word in _PLAIN or not _WORD.fullmatch(word):
            return word or "file", "", None
        return word, "", DraftFile(path=f"/usr/local/bin/{word}", content=b"", mode="755", owner="root")
    if not isinstance(value, dict):
        reader.refuse("provider", f"a name or an object is needed, and this is {shown(value)}")
        return "file", "", None
    inner = reader.table("provider", value)
    kind = str(inner.any("type", "kind") or "file").lower()
    name = str(inner.any("name", "command", "program") or kind)
    path: str = inner.text("path", "file", "location") or ""
    body = inner.text("content", "script", "source", "body", "code")
    for key in inner.unknown():
        inner.found.note(f"provider.{key} was not understood")
    if body is None and (kind in _PLAIN or not _WORD.fullmatch(name)):
        return name if name.isprintable() and name.strip() else "file", path and absolute(path), None
    place = absolute(path) if path else f"/usr/local/bin/{name.rsplit('/', 1)[-1]}"
    return name, "", DraftFile(path=place, content=(body or "").encode(), mode="755", owner="root")


def _directives(reader: Reader) -> tuple[str, str]:
    """Where the directives stand ("" if that is not said), and their text."""
    value = reader.any("directives", "directive", "instructions")
    if isinstance(value, dict):
        inner = reader.table("directives", value)
        path = inner.text("path", "file", "location")
        text = inner.text("text", "content", "body", "lines", "directives") or ""
        return (absolute(path) if path else ""), text
    if isinstance(value, list) and any(isinstance(item, dict) for item in value):
        parts = []
        for index, item in enumerate(value):
            inner = reader.table(f"directives[{index}]", item if isinstance(item, dict) else {"text": item})
            lines = (inner.text("title", "name", "id"), inner.text("text", "content", "body", "directive"))
            parts.append("\n".join(line for line in lines if line))
        reader.found.note("several directives stand one below the other in one file")
        return "", "\n\n".join(parts)
    return "", reader.text("directives", "directive", "instructions") or ""


def yards(files: tuple[DraftFile, ...]) -> tuple[str, ...]:
    """The directories that hold fixtures of the operator, and so are the operator's."""
    found = {yard(file.path, is_file=True) for file in files if file.owner == "operator"}
    return tuple(sorted(found - {""}))
