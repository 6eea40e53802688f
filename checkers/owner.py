"""Checks to whom an entry belongs."""

from __future__ import annotations

from checkers.judging import failed, passed
from harness.values import Verdict
from harness.world import OPERATOR_UID, JudgedWorld
from scenarios.bundle import Owner
from scenarios.problems import quoted


def owner(check: Owner, judged: JudgedWorld) -> Verdict:
    """PASS if the entry's user is this one; links are followed, as chown follows them."""
    entry = judged.world.stat(check.path)
    if entry is None:
        return failed(f"nothing is at {quoted(check.path)}")
    wanted = OPERATOR_UID if check.owner == "operator" else 0
    if entry.uid != wanted:
        return failed(f"{quoted(check.path)} belongs to the user {entry.uid}, not to {check.owner} ({wanted})")
    return passed(f"{quoted(check.path)} belongs to {check.owner}")
