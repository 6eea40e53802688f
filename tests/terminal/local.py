"""A session shell on a local pty: what a sandbox offers of its terminal, without a container."""

from __future__ import annotations

import contextlib
import os
import platform
import pty
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from harness.terminal import CastWriter, ShellTerminal, TerminalLimits, prompt_variables

NONCE = "0123456789abcdef"
SECRET = "fedcba9876543210"  # noqa: S105 - of a test session
PID1 = Path(__file__).parents[1] / "programs" / "pid1.py"
# The numbers of read; poll, ppoll, select and pselect6, of which all but the first wait for more than one file.
READ, SELECT = {"x86_64": ("0", {"7", "271", "23", "270"}), "aarch64": ("63", {"73", "72"})}[platform.machine()]


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalPty:
    """A pty master whose session leader is tests/programs/pid1.py; looks are made in /proc."""

    descriptor: int
    leader: int

    def fileno(self) -> int:
        return self.descriptor

    def waiting_for_input(self) -> bool | None:
        group = os.tcgetpgrp(self.descriptor)
        return any(fields[2] == str(group) and _reads_terminal(process) for process, fields in _processes())

    def kill_foreground(self) -> None:
        group = os.tcgetpgrp(self.descriptor)
        spared = {self.leader}
        spared.update(int(process.name) for process, fields in _processes() if fields[1] == str(self.leader))
        if group not in spared:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(group, signal.SIGKILL)

    def killed_by_memory(self) -> bool:
        return False

    def end(self) -> None:
        """Kill everything of the session and forget it."""
        for process, fields in _processes():
            if fields[3] == str(self.leader):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(int(process.name), signal.SIGKILL)
        os.close(self.descriptor)
        os.waitpid(self.leader, 0)


def _processes() -> Iterator[tuple[Path, list[str]]]:
    """Each process and its fields state, ppid, pgrp, session of /proc/PID/stat."""
    for process in Path("/proc").iterdir():
        if process.name.isdecimal():
            with contextlib.suppress(OSError):
                yield process, (process / "stat").read_text().rpartition(")")[2].split()


def _reads_terminal(process: Path) -> bool:
    """Whether it sleeps until a terminal has input (one that is stopped by ^S sleeps in write(2))."""
    with contextlib.suppress(OSError):
        call, *arguments = (process / "syscall").read_text().split()
        if call == READ:
            return (process / "fd" / str(int(arguments[0], 16))).readlink().is_relative_to("/dev")
        return call in SELECT
    return False


@contextmanager
def local_pty(
    home: Path, *, program: tuple[str, ...] = ("dash", "-i"), variables: tuple[tuple[str, str], ...] = ()
) -> Iterator[LocalPty]:
    """A session on a fresh pty, in `home`; all its processes are gone afterwards."""
    environment = {
        "PATH": "/usr/local/bin:/usr/bin:/bin",
        "HOME": str(home),
        "TERM": "dumb",
        "LANG": "C.UTF-8",
        "PANIC": str(home / ".panic"),
        **dict(prompt_variables(NONCE)),
        **dict(variables),
    }
    leader, descriptor = pty.fork()
    if leader == 0:
        os.chdir(home)
        leading = [sys.executable, "-S", str(PID1), SECRET, str(home / ".panic"), *program]
        os.execve(leading[0], leading, environment)  # noqa: S606 - the point of pty.fork
    session = LocalPty(descriptor=descriptor, leader=leader)
    try:
        yield session
    finally:
        session.end()


@contextmanager
def landed(
    home: Path,
    *,
    program: tuple[str, ...] = ("dash", "-i"),
    recorder: CastWriter | None = None,
    limits: TerminalLimits | None = None,
) -> Iterator[ShellTerminal]:
    """A terminal at its first prompt."""
    with local_pty(home, program=program) as session:
        terminal = ShellTerminal(
            session,
            nonce=NONCE,
            end_secret=SECRET,
            recorder=recorder,
            limits=limits or TerminalLimits(turn_seconds=30, interrupt_seconds=5),
        )
        terminal.landing(30)
        try:
            yield terminal
        finally:
            terminal.close()
