"""The label that says which harness process a container belongs to, and whether it still lives."""

from __future__ import annotations

import os
import re
import secrets
from pathlib import Path

_FORM = re.compile(r"^(?P<pid>[0-9]+)-(?P<start>[0-9]+)-(?P<namespace>[0-9]+)-(?P<nonce>[0-9a-f]{8})$")


def new_owner() -> str:
    """A label for one engine object of this process: pid, its start time, its pid namespace, a nonce.

    Only digits, lower-case letters and hyphens, at most 63 characters: fit for labels and file names.
    """
    pid = os.getpid()
    return f"{pid}-{_start_time(pid)}-{_pid_namespace()}-{secrets.token_hex(4)}"


def owner_is_dead(owner: str) -> bool:
    """Whether the process that `owner` names is surely gone.

    False where that cannot be known: a label of another pid namespace, or not a label at all. What such
    an owner left behind ends by its own time to live.
    """
    form = _FORM.match(owner)
    if form is None or int(form["namespace"]) != _pid_namespace():
        return False
    return _start_time(int(form["pid"])) != int(form["start"])


def is_owner(text: str) -> bool:
    """Whether `text` has the form of an owner label."""
    return _FORM.match(text) is not None


def _start_time(pid: int) -> int | None:
    """When the process started, in clock ticks since boot; None if there is no such process."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()
    except OSError:
        return None
    return None if fields[0] in (b"Z", b"X") else int(fields[19])


def _pid_namespace() -> int:
    return Path("/proc/self/ns/pid").stat().st_ino
