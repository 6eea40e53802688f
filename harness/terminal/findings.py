"""What the shell itself said about a command: whether it parsed, whether its first word named something."""

from __future__ import annotations

import re
from dataclasses import dataclass

from harness.terminal.words import FENCES, Opening, command_word

NOT_EXECUTABLE, NOT_FOUND, SYNTAX_ERROR = 126, 127, 2  # POSIX.1-2017, Shell Command Language, 2.8.2 and 2.8.1
_SHELLS = {"sh", "dash", "ash", "bash", "busybox", "eval", "."}
_SHELL_SAYS = r"(?:\A|\n)\r?-?(?:/\S*/)?(?:sh|dash|ash|bash): (?:line )?(?P<line>[0-9]+: |)"
_SYNTAX = re.compile(_SHELL_SAYS + r"[Ss]yntax error")
_MISSING = re.compile(_SHELL_SAYS + r"(?P<word>[^\r\n]*): (?:command )?(?:not found|[Pp]ermission denied)")


_NO_WORD = "".join(map(chr, range(33))) + "\x7f"  # white space, and characters that the terminal itself acts on


@dataclass(frozen=True, slots=True, kw_only=True)
class Findings:
    """`parsed`: no syntax error; `resolved`: the first word named something; None where that was not told."""

    parsed: bool | None = None
    resolved: bool | None = None


def of_command(text: str, *, status: int | None, shown: str) -> Findings:
    """What `shown`, the terminal's text while the command `text` ran, and its status tell.

    `text` is the whole command, of several lines where it has them. A blank line, or one of control characters alone
    (^D), names nothing: None.
    A line without a command word (a comment), or one that opens or closes a fence, resolves to nothing: False.
    """
    word = command_word(text)
    if _syntax_error(word, status=status, shown=shown):
        return Findings(parsed=False, resolved=False)
    if not text.strip(_NO_WORD):
        return Findings(parsed=True)
    return Findings(parsed=True, resolved=_resolved(text, word, status=status, shown=shown))


def of_unfinished(text: str) -> Findings:
    """Of a command that never became complete: it did not parse; what its words name was never looked up."""
    nothing = _is_fence(text) or command_word(text) is Opening.NOTHING
    return Findings(parsed=False, resolved=False if nothing else None)


def _resolved(text: str, word: str | Opening, *, status: int | None, shown: str) -> bool:
    if _is_fence(text) or word is Opening.NOTHING:
        return False
    if status in {NOT_EXECUTABLE, NOT_FOUND}:
        return False
    return not any(found["word"] == word for found in _MISSING.finditer(shown))


def _syntax_error(word: str | Opening, *, status: int | None, shown: str) -> bool:
    """Whether the shell refused the command as a whole: then nothing but its message was shown.

    A shell that the command started says the same of its own script, in that script's first line.
    """
    if status not in {SYNTAX_ERROR, None}:
        return False
    found = _SYNTAX.search(shown)
    return found is not None and not (word in _SHELLS and found["line"] in {"1: ", ""})


def _is_fence(text: str) -> bool:
    return text.lstrip().startswith(FENCES)
