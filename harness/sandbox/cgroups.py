"""Control groups of both versions: limits for a container's processes, and a sure way to kill them all.

Groups are flat, `evalh/<name>` in every hierarchy in use, and belong to nobody but this module. A process
puts itself into a group before it becomes the container (see `join_files`), so that no limit comes late and
nothing that was started can be lost: to find and kill all of a container is to read its group.
"""

from __future__ import annotations

import errno
import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from harness.errors import SandboxError

PARENT = "evalh"
_NEEDED = ("memory", "pids", "cpu")
_CPU_PERIOD_US = 100_000
_POLL_SECONDS = 0.001
_TRIES = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupLimits:
    """What the processes of one group may use together."""

    memory_bytes: int  # no swap beyond it
    pids: int
    cpus: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Cgroups:
    """The hierarchies in use: `roots` has one directory for each of memory, pids and cpu."""

    version: int  # 1 or 2
    roots: tuple[tuple[str, Path], ...]

    def prepare(self) -> None:
        """Make the parent of all groups where it is missing; SandboxError where this machine does not allow it."""
        with _refusals(PARENT):
            for root in self._directories():
                (root / PARENT).mkdir(exist_ok=True)
                if self.version == 2:
                    _enable(root)
                    _enable(root / PARENT)

    def create(self, name: str, limits: GroupLimits) -> None:
        """Make the group `name` with its limits; SandboxError where the kernel refuses."""
        with _refusals(name):
            for root in self._directories():
                self._make(root, name)
            for file, value in self._settings(name, limits):
                file.write_text(value)

    def _make(self, root: Path, name: str) -> None:
        """Make one directory; again, if another process removes the empty parent at this moment."""
        for _ in range(_TRIES):
            try:
                (root / PARENT / name).mkdir()
            except FileNotFoundError:
                self.prepare()
            else:
                return
        raise FileNotFoundError(errno.ENOENT, "it does not stay", str(root / PARENT))

    def tidy(self) -> None:
        """Remove the parent of all groups, unless somebody still has a group in it."""
        for root in self._directories():
            with suppress(OSError):
                (root / PARENT).rmdir()

    def join_files(self, name: str) -> tuple[Path, ...]:
        """The files into which a single-threaded process writes `0` to move itself into the group."""
        file = "cgroup.procs" if self.version == 2 else "tasks"
        return tuple(root / PARENT / name / file for root in self._directories())

    def move(self, pid: int, name: str) -> None:
        """Move the single-threaded process `pid` into the group; SandboxError if it has ended."""
        with _refusals(name):
            for file in self.join_files(name):
                file.write_text(str(pid))

    def names(self, prefix: str = "") -> tuple[str, ...]:
        """Every group whose name starts with `prefix`, sorted."""
        found: set[str] = set()
        for root in self._directories():
            try:
                entries = list((root / PARENT).iterdir())
            except FileNotFoundError:
                continue
            found.update(entry.name for entry in entries if entry.name.startswith(prefix) and entry.is_dir())
        return tuple(sorted(found))

    def processes(self, name: str) -> frozenset[int]:
        """The ids of the group's processes as this process sees them; empty if there is no such group."""
        found: set[int] = set()
        for root in self._directories():
            try:
                text = (root / PARENT / name / "cgroup.procs").read_text()
            except FileNotFoundError:
                continue
            except OSError as error:
                if error.errno == errno.ENODEV:  # removed while we read
                    continue
                raise
            found.update(int(word) for word in text.split())
        return frozenset(found - {0})

    def forbid_forks(self, name: str) -> None:
        """Let no process of the group make another one."""
        file = self._root("pids") / PARENT / name / "pids.max"
        try:
            file.write_text("0")
        except FileNotFoundError:
            return

    def kill(self, name: str, *, only: Callable[[int], bool], deadline_seconds: float = 10.0) -> None:
        """SIGKILL every process of the group that `only` names, again and again until none is left.

        Raises SandboxError if some are left at the deadline.
        """
        deadline = time.monotonic() + deadline_seconds
        while victims := [pid for pid in self.processes(name) if only(pid) and not _is_dead(pid)]:
            if time.monotonic() > deadline:
                raise SandboxError(f"{len(victims)} processes of {name} did not die within {deadline_seconds:g} s")
            for pid in victims:
                self.signal(pid, name)
            time.sleep(_POLL_SECONDS)

    def oom_kills(self, name: str) -> int | None:
        """How many of the group's processes the memory limit has killed; None where the kernel does not say."""
        file = "memory.events" if self.version == 2 else "memory.oom_control"
        try:
            lines = (self._root("memory") / PARENT / name / file).read_text().splitlines()
        except OSError:
            return None
        counts = [line.split()[1] for line in lines if line.split()[:1] == ["oom_kill"]]
        return int(counts[0]) if counts else None

    def remove(self, name: str, *, deadline_seconds: float = 10.0) -> None:
        """Kill whatever is in the group, then remove it; SandboxError if that does not work in time."""
        deadline = time.monotonic() + deadline_seconds
        self.forbid_forks(name)
        self.kill(name, only=lambda _: True, deadline_seconds=deadline_seconds)
        for root in self._directories():
            _remove_empty(root / PARENT / name, deadline)

    def signal(self, pid: int, name: str) -> None:
        """SIGKILL `pid` if it still is a process of the group: the pidfd makes sure that it is no other by now."""
        try:
            descriptor = os.pidfd_open(pid)
        except ProcessLookupError:
            return
        try:
            if pid in self.processes(name):
                signal.pidfd_send_signal(descriptor, signal.SIGKILL)
        except ProcessLookupError:
            return
        finally:
            os.close(descriptor)

    def _root(self, controller: str) -> Path:
        return dict(self.roots)[controller]

    def _directories(self) -> list[Path]:
        """Each root once: version 2 has one, and version 1 may mount controllers together."""
        return list(dict.fromkeys(root for _, root in self.roots))

    def _settings(self, name: str, limits: GroupLimits) -> list[tuple[Path, str]]:
        memory, pids, cpu = (self._root(controller) / PARENT / name for controller in _NEEDED)
        quota = str(max(1000, int(limits.cpus * _CPU_PERIOD_US)))
        if self.version == 2:
            settings = [
                (memory / "memory.max", str(limits.memory_bytes)),
                (memory / "memory.swap.max", "0"),
                (cpu / "cpu.max", f"{quota} {_CPU_PERIOD_US}"),
            ]
        else:
            settings = [
                (memory / "memory.limit_in_bytes", str(limits.memory_bytes)),
                (memory / "memory.memsw.limit_in_bytes", str(limits.memory_bytes)),
                (cpu / "cpu.cfs_period_us", str(_CPU_PERIOD_US)),
                (cpu / "cpu.cfs_quota_us", quota),
            ]
        optional = ("memory.swap.max", "memory.memsw.limit_in_bytes")  # absent where the kernel does not count swap
        settings = [(file, value) for file, value in settings if file.name not in optional or file.exists()]
        return [*settings, (pids / "pids.max", str(limits.pids))]


def discover(mountinfo: str | None = None) -> Cgroups:
    """The hierarchies of this machine (or of a given `/proc/self/mountinfo` text).

    Raises SandboxError, with what to do, where memory, pids and cpu are not all there.
    """
    first: dict[str, Path] = {}
    unified: Path | None = None
    for line in (mountinfo or Path("/proc/self/mountinfo").read_text()).splitlines():
        before, _, after = line.partition(" - ")
        place = Path(before.split()[4])
        kind, _, options = after.split()[:3]
        if kind == "cgroup":
            first.update({word: place for word in options.split(",") if word in _NEEDED})
        elif kind == "cgroup2":
            unified = unified or place
    if all(controller in first for controller in _NEEDED):
        return Cgroups(version=1, roots=tuple((controller, first[controller]) for controller in _NEEDED))
    if unified is not None and not first:
        return Cgroups(version=2, roots=tuple((controller, unified) for controller in _NEEDED))
    raise SandboxError(
        "control groups for memory, pids and cpu are not all mounted",
        hint="mount /sys/fs/cgroup (version 2, or version 1 with these three), or use the docker engine",
    )


def unified_mounts(mountinfo: str | None = None) -> tuple[Path, ...]:
    """Where version 2 is mounted beside version 1: crun refuses to run where it sees both."""
    lines = [line.split() for line in (mountinfo or Path("/proc/self/mountinfo").read_text()).splitlines()]
    kinds = {words[4]: words[words.index("-") + 1] for words in lines}
    if "cgroup" not in kinds.values():
        return ()
    return tuple(Path(place) for place, kind in kinds.items() if kind == "cgroup2")


@contextmanager
def _refusals(name: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise SandboxError(
            f"cannot make the control group {name}: {error.strerror} ({error.filename})",
            hint="the crun engine needs writable control groups with memory, pids and cpu: run as root on the host,"
            " or use the docker engine",
        ) from error


def _enable(directory: Path) -> None:
    """Version 2: hand memory, pids and cpu down to the children of `directory`."""
    file = directory / "cgroup.subtree_control"
    missing = set(_NEEDED) - set(file.read_text().split())
    if missing:
        file.write_text(" ".join(f"+{controller}" for controller in sorted(missing)))


def _remove_empty(directory: Path, deadline: float) -> None:
    """Remove a group whose processes are dead; the kernel may need a moment to let go of them."""
    while True:
        try:
            directory.rmdir()
        except FileNotFoundError:
            return
        except OSError as error:
            if error.errno != errno.EBUSY or time.monotonic() > deadline:
                raise SandboxError(f"cannot remove the control group {directory}: {error.strerror}") from error
            time.sleep(_POLL_SECONDS)
        else:
            return


def _is_dead(pid: int) -> bool:
    """Whether the process has ended, though its parent may not have taken note of it.

    One whose first thread alone has ended looks like a zombie, and runs on.
    """
    try:
        fields = Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return True
    state, threads = fields[0], int(fields[17])
    return state in (b"Z", b"X") and threads <= 1
