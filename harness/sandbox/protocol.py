"""What a sandbox is: one protocol that the docker and the crun engine both fulfil."""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Protocol

from harness.world import OPERATOR_UID as OPERATOR_UID
from harness.world import WRITABLE_ROOTS as WRITABLE_ROOTS
from harness.world import ExecResult, World

OPERATOR = "operator"
OPERATOR_HOME = "/home/operator"
SESSION_PATH = "/usr/local/bin:/usr/bin:/bin"
# No message queue, shared memory or semaphore of System V: their memory outlives the process that filled it, so that
# the kernel, short of memory, would find nothing to kill but PID 1.
KERNEL_SETTINGS = (("kernel.msgmni", "0"), ("kernel.shmmni", "0"), ("kernel.sem", "250 32000 32 0"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Resource limits of one container."""

    memory_bytes: int = 256 * 1024 * 1024
    pids: int = 128
    cpus: float = 1.0
    disk_bytes: int = 64 * 1024 * 1024  # for everything writable together
    ttl_seconds: int = 900  # the container ends itself after this


@dataclass(frozen=True, slots=True, kw_only=True)
class PlacedFile:
    """A file put into the world before the session; parents are created, owned by root."""

    path: str  # absolute, under one of WRITABLE_ROOTS
    content: bytes
    mode: int = 0o644
    owner: str = OPERATOR  # "operator" or "root"


@dataclass(frozen=True, slots=True, kw_only=True)
class SandboxSpec:
    """Everything that makes one container: the world, the session's environment, its limits."""

    trial: str  # label, e.g. "stock-03.tuned.0"
    files: tuple[PlacedFile, ...] = ()
    setup: str = ""  # POSIX sh, run as root in / before the session, fixed PATH
    setup_seconds: float = 30.0
    env: tuple[tuple[str, str], ...] = ()  # the session's additional variables (PS1 and PS2 included)
    banner: str = ""  # shown before the first prompt, before the motd
    motd: str = ""  # shown before the first prompt; also the content of /etc/motd
    end_secret: str = ""  # PID 1 prints \x1e<end_secret>:<how>:<status>:<signal>:<reason, base64>\x1f at the end
    columns: int = 200
    rows: int = 50
    limits: Limits = field(default_factory=Limits)


class Sandbox(Protocol):
    """One live container with one session shell on one pty."""

    id: str
    engine: str
    world: World

    def fileno(self) -> int:
        """A readable, writable descriptor of the session's terminal (a pty master or a socket)."""
        ...

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
        """Run a command beside the session, without a tty, in `/`, with PATH=SESSION_PATH.

        Raises SandboxError if it could not be started.
        """
        ...

    def waiting_for_input(self) -> bool | None:
        """Whether a process of the terminal's foreground group is blocked reading the terminal.

        None where that cannot be told now. True at an ordinary prompt too (the shell itself reads).
        """
        ...

    def kill_foreground(self) -> None:
        """SIGKILL the terminal's foreground process group, unless it is the session shell's own."""
        ...

    def kill_operator(self) -> None:
        """SIGKILL every process of the operator and return once none is left; the container stays."""
        ...

    def oom_kills(self) -> int | None:
        """How many processes the memory limit has killed so far; None where not told."""
        ...

    def killed_by_memory(self) -> bool:
        """Whether the container's own memory limit killed what keeps it: the operator's doing, no fault of a machine.

        Asked once something else has failed; False where it cannot be told.
        """
        ...


class Engine(Protocol):
    """A way to make sandboxes. Opening one starts its watchdog; closing it removes all it made."""

    name: str  # "docker" or "crun"

    def image_digest(self) -> str:
        """Identity of the sandbox image, `sha256:…`, for the manifest."""
        ...

    def open(self, spec: SandboxSpec) -> AbstractContextManager[Sandbox]:
        """A fresh container, its files placed, its setup run, its session shell started.

        The context's exit removes the container and everything of it. Thread-safe.
        """
        ...

    def close(self) -> None:
        """Remove every container that this engine object made, and stop its watchdog."""
        ...
