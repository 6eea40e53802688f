"""Line editing for a terminal in raw mode whose other end does not echo: what is typed becomes lines and signals."""

from __future__ import annotations

import codecs
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

BELL = "\a"
_ESCAPE, _LEAVE = "\x1b", "\x1d"


class Press(StrEnum):
    """What the author wants, beside showing `echo`."""

    NOTHING = "nothing"
    LINE = "line"  # `line` is to be typed
    INTERRUPT = "interrupt"  # ^C
    END_OF_INPUT = "end_of_input"  # ^D on an empty line
    LEAVE = "leave"  # ^]


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """What one character did: the text to show, and what it asks for."""

    echo: str = ""
    press: Press = Press.NOTHING
    line: str = ""


class LineEditor:
    """Holds the line that is being typed; knows backspace, ^U, ^W, ^C, ^D and ^], and ignores escape sequences."""

    def __init__(self) -> None:
        self._typed: list[str] = []
        self._decode = codecs.getincrementaldecoder("utf-8")("replace").decode
        self._escape = ""

    def feed(self, data: bytes) -> Iterator[Key]:
        """What each character of the bytes does, in their order."""
        for character in self._decode(data):
            if self._escape:
                self._skip(character)
            else:
                yield self._key(character)

    def _key(self, character: str) -> Key:
        if character in "\r\n":
            line = "".join(self._typed)
            self._typed.clear()
            return Key(echo="\r\n", press=Press.LINE, line=line)
        if character == "\x03":
            self._typed.clear()
            return Key(press=Press.INTERRUPT)
        if character == "\x04":
            return Key(echo=BELL) if self._typed else Key(press=Press.END_OF_INPUT)
        if character == _LEAVE:
            return Key(press=Press.LEAVE)
        if character == _ESCAPE:
            self._escape = character
            return Key()
        if character in "\x7f\x08\x15\x17":
            return Key(echo="\b \b" * self._erase(character))
        if not character.isprintable():
            return Key(echo=BELL)
        self._typed.append(character)
        return Key(echo=character)

    def _erase(self, character: str) -> int:
        """Take away a character, a word (^W) or everything (^U); how many characters that was."""
        before = len(self._typed)
        if character == "\x15":
            self._typed.clear()
        elif character == "\x17":
            kept = "".join(self._typed).rstrip()
            del self._typed[kept.rfind(" ") + 1 :]
        elif self._typed:
            self._typed.pop()
        return before - len(self._typed)

    def _skip(self, character: str) -> None:
        """Pass over an escape sequence: ESC and one character, or ESC [ up to a letter or ~."""
        starts = self._escape == _ESCAPE and character in "[O"
        self._escape = self._escape + character if starts or not _ends(self._escape, character) else ""


def _ends(escape: str, character: str) -> bool:
    return escape == _ESCAPE or "@" <= character <= "~"
