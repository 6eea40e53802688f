"""Commands run beside the session, with their deadline, output cap and end told by a small program inside."""

from __future__ import annotations

import secrets
import select
import socket
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from harness.errors import SandboxError
from harness.sandbox.docker.api import DockerApi
from harness.sandbox.docker.keeper import Keeper
from harness.sandbox.protocol import OPERATOR, SESSION_PATH, Limits
from harness.world import ExecResult

_GRACE_SECONDS = 30.0  # beyond the command's own deadline: start, kill, report
_ROOM = 64  # processes beyond the limit, for a command that found none left
_STDOUT, _STDERR = 1, 2


def program(name: str) -> str:
    """The text of one of the Perl programs that run inside of a container."""
    return (Path(__file__).parent / "programs" / f"{name}.pl").read_text(encoding="utf-8")


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """What to run, as whom, and within which bounds (`max_output` bytes of each output stream)."""

    argv: tuple[str, ...]
    user: str = "root"
    stdin: bytes = b""
    timeout: float = 30.0
    max_output: int = 1 << 20
    env: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Outputs:
    stdout: bytes
    stderr: bytes
    truncated: bool
    began: bool  # the helper inside ran; if not, stdout and stderr are the engine's own words
    report: str  # "" when the stream ended without one


class Runner:
    """Runs commands in one live container; variables named in `hide` do not even reach the helper inside."""

    def __init__(
        self, api: DockerApi, container: str, *, limits: Limits, keeper: Keeper, hide: tuple[str, ...]
    ) -> None:
        self._api = api
        self._container = container
        self._limits = limits
        self._keeper = keeper
        self._hide = hide

    def run(self, command: Command) -> ExecResult:
        """Run `command` in `/`.

        Where the operator has used up the process limit, its processes stand still meanwhile, and the limit
        is raised: raised alone, a fork bomb would use that up too. Raises SandboxError if the command could
        not be started or its end could not be learnt.
        """
        if command.user not in {"root", OPERATOR}:
            raise SandboxError(f"cannot run {command.argv[0]} as {command.user}: only root and {OPERATOR} exist")
        outputs = self._try(command)
        if not outputs.began or outputs.report.startswith("refused:"):
            with self._keeper.held(), self._room():
                outputs = self._try(command)
        how, _, detail = outputs.report.partition(":")
        if how not in {"exit", "timeout"}:
            said = detail if outputs.began else (outputs.stdout + outputs.stderr).decode(errors="replace").strip()[:500]
            said = said or "the connection ended before the command did"
            raise SandboxError(f"could not run {command.argv[0]} in the container: {said}")
        return ExecResult(
            status=int(detail) if how == "exit" else None,
            stdout=outputs.stdout,
            stderr=outputs.stderr,
            truncated=outputs.truncated,
        )

    def _try(self, command: Command) -> _Outputs:
        mark = secrets.token_hex(16)
        stream = _start(self._api, self._container, command, self._hide, mark)
        try:
            return _exchange(stream, command, mark)
        finally:
            stream.close()

    @contextmanager
    def _room(self) -> Iterator[None]:
        self._api.update(self._container, {"PidsLimit": self._limits.pids + _ROOM})
        try:
            yield
        finally:
            self._api.update(self._container, {"PidsLimit": self._limits.pids})


def _start(api: DockerApi, container: str, command: Command, hide: tuple[str, ...], mark: str) -> socket.socket:
    settings: Mapping[str, str] = {
        "EVALH_MARK": mark,
        "EVALH_SECONDS": f"{command.timeout:.3f}",
        "EVALH_USER": command.user,
        "EVALH_PATH": SESSION_PATH,
        **{f"EVALH_RUN_{name}": value for name, value in command.env},
    }
    body = {
        "AttachStdin": True,
        "AttachStdout": True,
        "AttachStderr": True,
        "Tty": False,
        "User": "0:0",
        "WorkingDir": "/",
        "Env": [*hide, *(f"{name}={value}" for name, value in settings.items())],
        "Cmd": ["/usr/bin/perl", "-e", program("run"), *command.argv],
    }
    with api.failures(f"preparing to run {command.argv[0]} in the container"):
        reply = api.client.post(api.url(f"/containers/{container}/exec"), json=body, timeout=api.seconds)
        if not reply.ok:
            raise SandboxError(
                f"could not run {command.argv[0]}: {reply.text.strip()[:300]}",
                hint="the container has ended: its time to live passed, or somebody removed it",
            )
        ident = str(reply.json()["Id"])
    return api.hijack(f"/exec/{ident}/start", {}, {"Detach": False, "Tty": False})


class CappedStream:
    """One output stream: its first bytes, and whether and with what report it ended."""

    def __init__(self, limit: int, mark: bytes) -> None:
        self.kept = bytearray()
        self.truncated = False
        self.report: str | None = None
        self._limit = limit
        self._mark = b"\0" + mark + b":"
        self.pending = b""

    def feed(self, data: bytes) -> None:
        """Take the next piece; what comes after the report is dropped."""
        if self.report is not None:
            return
        data = self.pending + data
        at = data.find(self._mark)
        end = data.find(b"\0", at + 1) if at >= 0 else -1
        if end >= 0:
            self.report = data[at + len(self._mark) : end].decode(errors="replace")
            self._keep(data[:at])
            return
        hold = at if at >= 0 else max(0, len(data) - len(self._mark))
        self._keep(data[:hold])
        self.pending = data[hold:]

    def finish(self) -> None:
        """The stream is over: what was held back for want of a report is output after all."""
        if self.report is None:
            self._keep(self.pending)

    def _keep(self, data: bytes) -> None:
        room = self._limit - len(self.kept)
        self.kept += data[:room]
        self.truncated = self.truncated or len(data) > room


def _exchange(stream: socket.socket, command: Command, mark: str) -> _Outputs:
    """Feed the command's stdin and collect its output until it reported its end on both streams."""
    begin = mark.encode()
    room = {_STDOUT: command.max_output + len(begin), _STDERR: command.max_output}
    streams = {number: CappedStream(limit, begin) for number, limit in room.items()}
    frames = Frames()
    deadline = time.monotonic() + command.timeout + _GRACE_SECONDS
    stream.settimeout(0.0)
    unsent = _send(stream, memoryview(command.stdin))
    while any(each.report is None for each in streams.values()):
        left = max(0.0, deadline - time.monotonic())
        ready = _ready(stream, left, writing=bool(unsent))
        if not ready:
            raise SandboxError(
                f"{command.argv[0]} did not report its end {_GRACE_SECONDS:.0f} s after its deadline",
                hint="the machine or the Docker engine is stuck or overloaded",
            )
        if ready & select.POLLOUT:
            unsent = _send(stream, unsent)
        if ready & ~select.POLLOUT:
            data = _receive(stream)
            if not data:
                break
            for number, part in frames.split(data):
                if number in streams:
                    streams[number].feed(part)
    for each in streams.values():
        each.finish()
    stdout = bytes(streams[_STDOUT].kept)
    return _Outputs(
        stdout=stdout.removeprefix(begin),
        stderr=bytes(streams[_STDERR].kept),
        truncated=any(each.truncated for each in streams.values()),
        began=stdout.startswith(begin),
        report=streams[_STDOUT].report or streams[_STDERR].report or "",
    )


def _ready(stream: socket.socket, seconds: float, *, writing: bool) -> int:
    """What the stream is ready for, as poll(2) says; 0 after `seconds`. Unlike select(2), whatever its number."""
    watch = select.poll()
    watch.register(stream, select.POLLIN | (select.POLLOUT if writing else 0))
    return sum(events for _, events in watch.poll(seconds * 1000))


def _send(stream: socket.socket, unsent: memoryview) -> memoryview:
    """Send what fits now and return the rest; once all is sent, the stream's sending half is closed."""
    try:
        if unsent:
            unsent = unsent[stream.send(unsent[: 1 << 16]) :]
        if not unsent:
            stream.shutdown(socket.SHUT_WR)
    except BlockingIOError:
        return unsent
    except OSError:
        return memoryview(b"")  # nobody reads any more; what the command said is still to be read
    return unsent


def _receive(stream: socket.socket) -> bytes:
    """What came; b"" at the end of the stream."""
    try:
        return stream.recv(1 << 16)
    except ConnectionResetError:
        return b""


class Frames:
    """Docker's multiplexed stream: an 8-byte header (stream, 0, 0, 0, length), then that many bytes."""

    def __init__(self) -> None:
        self._head = bytearray()
        self._number = 0
        self._left = 0

    def split(self, data: bytes) -> list[tuple[int, bytes]]:
        """The pieces of streams in `data`, in order; what is incomplete is kept for the next call."""
        pieces = []
        view = memoryview(data)
        while view:
            if not self._left:
                take = 8 - len(self._head)
                self._head += view[:take]
                view = view[take:]
                if len(self._head) == 8:
                    self._number = self._head[0]
                    self._left = int.from_bytes(self._head[4:], "big")
                    self._head.clear()
                continue
            part = bytes(view[: self._left])
            pieces.append((self._number, part))
            self._left -= len(part)
            view = view[len(part) :]
        return pieces
