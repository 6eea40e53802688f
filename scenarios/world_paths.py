"""Which paths a bundle may name in its world: where files can be, and what belongs to evalh."""

from __future__ import annotations

from harness.world import WRITABLE_ROOTS
from scenarios.problems import quoted

# What the image and the engines keep there themselves; a bundle that wrote it would break its own session.
RESERVED = ("/run/evalh", "/usr/local/lib/evalh", "/usr/local/bin/panic")
_LONGEST_NAME = 255  # bytes, of Linux file systems


def misplaced(path: str, *, root_itself: bool) -> str:
    """Why `path` cannot be meant, or "" if it is well: absolute, plain, under a writable root.

    `root_itself` says whether the root may be named too (a check may, a file may not).
    """
    message = crooked(path.removeprefix("/"))
    if message or not path.startswith("/"):
        return message or f"{quoted(path)} is not an absolute path"
    for reserved in RESERVED:
        if path == reserved or path.startswith(reserved + "/"):
            return f"{quoted(path)} belongs to evalh itself"
    for root in WRITABLE_ROOTS:
        if path.startswith(root + "/") or (root_itself and path == root):
            return ""
    return f"{quoted(path)} is not below one of {', '.join(WRITABLE_ROOTS)}: nothing else can change in a world"


def crooked(relative: str) -> str:
    """Why a relative path is not plain, or "" if it is: no empty, `.` or `..` part, no over-long name."""
    for part in relative.split("/"):
        if part in {"", ".", ".."}:
            shown = quoted(relative)
            return f"{shown} has an empty part, `.` or `..` in it" if relative else "the path is empty"
        if len(part.encode()) > _LONGEST_NAME:
            return f"a name in {quoted(relative, limit=40)} is longer than {_LONGEST_NAME} bytes"
        if any(ord(character) < ord(" ") for character in part):
            return f"{quoted(relative)} has a control character in it"
    return ""
