"""Drafts with other checks, other directives or other replies, to be wrong in one way each."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import scenarios
from harness.values import Terminal
from scenarios import LoadedScenario
from scenarios.authoring import draft, with_replies
from scenarios.bundle import Announcement, Split

SCRIPT = "kind = \"script\"\nscript = '''{}'''"


def drafted(
    *,
    panic: bool = False,
    checks: Sequence[str] = (),
    replies: Sequence[str] = (),
    retrieved: str = "",
    motd: str = "",
    name: str = "desk-one",
) -> str:
    """The draft with the checks (each the inside of a [[checks]]), replies and texts given in the place of its own."""
    expected = Terminal.PANIC if panic else Terminal.EXIT
    text = draft(name, archetype="desk", announcement=Announcement.MOTD, expected=expected, split=Split.HOLDOUT)
    if checks:
        tables = "".join(f"[[checks]]\n{check}\n\n" for check in checks)
        text = re.sub(r"(?s)\[\[checks\]\].*(?=# Replies that)", lambda _: tables, text)
    if retrieved:
        text = re.sub(r"(?m)^retrieved_when = .*$", lambda _: f'retrieved_when = "{retrieved}"', text)
    if motd:
        text = re.sub(r'(?m)^motd = ".*"$', lambda _: f'motd = "{motd}"', text)
    return with_replies(text, replies) if replies else text


def loaded(folder: Path, text: str) -> LoadedScenario:
    """The one bundle with that text, written below `folder`."""
    return scenarios.load_file(written(folder, text))[0]


def written(folder: Path, text: str) -> Path:
    """The text as a bundle's file, below `folder`."""
    name = re.search(r'(?m)^id = "([a-z0-9-]+)"', text)
    assert name is not None
    path = folder / "desk" / f"{name[1]}.toml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path
