"""One live crun container: its terminal, its files, commands beside its session, its processes and their end."""

from __future__ import annotations

import itertools
import json
import select
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

from harness.errors import SandboxError
from harness.sandbox.cgroups import Cgroups, GroupLimits
from harness.sandbox.crun import foreground
from harness.sandbox.crun.command import Crun
from harness.sandbox.crun.config import process as process_config
from harness.sandbox.crun.pump import Pumped, pump
from harness.sandbox.crun.world import CrunWorld
from harness.sandbox.protocol import OPERATOR, OPERATOR_HOME, OPERATOR_UID, SESSION_PATH, Limits
from harness.world import ExecResult, World

GO = "/run/evalh/go"
SHELL = "/run/evalh/shell"
_EXEC_PIDS = 64
_END_SECONDS = 10.0
_POLL_SECONDS = 0.001


@dataclass(frozen=True, slots=True, kw_only=True)
class Handles:
    """The open descriptors of one container, and the process id of its PID 1 as the host sees it."""

    terminal: int  # the pty's master
    root: int  # the container's root directory
    init: int  # a pidfd
    init_pid: int


class CrunSandbox:
    """Fulfils protocol.Sandbox. Made by the engine, which also closes its descriptors and removes it."""

    engine = "crun"

    def __init__(self, container: str, *, crun: Crun, folder: Path, handles: Handles, limits: Limits) -> None:
        """`folder`: where the container's bundle lies."""
        self.id = container
        self.world: World = CrunWorld(handles.root, alive=self.alive)
        self._crun = crun
        self._cgroups: Cgroups = crun.cgroups
        self._folder = folder
        self._handles = handles
        self._beside = GroupLimits(memory_bytes=limits.memory_bytes, pids=_EXEC_PIDS, cpus=limits.cpus)
        self._numbers = itertools.count(1)

    def fileno(self) -> int:
        """The master of the session's pty."""
        return self._handles.terminal

    def alive(self) -> bool:
        """Whether the container's PID 1 still runs."""
        running = foreground.runs(self._handles.init_pid)
        watch = select.poll()
        watch.register(self._handles.init, select.POLLIN)
        return running and not watch.poll(0)  # in this order: another process may have its number once it has ended

    def run(
        self,
        argv: tuple[str, ...],
        *,
        user: str = "root",
        stdin: bytes = b"",
        timeout: float = 30.0,
        max_output: int = 1 << 20,
        env: tuple[tuple[str, str], ...] = (),
    ) -> ExecResult:
        """Run a command beside the session, in `/`, with limits of its own; see protocol.Sandbox.run.

        `max_output` holds for each of the two streams. Killed at its deadline with all that it started;
        what an ordinary end leaves in the background lives on, until the container goes.
        """
        if user not in ("root", OPERATOR):
            raise SandboxError(f"there is no user {user!r} in the sandbox", hint=f"root or {OPERATOR}")
        group = f"{self.id}.x{next(self._numbers)}"
        self._cgroups.create(group, self._beside)
        try:
            return self._run_in(group, argv, user, stdin, timeout, max_output, env)
        finally:
            if not self._cgroups.processes(group):
                self._cgroups.remove(group)

    def waiting_for_input(self) -> bool | None:
        """Whether a process of the terminal's foreground group sleeps until the terminal has input."""
        members = self._foreground()
        if members is None:
            return None
        found = [foreground.reads_terminal(each) for each in members]
        return True if True in found else None if None in found else False

    def kill_foreground(self) -> None:
        """SIGKILL the foreground group's processes, but never the session shell (nor PID 1)."""
        shell = self._shell_number()
        for each in self._foreground() or ():
            if shell is None or foreground.inner_pid(each.pid) != shell:
                self._cgroups.signal(each.pid, self.id)

    def kill_operator(self) -> None:
        """SIGKILL every process of the operator, and return once none is left.

        No process of the session can fork from here on, so that a fork bomb dies in one pass. SandboxError
        if some did not die, or if the container did.
        """
        init = self._handles.init_pid
        self._cgroups.forbid_forks(self.id)
        self._cgroups.kill(self.id, only=lambda pid: pid != init)
        for group in self._cgroups.names(f"{self.id}.x"):
            self._cgroups.kill(group, only=lambda pid: pid != init and foreground.user(pid) == OPERATOR_UID)
        deadline = time.monotonic() + _END_SECONDS
        while self.world.stat(GO, follow=False) is not None:  # PID 1 removes it when it has seen the shell's end
            if time.monotonic() > deadline:
                raise SandboxError("the sandbox's PID 1 did not notice the end of the session", hint="is it stopped?")
            time.sleep(_POLL_SECONDS)

    def oom_kills(self) -> int | None:
        """How many processes of the session the memory limit has killed; None where the kernel does not say."""
        return self._cgroups.oom_kills(self.id)

    def killed_by_memory(self) -> bool:
        """Never: the memory limit of the session's group kills in that group alone; see `set_init_apart`."""
        return False

    def set_init_apart(self) -> None:
        """Move PID 1, once it has started the session shell, into a group where nothing of the operator's counts.

        In one group with it, the operator could have the kernel kill it for want of memory: where this process
        lacks CAP_SYS_RESOURCE, the operator's processes may take on the same score.
        """
        group, init = f"{self.id}.x0", self._handles.init_pid
        self._cgroups.create(group, self._beside)
        self._cgroups.move(init, group)

    def await_shell(self) -> None:
        """Return once PID 1 has started the session shell; SandboxError if it does not."""
        deadline = time.monotonic() + _END_SECONDS
        while self.world.stat(SHELL, follow=False) is None:
            if time.monotonic() > deadline:
                raise SandboxError(f"the session shell did not start within {_END_SECONDS:g} s")
            time.sleep(_POLL_SECONDS)

    def _foreground(self) -> tuple[foreground.Process, ...] | None:
        return foreground.foreground(self._handles.init_pid, self._cgroups.processes(self.id))

    def _shell_number(self) -> int | None:
        """The session shell's process id, as the container sees it."""
        text = self.world.read(SHELL, max_bytes=32) or b""
        return int(text) if text.strip().isdigit() else None

    def _run_in(
        self,
        group: str,
        argv: tuple[str, ...],
        user: str,
        stdin: bytes,
        timeout: float,
        max_output: int,
        env: tuple[tuple[str, str], ...],
    ) -> ExecResult:
        home = OPERATOR_HOME if user == OPERATOR else "/root"
        variables = (("PATH", SESSION_PATH), ("HOME", home), ("LANG", "C.UTF-8"), *env)
        file, log = self._folder / f"{group}.json", self._folder / f"{group}.log"
        file.write_text(json.dumps(process_config(argv, user=user, env=variables)), encoding="utf-8")
        process = self._spawn(group, "--log", str(log), "exec", "--process", str(file), self.id)
        pumped: Pumped | None = None
        try:
            pumped = pump(process, stdin, timeout=timeout, max_output=max_output)
        finally:
            if pumped is None or not pumped.ended:
                self._cgroups.kill(group, only=lambda _: True)
                process.kill()  # should it have been on its way into the group
            status = process.wait()
            said = log.read_text(errors="replace").strip() if log.exists() else ""
            file.unlink(missing_ok=True)
            log.unlink(missing_ok=True)
        if pumped.ended and said:
            raise SandboxError(f"cannot run {argv[0]} in the sandbox: {said}", hint="has the container ended?")
        if not self.alive():  # then its kernel killed the command, or could have
            raise SandboxError(f"the container ended while {argv[0]} ran in it", hint="see its time to live")
        return ExecResult(
            status=status if pumped.ended else None,
            stdout=pumped.stdout,
            stderr=pumped.stderr,
            truncated=pumped.truncated,
        )

    def _spawn(self, group: str, *arguments: str) -> subprocess.Popen[bytes]:
        try:
            return subprocess.Popen(
                self._crun.command(group, *arguments),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                start_new_session=True,
                cwd="/",
            )
        except OSError as error:
            raise SandboxError(f"cannot start a command in the sandbox: {error}") from error
