"""Runs a command that never outlives whoever holds its standard input, with everything that it started or put down.

Run by its path, `python -I leash.py GRACE COMMAND…`, on Linux. In the command's environment, every occurrence of
`{scratch}` becomes the path of a folder that is removed with it. Imports nothing outside the standard library.
"""

from __future__ import annotations

import ctypes
import os
import select
import signal
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

_SET_PARENT_DEATH_SIGNAL = 1
_SET_CHILD_SUBREAPER = 36
_FAILED = 127
SCRATCH = "{scratch}"


def hold(command: Sequence[str], *, grace: float) -> int:
    """Run a command until it ends, standard input ends or SIGTERM comes; the command's exit status.

    It is asked to end, and after `grace` seconds ended by force. At the end no process of its making is left: the
    leash is the reaper of all of them, whatever session or group they moved to. Where the leash itself is killed,
    the kernel sends the command a SIGTERM.
    """
    _prctl(_SET_CHILD_SUBREAPER, 1)
    for number in (signal.SIGINT, signal.SIGHUP):  # a terminal's: the holder's to heed
        signal.signal(number, signal.SIG_IGN)
    woken = _wake_at(signal.SIGTERM)
    with tempfile.TemporaryDirectory(prefix="evalh-", ignore_cleanup_errors=True) as scratch:
        return _held(command, grace, woken, {name: text.replace(SCRATCH, scratch) for name, text in os.environ.items()})


def _held(command: Sequence[str], grace: float, woken: int, environment: dict[str, str]) -> int:
    leash = os.getpid()
    try:
        child = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            start_new_session=True,
            env=environment,
            preexec_fn=lambda: _follow(leash),
        )
    except OSError as error:
        sys.stderr.write(f"{command[0]}: {error.strerror}\n")
        return _FAILED
    ended = os.pidfd_open(child.pid)
    ready, _, _ = select.select([0, ended, woken], [], [])
    if ended not in ready:
        child.terminate()
        select.select([ended], [], [], grace)
    child.kill()
    status = child.wait()
    _end_all()
    return status if status >= 0 else 128 - status


def _end_all() -> None:
    """Kill every descendant: as one dies, those below it become this process's children."""
    while True:
        for pid in _children():
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        try:
            os.waitpid(-1, 0)
        except ChildProcessError:
            return


def _children() -> list[int]:
    me, found = os.getpid(), []
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            with suppress(OSError, IndexError, ValueError):
                fields = (entry / "stat").read_text(errors="replace").rpartition(")")[2].split()
                if int(fields[1]) == me:
                    found.append(int(entry.name))
    return found


def _follow(leash: int) -> None:
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
    _prctl(_SET_PARENT_DEATH_SIGNAL, signal.SIGTERM)
    if os.getppid() != leash:  # it was killed before the kernel was asked
        os._exit(_FAILED)


def _wake_at(number: signal.Signals) -> int:
    """The end of a pipe that becomes readable when a signal comes."""
    read, write = os.pipe()
    os.set_blocking(write, False)
    signal.set_wakeup_fd(write)
    signal.signal(number, lambda *_: None)
    return read


def _prctl(option: int, value: int) -> None:
    ctypes.CDLL(None, use_errno=True).prctl(option, value, 0, 0, 0)


if __name__ == "__main__":
    sys.exit(hold(sys.argv[2:], grace=float(sys.argv[1])))
