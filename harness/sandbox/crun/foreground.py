"""What the terminal's foreground group of a container is doing, told by the host's /proc."""

from __future__ import annotations

import os
import platform
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_TTY = os.makedev(5, 0)  # /dev/tty: whatever terminal the process has
_FDS_MAX = 1024
_POLLIN = 0x001
_EPOLLIN = 0x001
_EXITING = 0x4  # PF_EXITING of include/linux/sched.h

# By machine: system call number to how it waits.
_GENERIC = {63: "read", 65: "read", 73: "poll", 72: "select", 22: "epoll", 441: "epoll"}
_CALLS: dict[str, dict[int, str]] = {
    "x86_64": {
        0: "read",
        19: "read",
        7: "poll",
        271: "poll",
        23: "select",
        270: "select",
        232: "epoll",
        281: "epoll",
        441: "epoll",
    },
    "aarch64": _GENERIC,
    "riscv64": _GENERIC,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Process:
    """One process as /proc/PID/stat describes it; `foreground` is the terminal's foreground group, 0 if none."""

    pid: int
    state: str
    group: int
    terminal: int  # the device number, as stat(2) gives it
    foreground: int
    exiting: bool  # it is past its last instruction, and the kernel takes apart what it had


def look(pid: int) -> Process | None:
    """The process `pid`, or None if it has gone."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    number = int(fields[4])
    terminal = os.makedev(number >> 8 & 0xFFF, number & 0xFF | number >> 12 & 0xFFF00)
    return Process(
        pid=pid,
        state=fields[0].decode(),
        group=int(fields[2]),
        terminal=terminal,
        foreground=max(0, int(fields[5])),
        exiting=bool(int(fields[6]) & _EXITING),
    )


def runs(pid: int) -> bool:
    """Whether the process `pid` still runs. One that ends has lost its mounts before it counts as ended."""
    process = look(pid)
    return process is not None and not process.exiting


def foreground(init: int, pids: frozenset[int]) -> tuple[Process, ...] | None:
    """Those of `pids` in the foreground group of the terminal of `init`; None if it has no such group."""
    first = look(init)
    if first is None or not first.foreground:
        return None
    found = [process for process in map(look, sorted(pids)) if process is not None]
    return tuple(
        each
        for each in found
        if each.group == first.foreground and each.terminal == first.terminal and each.pid != init
    )


def reads_terminal(process: Process) -> bool | None:
    """Whether a thread of the process sleeps until the terminal has input; None if that cannot be told."""
    calls = _CALLS.get(platform.machine())
    if calls is None:
        return None
    try:
        threads = list(Path(f"/proc/{process.pid}/task").iterdir())
        return any(_thread_reads(process, thread, calls) for thread in threads)
    except (FileNotFoundError, ProcessLookupError):
        return False  # it has ended: it waits for nothing
    except OSError:
        return None


def inner_pid(pid: int) -> int | None:
    """The id that the process `pid` has in its innermost namespace; None if it has gone."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text(errors="replace").splitlines()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return next((int(line.split()[-1]) for line in lines if line.startswith("NSpid:")), None)


def user(pid: int) -> int | None:
    """The real user id of the process; None if it has gone."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text(errors="replace").splitlines()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return next((int(line.split()[1]) for line in lines if line.startswith("Uid:")), None)


def _thread_reads(process: Process, thread: Path, calls: dict[int, str]) -> bool:
    state = (thread / "stat").read_bytes().rpartition(b")")[2].split()[0]
    words = (thread / "syscall").read_text().split()
    if state != b"S" or len(words) < 7:  # "running", or a sleep outside of any system call
        return False
    call, arguments = calls.get(int(words[0])), [int(word, 16) for word in words[1:4]]
    if call == "read":
        watched: Iterator[int] = iter(arguments[:1])
    elif call == "poll":
        watched = _polled(process.pid, arguments[0], arguments[1])
    elif call == "select":
        watched = _selected(process.pid, arguments[0], arguments[1])
    elif call == "epoll":
        watched = _epolled(process.pid, arguments[0])
    else:
        return False
    return any(_is_terminal(process, descriptor) for descriptor in watched)


def _is_terminal(process: Process, descriptor: int) -> bool:
    try:
        device = Path(f"/proc/{process.pid}/fd/{descriptor}").stat().st_rdev
    except OSError:
        return False
    return device in (process.terminal, _TTY)


def _memory(pid: int, address: int, size: int) -> bytes:
    try:
        with Path(f"/proc/{pid}/mem").open("rb", buffering=0) as memory:
            return os.pread(memory.fileno(), size, address)
    except (OSError, OverflowError):
        return b""


def _polled(pid: int, address: int, count: int) -> Iterator[int]:
    data = _memory(pid, address, min(count, _FDS_MAX) * 8)
    for descriptor, events, _ in struct.iter_unpack("=ihh", data[: len(data) // 8 * 8]):
        if descriptor >= 0 and events & _POLLIN:
            yield descriptor


def _selected(pid: int, count: int, address: int) -> Iterator[int]:
    data = _memory(pid, address, (min(count, _FDS_MAX) + 7) // 8) if address else b""
    for descriptor in range(min(count, len(data) * 8)):
        if data[descriptor // 8] >> descriptor % 8 & 1:
            yield descriptor


def _epolled(pid: int, descriptor: int) -> Iterator[int]:
    try:
        lines = Path(f"/proc/{pid}/fdinfo/{descriptor}").read_text(errors="replace").splitlines()
    except OSError:
        return
    for line in lines:
        words = line.split()
        if words[:1] == ["tfd:"] and int(words[3], 16) & _EPOLLIN:
            yield int(words[1])
