"""Text made safe for GitHub's Markdown: foreign text as code, the house's own with its markup escaped."""

from __future__ import annotations

import re
import string
from collections.abc import Iterable, Sequence

from reports.plain import plain

SAFE = frozenset(string.ascii_letters + string.digits + " ,")
MARKUP = re.compile(r"[\\`*<&|~@#!{}]|(?<!\w)_|_(?!\w)|\](?=[(\[:])|[.](?=[^\W\d])|:(?=/)")


def code(text: str, limit: int = 600) -> str:
    """Foreign text as inline code that no Markdown, HTML, mention or link can break out of."""
    return f"<code>{''.join(c if c in SAFE or ord(c) > 127 else _entity(c) for c in plain(text, limit))}</code>"


def escape(text: str, limit: int = 600) -> str:
    """The house's own words, with every character that begins markup, a mention or a link as a numeric entity."""
    return MARKUP.sub(lambda match: _entity(match[0]), plain(text, limit))


def table_head(header: Sequence[str]) -> str:
    """The two lines that begin a table: the first column to the left, the others to the right."""
    return f"\n| {' | '.join(header)} |\n| {' | '.join(['---', *['---:'] * (len(header) - 1)])} |\n"


def table_rows(rows: Iterable[Sequence[str]]) -> tuple[str, ...]:
    """The rows of a table, every cell escaped."""
    return tuple(f"| {' | '.join(escape(cell) for cell in row)} |" for row in rows)


def _entity(character: str) -> str:
    return f"&#{ord(character)};"
