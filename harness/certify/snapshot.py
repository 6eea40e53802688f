"""What a world holds at the paths that checks read, so that two ways to pass can be compared."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Final

from harness.errors import WorldTooLargeError
from harness.world import Entry, EntryKind, World
from scenarios.bundle import Mode, Owner, Scenario, Script

_LARGEST: Final = 1 << 20
_MOST: Final = 2000
Snapshot = Mapping[str, str]


def snapshot(scenario: Scenario, world: World, paths: tuple[str, ...]) -> Snapshot:
    """What is at each path, in words that are equal where the worlds are: kind, content, and mode and owner if judged.

    A script may judge them of any path. Raises SandboxError where the world cannot be read.
    """
    scripted = any(isinstance(check, Script) for check in scenario.checks)
    modes = set(paths) if scripted else {check.path for check in scenario.checks if isinstance(check, Mode)}
    owners = set(paths) if scripted else {check.path for check in scenario.checks if isinstance(check, Owner)}
    return {path: _said(world, path, mode=path in modes, owner=path in owners) for path in paths}


def difference(expected: Snapshot, found: Snapshot) -> str:
    """The first path at which two snapshots differ, and how; "" if they do not."""
    for path, wanted in expected.items():
        if found.get(path, "") != wanted:
            return f"{path} is {found.get(path, 'unknown')}, where the reference leaves {wanted}"
    return ""


def _said(world: World, path: str, *, mode: bool, owner: bool) -> str:
    entry = world.stat(path, follow=False)
    if entry is None:
        return "nothing"
    followed = world.stat(path) or entry
    marks = (f" of mode {followed.mode:04o}" if mode else "") + (f" of user {followed.uid}" if owner else "")
    return _content(world, entry) + marks


def _content(world: World, entry: Entry) -> str:
    if entry.kind is EntryKind.FILE:
        return f"a file of {entry.size} bytes ({_digest(world, entry.path)})"
    if entry.kind is EntryKind.SYMLINK:
        return f"a link to {entry.target}"
    if entry.kind is EntryKind.DIRECTORY:
        return f"a folder ({_tree(world, entry.path)})"
    return "neither file nor folder"


def _tree(world: World, path: str) -> str:
    try:
        entries = list(world.walk(path, max_entries=_MOST))
    except WorldTooLargeError:
        return "too large to list"
    lines = [
        f"{each.path} {each.kind} {each.target} {_digest(world, each.path) if each.kind is EntryKind.FILE else ''}"
        for each in entries
    ]
    return f"{len(entries)} entries, " + hashlib.sha256("\n".join(lines).encode(errors="replace")).hexdigest()[:12]


def _digest(world: World, path: str) -> str:
    found = world.read(path, max_bytes=_LARGEST)
    return "unreadable" if found is None else hashlib.sha256(found.rstrip()).hexdigest()[:12]
