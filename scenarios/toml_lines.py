"""Where in a TOML text a key stands: a map from key paths to line numbers, for error messages.

The text has already been read by tomllib, so it is valid; this scanner only keeps count of where
things are. It knows tables, arrays of tables, dotted keys, inline tables, arrays, comments and all
four kinds of strings.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping

from scenarios.problems import KeyPath

_BLANK = re.compile(r"(?:[ \t\r\n]|#[^\n]*)*")
_SPACE = re.compile(r"[ \t]*")
_KEY = re.compile(r"""[A-Za-z0-9_-]+|"(?:[^"\\\n]|\\.)*"|'[^'\n]*'""")
_STRING = re.compile(
    r'"""(?:[^"\\]+|\\.|"(?!""))*"{3,5}'
    r"|'''(?:[^']+|'(?!''))*'{3,5}"
    r'|"(?:[^"\\\n]|\\.)*"'
    r"|'[^'\n]*'",
    re.DOTALL,
)
_SCALAR = re.compile(r"[^,\]}#\n]*")


def line_numbers(text: str) -> Mapping[KeyPath, int]:
    """The line (from 1) of every key, table and array item of a valid TOML text.

    A table that only exists as part of longer names (`[a.b]` makes `a`) has the line of its first mention.
    """
    scan = _Scan(text.replace("\r\n", "\n"))
    try:
        scan.document()
    except RecursionError:
        scan.lines.setdefault((), 1)  # nested too deep to follow: what is known so far is still true
    return scan.lines


def line_of(lines: Mapping[KeyPath, int], key: KeyPath) -> int:
    """The line of `key`, or of the nearest thing around it that stands in the text; 1 for the file."""
    while key and key not in lines:
        key = key[:-1]
    return lines.get(key, 1)


class _Scan:
    def __init__(self, text: str) -> None:
        self.lines: dict[KeyPath, int] = {(): 1}
        self._text = text
        self._at = 0
        self._line = 1
        self._counted = 0  # the position up to which newlines were counted
        self._tables: dict[KeyPath, int] = {}  # how many tables an array of tables has so far

    def document(self) -> None:
        """Scan everything."""
        table: KeyPath = ()
        self._skip(_BLANK)
        while self._at < len(self._text):
            if self._text.startswith("[[", self._at):
                table = self._header(brackets=2)
            elif self._text[self._at] == "[":
                table = self._header(brackets=1)
            else:
                self._pair(table)
            self._skip(_BLANK)

    def _header(self, *, brackets: int) -> KeyPath:
        self._at += brackets
        parts = self._parts()
        self._at += brackets
        table = self._within((), parts[:-1])
        name = (*table, parts[-1])
        if brackets == 1:
            table = self._latest(name)
        else:
            index = self._tables.get(name, 0)
            self._tables[name] = index + 1
            self._mark(name)
            table = (*name, index)
        self._mark(table)
        return table

    def _latest(self, name: KeyPath) -> KeyPath:
        count = self._tables.get(name, 0)
        return (*name, count - 1) if count else name

    def _within(self, base: KeyPath, parts: tuple[str, ...]) -> KeyPath:
        for part in parts:
            base = self._latest((*base, part))
            self._mark(base)
        return base

    def _pair(self, table: KeyPath) -> None:
        parts = self._parts()
        key = (*self._within(table, parts[:-1]), parts[-1])
        self._mark(key)
        self._at += 1  # the sign =
        self._skip(_SPACE)
        self._value(key)

    def _parts(self) -> tuple[str, ...]:
        found: list[str] = []
        while True:
            self._skip(_SPACE)
            match = _KEY.match(self._text, self._at)
            if match is None:  # pragma: no cover - tomllib has refused such a text
                raise ValueError(f"no key at character {self._at}")
            found.append(_name(match[0]))
            self._at = match.end()
            self._skip(_SPACE)
            if not self._text.startswith(".", self._at):
                return tuple(found)
            self._at += 1

    def _value(self, key: KeyPath) -> None:
        opening = self._text[self._at]
        if opening in "\"'":
            self._skip(_STRING)
        elif opening == "[":
            self._array(key)
        elif opening == "{":
            self._inline(key)
        else:
            self._skip(_SCALAR)

    def _array(self, key: KeyPath) -> None:
        self._at += 1
        index = 0
        self._skip(_BLANK)
        while self._text[self._at] != "]":
            self._mark((*key, index))
            self._value((*key, index))
            index += 1
            self._comma()
        self._at += 1

    def _inline(self, key: KeyPath) -> None:
        self._at += 1
        self._skip(_BLANK)
        while self._text[self._at] != "}":
            self._pair(key)
            self._comma()
        self._at += 1

    def _comma(self) -> None:
        self._skip(_BLANK)
        if self._text[self._at] == ",":
            self._at += 1
            self._skip(_BLANK)

    def _skip(self, pattern: re.Pattern[str]) -> None:
        match = pattern.match(self._text, self._at)
        if match is not None:
            self._at = match.end()

    def _mark(self, key: KeyPath) -> None:
        self._line += self._text.count("\n", self._counted, self._at)
        self._counted = self._at
        self.lines.setdefault(key, self._line)


def _name(raw: str) -> str:
    if raw[0] == '"':
        return str(tomllib.loads(f"key = {raw}")["key"])
    return raw[1:-1] if raw[0] == "'" else raw
