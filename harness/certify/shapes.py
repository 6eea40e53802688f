"""Command lines with what is particular taken out: two sessions of the same shape did the same with other names."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Final

# Command words that are told apart; any other is a program of the scenario's own.
_TOOL_NAMES: Final = """
awk basename cat cd chgrp chmod chown cksum cmp column comm cp csplit cut date dd df diff dirname du echo egrep env exit
expand export expr false fgrep find fold getent grep gunzip gzip head id install join ln ls md5sum mkdir mkfifo mktemp
mv nl od panic paste perl printenv printf ps pwd read readlink realpath rev rm rmdir sed seq set sh sha1sum sha256sum
sha512sum shuf sleep sort split stat sum sync tac tail tar tee test touch tr true truncate tsort type uname unexpand
uniq unlink unset wc which who whoami xargs xz zcat [
case do done elif else esac fi for if in then until while
"""
_TOOLS: Final = frozenset(_TOOL_NAMES.split())
_OPERATOR: Final = re.compile(r"[|&;()<>]+")
_TOKEN: Final = re.compile(r"""[|&;()<>]+|(?:'[^']*'?|"(?:\\.|[^"\\])*"?|\\.|[^\s|&;()<>'"\\])+""")
_QUOTES: Final = re.compile(r"[\\'\"]")
_NUMBER: Final = re.compile(r"[0-9]+")
_REDIRECTION: Final = re.compile(r"[<>]")


def shape(replies: Sequence[str]) -> tuple[str, ...]:
    """One canonical text for each line of the replies: tools, options and operators stay.

    A path becomes P, a number N, a variable V, any other word W, a program of the scenario's own X.
    """
    return tuple(" ".join(_line(line)) for reply in replies for line in reply.split("\n") if line.strip())


def _line(line: str) -> Iterator[str]:
    expects_command = True
    for word in _TOKEN.findall(line):
        if _OPERATOR.fullmatch(word):
            yield word
            expects_command = not _REDIRECTION.search(word)
        elif expects_command:
            yield word if word in _TOOLS else "X"
            expects_command = word in {"then", "do", "else", "while", "if"}
        else:
            yield _argument(word)


def _argument(quoted: str) -> str:
    word = _QUOTES.sub("", quoted)
    if word.startswith("-") and len(word) > 1:
        return re.split(r"[=0-9/]", word, maxsplit=1)[0]
    if word.startswith("$"):
        return "V"
    if _NUMBER.fullmatch(word):
        return "N"
    return "P" if "/" in word or "." in word or word.startswith("~") else "W"
