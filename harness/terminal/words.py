"""The first word that a POSIX shell would look up as a command, read without expanding anything."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum

FENCES = ("```", "~~~")  # what opens and closes a block of code in prose


class Opening(StrEnum):
    """What a command is that has no command word."""

    NOTHING = "nothing"  # blank, a comment, a lone operator
    SETTING = "setting"  # only assignments or redirections: a command, but nothing to look up


@dataclass(frozen=True, slots=True, kw_only=True)
class _Token:
    raw: str
    value: str = ""  # of a word: its quotes removed
    operator: bool = False
    redirection: bool = False


_PASSED_OVER = {"!", "{", "if", "then", "elif", "else", "while", "until", "do"}
_LIST_OPERATORS = {";", "&", "&&", "||", "|", "\n", ";;"}
_ASSIGNMENT = re.compile(r"[A-Za-z_][A-Za-z0-9_]*=")
_IGNORED = re.compile(r"(?:[ \t]|\\\n)+|#[^\n]*")
_REDIRECTION = re.compile(r"[0-9]*(?:<<-|<<|<&|<>|>&|>>|>\||<|>)")
_OPERATOR = re.compile(r"&&|\|\||;;|[;&|()\n]")
_PART = re.compile(
    r"""(?P<plain>[^\s;&|()<>'"\\`$]+|[^\S \t\n])
    |'(?P<single>[^']*)'?
    |(?P<nest>"|\$\()
    |\\(?P<escaped>.?)
    |(?P<expansion>\$\{[^}]*\}?|\$|`(?:[^`\\]|\\.)*`?)""",
    re.DOTALL | re.VERBOSE,
)
_QUOTED_ESCAPE = re.compile(r'\\([$`"\\])')


def command_word(text: str) -> str | Opening:
    """The first command word of a complete command, its quotes removed; an expansion stays as it is written.

    Assignments, redirections, reserved words, `!`, `(` and `{` before it are passed over, and so are the heads of
    `for` and `case`. POSIX.1-2017, Shell Command Language, sections 2.3, 2.4 and 2.10.
    """
    reader = _Reader(text)
    setting = False
    while (token := reader.token()) is not None:
        if token.redirection:
            reader.token()  # its target
            setting = True
        elif token.operator:
            if setting and token.raw in _LIST_OPERATORS:
                break
        elif _ASSIGNMENT.match(token.raw):
            setting = True
        elif setting or not _passed_over(token.raw, reader):
            return token.value
    return Opening.SETTING if setting else Opening.NOTHING


def _passed_over(word: str, reader: _Reader) -> bool:
    """Whether a reserved word stands before the command; the heads of `for` and `case` are read away."""
    if word == "for":
        reader.skip_past("do")
    elif word == "case":
        reader.skip_past("in")
        reader.skip_past(")")
    else:
        return word in _PASSED_OVER
    return True


class _Reader:
    """Cuts a text into shell tokens, in linear time."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0

    def skip_past(self, raw: str) -> None:
        """Read up to and including the token that is written `raw`, or to the end."""
        while (token := self.token()) is not None and token.raw != raw:
            pass

    def token(self) -> _Token | None:
        """The next token, or None at the end."""
        while found := _IGNORED.match(self._text, self._at):
            self._at = found.end()
        for pattern, redirection in ((_REDIRECTION, True), (_OPERATOR, False)):
            if found := pattern.match(self._text, self._at):
                self._at = found.end()
                return _Token(raw=found.group(), operator=True, redirection=redirection)
        return self._word() if self._at < len(self._text) else None

    def _word(self) -> _Token:
        start = self._at
        value: list[str] = []
        while found := _PART.match(self._text, self._at):
            self._at = found.end()
            if nest := found["nest"]:
                self._skip_nest(nest[-1])
                raw = self._text[found.start() : self._at]
                value.append(_QUOTED_ESCAPE.sub(r"\1", raw[1:].removesuffix('"')) if nest == '"' else raw)
            else:
                value.append(found[found.lastgroup or 0] or "")
        return _Token(raw=self._text[start : self._at], value="".join(value))

    def _skip_nest(self, opener: str) -> None:
        """Read to the end of a double-quoted string or of a `$(`, which may hold each other."""
        nests = [opener]
        while nests and self._at < len(self._text):
            character = self._text[self._at]
            if character == "\\":
                self._at += 1
            elif nests[-1] == '"':
                if character == '"':
                    nests.pop()
                elif self._text.startswith("$(", self._at):
                    nests.append("(")
                    self._at += 1
            elif character in '("':
                nests.append(character)
            elif character == ")":
                nests.pop()
            elif character == "'":
                closing = self._text.find("'", self._at + 1)
                self._at = closing if closing >= 0 else len(self._text)
            self._at += 1
        self._at = min(self._at, len(self._text))
