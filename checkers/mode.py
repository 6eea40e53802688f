"""Checks an entry's permission bits."""

from __future__ import annotations

from checkers.judging import failed, passed
from harness.values import Verdict
from harness.world import JudgedWorld
from scenarios.bundle import Mode
from scenarios.problems import quoted


def mode(check: Mode, judged: JudgedWorld) -> Verdict:
    """PASS if the bits are exactly these, set-uid, set-gid and sticky included.

    A link is followed, as chmod follows it: a symbolic link has no permissions of its own.
    """
    entry = judged.world.stat(check.path)
    if entry is None:
        return failed(f"nothing is at {quoted(check.path)}")
    wanted = int(check.mode, 8)
    if entry.mode != wanted:
        return failed(f"{quoted(check.path)} has the mode {entry.mode:03o}, not {wanted:03o}")
    return passed(f"{quoted(check.path)} has the mode {wanted:03o}")
