"""Reads a Dockerfile into its instructions, each with its line: continuations, comments, here-documents, JSON forms."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field

_HEREDOC = re.compile(r"<<-?\s*(['\"]?)([A-Za-z_][A-Za-z0-9_]*)\1")
_FLAG = re.compile(r"--([a-z]+)(?:=(\S*))?\s+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Instruction:
    """One instruction: `text` is what follows its word and flags; `words` its JSON form, None in the shell form."""

    line: int
    word: str  # in capitals
    text: str
    flags: tuple[tuple[str, str], ...] = ()
    words: tuple[str, ...] | None = None
    bodies: tuple[str, ...] = field(default=())  # of here-documents


def instructions(text: str) -> Iterator[Instruction]:
    """Every instruction of a Dockerfile, in its order; ValueError for a here-document without its end."""
    lines = text.replace("\r\n", "\n").split("\n")
    at = 0
    while at < len(lines):
        line = lines[at]
        at += 1
        if not line.strip() or line.lstrip().startswith("#"):
            if re.fullmatch(r"#\s*escape\s*=\s*`\s*", line.strip(), re.IGNORECASE):
                raise ValueError(f"line {at}: another escape character than \\ is set")
            continue
        first, parts = at, [line.rstrip()]
        while parts[-1].endswith("\\") and at < len(lines):
            parts[-1] = parts[-1][:-1]
            while at < len(lines) and (lines[at].lstrip().startswith("#") or not lines[at].strip()):
                at += 1  # comments and blank lines do not end an instruction that goes on
            parts.append(lines[at].rstrip() if at < len(lines) else "")
            at += 1
        joined = "".join(parts).strip()
        word, _, rest = joined.partition(" ")
        bodies: list[str] = []
        if word.upper() in {"RUN", "COPY", "ADD"}:
            for _, end in _HEREDOC.findall(joined):
                body, at = _body(lines, at, end, first)
                bodies.append(body)
        yield _instruction(first, word.upper(), rest.strip(), tuple(bodies))


def _body(lines: list[str], at: int, end: str, first: int) -> tuple[str, int]:
    start = at
    while at < len(lines) and lines[at].strip("\t") != end:
        at += 1
    if at == len(lines):
        raise ValueError(f"line {first}: the here-document {end} has no end")
    return "".join(f"{line}\n" for line in lines[start:at]), at + 1


def _instruction(line: int, word: str, rest: str, bodies: tuple[str, ...]) -> Instruction:
    flags: list[tuple[str, str]] = []
    while (found := _FLAG.match(rest)) and word in {"RUN", "COPY", "ADD", "FROM"}:
        flags.append((found[1], found[2] or ""))
        rest = rest[found.end() :]
    words: tuple[str, ...] | None = None
    if rest.startswith("["):
        try:
            data: object = json.loads(rest)
        except ValueError:
            data = None
        if isinstance(data, list) and all(isinstance(item, str) for item in data):
            words = tuple(str(item) for item in data)
    return Instruction(line=line, word=word, text=rest, flags=tuple(flags), words=words, bodies=bodies)
