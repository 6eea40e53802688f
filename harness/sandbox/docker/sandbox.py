"""One docker container with its session's terminal: the engine-side half of a trial's world."""

from __future__ import annotations

import re
import socket
import time

from harness.errors import SandboxError
from harness.sandbox.docker.api import DockerApi
from harness.sandbox.docker.create import SECRET_VARIABLES
from harness.sandbox.docker.deaths import Deaths
from harness.sandbox.docker.execs import Command, Runner, program
from harness.sandbox.docker.keeper import Keeper, Order, keeper_lost
from harness.sandbox.docker.local import HostView
from harness.sandbox.docker.seed import GO
from harness.sandbox.protocol import OPERATOR, SandboxSpec
from harness.world import ExecResult, World

_END_SECONDS = 10.0
_POLL_SECONDS = 0.01
_SHELL = "/run/evalh/shell"
_OOM_FILES = (
    "/sys/fs/cgroup/memory.events",  # cgroup v2
    "/sys/fs/cgroup/memory/memory.oom_control",  # v1
)
_OOM_COUNT = re.compile(rb"^oom_kill (\d+)$", re.MULTILINE)


class DockerSandbox:
    """A running container. `world`, `run` and the rest are as `protocol.Sandbox` says."""

    engine = "docker"

    def __init__(
        self,
        api: DockerApi,
        container: str,
        *,
        terminal: socket.socket,
        spec: SandboxSpec,
        world: World,
        host: HostView | None,
        deaths: Deaths,
    ) -> None:
        """`host`: the container's processes seen from this machine; None for an engine elsewhere."""
        self.id = container
        self._api = api
        self._deaths = deaths
        self.world = world
        self._terminal = terminal
        self._host = host
        self._keeper = Keeper(api, container)
        hide = (*SECRET_VARIABLES, *(f"EVALH_ENV_{name}" for name, _ in spec.env))
        self._runner = Runner(api, container, limits=spec.limits, keeper=self._keeper, hide=hide)

    def fileno(self) -> int:
        """The attached connection: a stream socket that carries the terminal's bytes as they are."""
        return self._terminal.fileno()

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
        """As in `Sandbox.run`; `max_output` holds for stdout and stderr each."""
        command = Command(argv=argv, user=user, stdin=stdin, timeout=timeout, max_output=max_output, env=env)
        return self._runner.run(command)

    def waiting_for_input(self) -> bool | None:
        """As in `Sandbox.waiting_for_input`, told from outside or else by a program inside."""
        if self._host is not None:
            return self._host.waiting_for_input()
        probe = ("/usr/bin/perl", "-e", program("waiting"))
        said = self.run(probe, user=OPERATOR, timeout=5.0, max_output=64)
        return {b"1": True, b"0": False}.get(said.stdout.strip())

    def kill_foreground(self) -> None:
        """As in `Sandbox.kill_foreground`."""
        if self._host is None:
            self.run(("/usr/bin/perl", "-e", program("kill_foreground")), timeout=10.0)
            return
        shell = (self.world.read(_SHELL, max_bytes=32) or b"").strip()
        if shell.isdigit():
            self._host.kill_foreground(int(shell))

    def kill_operator(self) -> None:
        """As in `Sandbox.kill_operator`."""
        self._keeper.order(Order.KILL)
        deadline = time.monotonic() + _END_SECONDS
        while self.world.stat(GO, follow=False) is not None:  # PID 1 removes it when it has seen the shell's end
            if time.monotonic() > deadline:
                raise SandboxError("the sandbox's PID 1 did not notice the end of the session", hint="is it stopped?")
            time.sleep(_POLL_SECONDS)

    def oom_kills(self) -> int | None:
        """As in `Sandbox.oom_kills`, read from the container's own cgroup files."""
        for path in _OOM_FILES:
            said = self.run(("/bin/cat", path), timeout=10.0, max_output=1 << 16)
            if found := _OOM_COUNT.search(said.stdout):
                return int(found[1])
        return None

    def killed_by_memory(self) -> bool:
        """As in `Sandbox.killed_by_memory`: PID 1 was killed, or the keeper, without which nothing can be judged."""
        if self._deaths.killed_by_memory(self.id):
            return True
        return self._deaths.short_of_memory(self.id) and keeper_lost(self._api, self.id)
