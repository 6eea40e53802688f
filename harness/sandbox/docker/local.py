"""The shortcut for an engine on this very machine: a container's processes, seen from the host."""

from __future__ import annotations

import os
import signal
from pathlib import Path

from harness.sandbox.crun.foreground import foreground, inner_pid, look, reads_terminal, runs
from harness.sandbox.docker.api import DockerApi


class HostView:
    """The processes of one container as this machine's kernel lists them; see `host_view`."""

    def __init__(self, pid: int, group: Path) -> None:
        self._pid = pid
        self._group = group

    def open_root(self) -> int | None:
        """A descriptor of the container's root directory, for the caller to close; None if it may not be opened."""
        try:
            root = os.open(f"/proc/{self._pid}/root", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        except OSError:
            return None
        if self.alive():
            return root
        os.close(root)
        return None

    def alive(self) -> bool:
        """Whether the container's first process still runs."""
        return runs(self._pid) and self._pid in self._processes()

    def waiting_for_input(self) -> bool | None:
        """As in `Sandbox.waiting_for_input`."""
        members = foreground(self._pid, frozenset(self._processes()))
        answers = [reads_terminal(member) for member in members or ()]
        if True in answers:
            return True
        return None if members is None or None in answers else False

    def kill_foreground(self, shell: int) -> None:
        """As in `Sandbox.kill_foreground`; `shell` is the session shell's id inside of the container."""
        members = foreground(self._pid, frozenset(self._processes())) or ()
        groups = {member.group for member in members}
        if len(groups) == 1 and not any(
            inner_pid(each) == shell and _group_of(each) in groups for each in self._processes()
        ):
            try:
                os.killpg(groups.pop(), signal.SIGKILL)
            except ProcessLookupError:
                return

    def _processes(self) -> set[int]:
        return {int(word) for word in _read(self._group / "cgroup.procs").split()} - {0}


def host_view(api: DockerApi, container: str) -> HostView | None:
    """The container's processes seen from here; None where this process cannot see or trust them.

    An engine on another machine, or beyond a pid namespace, names a process that is not ours to look at:
    only one whose control group carries the container's id counts. One in another user namespace is left
    alone too, since its files' owners would read differently from outside; so it is without root's rights.
    """
    with api.failures("looking at a container"):
        pid = int(api.client.inspect_container(container)["State"]["Pid"])
    if pid <= 0 or os.geteuid() != 0 or _read(Path(f"/proc/{pid}/uid_map")) != _read(Path("/proc/self/uid_map")):
        return None
    group = _control_group(pid, container)
    return HostView(pid, group) if group is not None else None


def _control_group(pid: int, container: str) -> Path | None:
    """The directory that lists the container's processes: the pids controller's, or version 2's."""
    mounts = [line.split(" - ") for line in _read(Path("/proc/self/mountinfo")).splitlines()]
    for line in _read(Path(f"/proc/{pid}/cgroup")).splitlines():
        _, controllers, path = line.split(":", 2)
        if container not in path or (controllers and "pids" not in controllers.split(",")):
            continue
        for before, after in mounts:
            kind, _, options = after.split(" ", 2)
            fits = kind == "cgroup" and "pids" in options.split(",") if controllers else kind == "cgroup2"
            group = Path(before.split(" ")[4]) / path.lstrip("/")
            if fits and str(pid) in _read(group / "cgroup.procs").split():
                return group
    return None


def _group_of(pid: int) -> int | None:
    process = look(pid)
    return process.group if process is not None else None


def _read(path: Path) -> str:
    """A file of the kernel's; "" when its process or group is gone."""
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
