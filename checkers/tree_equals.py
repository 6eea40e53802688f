"""Checks that a directory holds exactly the expected files."""

from __future__ import annotations

import os

from checkers.judging import MOST_ENTRIES, NotAsExpectedError, content, difference, failed, noun, passed
from harness.errors import WorldTooLargeError
from harness.values import Verdict
from harness.world import EntryKind, JudgedWorld, World
from scenarios.bundle import TreeEquals
from scenarios.problems import quoted

_LONGEST_PATH = 3000  # below what Linux takes as one path (4096 bytes): deeper down, engines may see less than there is


def tree_equals(check: TreeEquals, judged: JudgedWorld) -> Verdict:
    """PASS if the files below the directory are these, with these texts, and no others.

    Directories count only through the files in them, so an empty one does not matter. A symbolic
    link to a file counts as that file; any other link, and anything that is neither file nor
    directory, is one too many. A tree too large to list fails: only its owner can have made it so.
    """
    root = judged.world.stat(check.path)
    if root is None or root.kind is not EntryKind.DIRECTORY:
        found = "nothing" if root is None else noun(root.kind)
        return failed(f"at {quoted(check.path)} is {found}, not a directory")
    names = _names(judged.world, check.path)
    missing, extra = sorted(set(check.files) - names), sorted(names - set(check.files))
    if missing:
        return failed(f"{quoted(check.path)} lacks {quoted(missing[0])}")
    if extra:
        return failed(f"{quoted(check.path)} holds {quoted(extra[0])}, which should not be there")
    for name, expected in check.files.items():
        differs = difference(content(judged.world, f"{check.path}/{name}"), expected, strip=check.strip)
        if differs:
            return failed(f"{quoted(name)} in {quoted(check.path)}: {differs}")
    return passed(f"{quoted(check.path)} holds exactly the {len(names)} expected files")


def _names(world: World, root: str) -> set[str]:
    """Everything below `root` but directories, by relative path."""
    try:
        entries = tuple(world.walk(root, max_entries=MOST_ENTRIES))
    except WorldTooLargeError:
        raise NotAsExpectedError(f"{quoted(root)} holds too much to be listed") from None
    if any(len(os.fsencode(entry.path)) > _LONGEST_PATH for entry in entries):
        raise NotAsExpectedError(f"{quoted(root)} is nested too deep to be listed whole")
    return {entry.path.removeprefix(root).lstrip("/") for entry in entries if entry.kind is not EntryKind.DIRECTORY}
