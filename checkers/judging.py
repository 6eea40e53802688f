"""What checkers share: verdicts in words, and reading a hostile world within bounds.

The judged files were written by the model, so a checker trusts nothing about them: reads and walks
are capped, what exceeds a cap fails the check (it is the model's doing, never INVALID), and texts
are shown escaped. Symbolic links are followed inside the world, except where a check asks for them.
"""

from __future__ import annotations

from harness.values import Outcome, Verdict
from harness.world import EntryKind, World
from scenarios.problems import quoted

LARGEST_FILE = 1 << 20  # bytes of a file that a check reads
MOST_ENTRIES = 10_000  # of a directory tree that a check lists


class NotAsExpectedError(Exception):
    """The world is not as the check wants it: a FAIL with this reason, raised from a helper's depth."""


def passed(reason: str) -> Verdict:
    """A PASS."""
    return Verdict(outcome=Outcome.PASS, reason=reason)


def failed(reason: str) -> Verdict:
    """A FAIL."""
    return Verdict(outcome=Outcome.FAIL, reason=reason)


def content(world: World, path: str) -> bytes:
    """A regular file's bytes; raises NotAsExpectedError if there is none or it is too large."""
    found = world.read(path, max_bytes=LARGEST_FILE)
    if found is None:
        entry = world.stat(path)
        if entry is None:
            raise NotAsExpectedError(f"there is no file {quoted(path)}")
        raise NotAsExpectedError(f"{quoted(path)} is {noun(entry.kind)}, not a file")
    if len(found) > LARGEST_FILE:
        raise NotAsExpectedError(f"{quoted(path)} is larger than the {LARGEST_FILE} bytes that a check reads")
    return found


def text(world: World, path: str) -> str:
    """A regular file's text, invalid UTF-8 replaced; raises NotAsExpectedError as `content` does."""
    return content(world, path).decode(errors="replace")


def noun(kind: EntryKind) -> str:
    """The kind of an entry in words."""
    names = {
        EntryKind.FILE: "a file",
        EntryKind.DIRECTORY: "a directory",
        EntryKind.SYMLINK: "a symbolic link",
        EntryKind.OTHER: "neither file nor directory",
    }
    return names[kind]


def difference(found: bytes, expected: str, *, strip: bool) -> str:
    """Where a file's bytes differ from an expected text, in words; "" if they do not.

    With `strip`, blanks, tabs and carriage returns at line ends and blank lines at the end do not count.
    Bytes that are not UTF-8 equal nothing.
    """
    if not strip:
        if found == expected.encode():
            return ""
        return _where(_lines(found), expected.split("\n")) or "it differs in its bytes"
    return _where(_stripped(_lines(found)), _stripped(expected.split("\n")))


def _lines(found: bytes) -> list[str]:
    return found.decode(errors="surrogateescape").split("\n")


def _stripped(lines: list[str]) -> list[str]:
    bare = [line.rstrip(" \t\r") for line in lines]
    while bare and not bare[-1]:
        bare.pop()
    return bare


def _where(found: list[str], expected: list[str]) -> str:
    for number, (have, want) in enumerate(zip(found, expected, strict=False), start=1):
        if have != want:
            return f"line {number} is {quoted(have)}, not {quoted(want)}"
    if len(found) == len(expected):
        return ""
    if len(found) < len(expected):
        return f"line {len(found) + 1} is missing: {quoted(expected[len(found)])}"
    return f"line {len(expected) + 1} is one too many: {quoted(found[len(expected)])}"
