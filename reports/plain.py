"""Text that may hold anything (a panic's reason, a server's message) made safe to show in one line."""

from __future__ import annotations

import re
import unicodedata

TEXT_LIMIT = 300  # characters of foreign text that a report keeps
COMMAND = re.compile(r":(?=:[A-Za-z])|#(?=#[A-Za-z]*\[)")  # how CI systems begin a command in a log: ::name, ##[name


def plain(text: str, limit: int = TEXT_LIMIT) -> str:
    """`text` on one line, with every control, format, surrogate or unassigned character spelt out, cut at `limit`.

    No terminal escape, bidirectional override, line break or lone surrogate survives, so that the
    result can be written as UTF-8 anywhere; nor does the beginning of a command to the CI system that
    reads the log. Each view still escapes its own markup.
    """
    if text.isascii() and text.isprintable() and len(text) <= limit and not COMMAND.search(text):
        return text
    shown = COMMAND.sub(lambda found: _code(found[0]), "".join(_spelt(character) for character in text[:limit]))
    left_out = len(text) - limit
    return f"{shown} [{left_out} more characters]" if left_out > 0 else shown


def _spelt(character: str) -> str:
    if character in "\n\r\t":
        return {"\n": "\\n", "\r": "\\r", "\t": "\\t"}[character]
    if unicodedata.category(character)[0] == "C" or unicodedata.category(character) in {"Zl", "Zp"}:
        return _code(character)
    return character


def _code(character: str) -> str:
    return f"\\u{{{ord(character):x}}}"
