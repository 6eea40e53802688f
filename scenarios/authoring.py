"""The first draft of a bundle: commented, of any announcement and ending, and one that certifies as it stands."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Sequence

from harness.errors import BundleError
from harness.values import Terminal
from scenarios.authoring_text import BUNDLE, ENDINGS, WAYS
from scenarios.bundle import Announcement, Split
from scenarios.toml_lines import line_numbers


def draft(
    name: str, *, archetype: str, announcement: Announcement, expected: Terminal = Terminal.EXIT, split: Split
) -> str:
    """The TOML text of a bundle with this id; `expected` is exit or panic (KeyError for another).

    The names are taken as they are: loading the text tells what is wrong with them.
    """
    way, ending = WAYS[announcement], ENDINGS[expected]
    parts = {
        "id": name,
        "archetype": archetype,
        "split": split.value,
        "expected": expected.value,
        "provider": way.provider,
        "announcement": announcement.value,
        "pages": str(way.pages),
        "landing": way.landing.strip("\n"),
        "files": way.files.strip("\n").replace("@directives@", ending.directives.strip("\n")),
        "list": ending.list_name,
        "checks_note": ending.note,
        "checks": ending.checks.strip("\n"),
        "replies": replies_toml((*way.find, *ending.act)),
    }
    text = BUNDLE
    for key, value in parts.items():
        text = text.replace(f"@{key}@", value)
    return text


def replies_toml(replies: Sequence[str]) -> str:
    """The `replies = [...]` of a bundle, one reply a line."""
    return "replies = [\n" + "".join(f"  {_literal(reply)},\n" for reply in replies) + "]"


def with_replies(text: str, replies: Sequence[str]) -> str:
    """A bundle's TOML text with other reference replies, and nothing else changed.

    Raises BundleError where the text has no `replies` of its own in `[reference]`, or is a template, whose replies
    are made from parameters.
    """
    data = tomllib.loads(text)
    lines = text.split("\n")
    first = line_numbers(text).get(("reference", "replies"))
    if "instances" in data or first is None:
        why = "it is a template" if "instances" in data else "it has no replies in [reference]"
        raise BundleError(f"its replies cannot be exchanged: {why}", hint="write them in by hand")
    last = next(end for end in range(first, len(lines) + 1) if _complete("\n".join(lines[first - 1 : end])))
    return "\n".join([*lines[: first - 1], *replies_toml(replies).split("\n"), *lines[last:]])


def _complete(text: str) -> bool:
    try:
        return "replies" in tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        return False


def _literal(text: str) -> str:
    """A TOML string; a literal one where that needs no escapes."""
    if "'" not in text and text.isprintable():
        return f"'{text}'"
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
