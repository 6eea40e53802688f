"""A person's view of a sandbox's session for the tests: type, and wait for what must appear."""

from __future__ import annotations

import base64
import os
import re
import select
import time
from dataclasses import dataclass, field

from harness.sandbox.protocol import Sandbox, SandboxSpec

PROMPT = b"ready$ "
SECRET = "0123456789abcdef-end"  # noqa: S105 - the tests' own
PS1 = "ready${NOTHING}$ "  # so that a command that prints the variable does not print the prompt
ENVIRONMENT = (("PS1", PS1), ("PS2", "more> "))
_END = re.compile(rb"\x1e" + SECRET.encode() + rb":(\w+):(\d*):(\d*):([A-Za-z0-9+/=]*)\x1f")


@dataclass(frozen=True)
class End:
    how: str
    status: str
    signal: str
    reason: str


def spec(**changes: object) -> SandboxSpec:
    fields: dict[str, object] = {"trial": "conformance", "env": ENVIRONMENT, "end_secret": SECRET}
    return SandboxSpec(**(fields | changes))  # type: ignore[arg-type] # keyword by keyword, as each test says


@dataclass
class Session:
    sandbox: Sandbox
    seen: bytearray = field(default_factory=bytearray)

    def until(self, wanted: bytes, seconds: float = 30.0) -> bytes:
        """What was shown up to and including `wanted`; the rest is kept for the next call."""
        deadline = time.monotonic() + seconds
        looked = 0
        while (at := self.seen.find(wanted, looked)) < 0:
            looked = max(0, len(self.seen) - len(wanted))
            ready, _, _ = select.select([self.sandbox.fileno()], [], [], max(0.0, deadline - time.monotonic()))
            data = os.read(self.sandbox.fileno(), 65536) if ready and time.monotonic() < deadline else b""
            assert data, f"{wanted!r} did not appear; it ends: {bytes(self.seen[-300:])!r}"
            self.seen += data
        shown = bytes(self.seen[: at + len(wanted)])
        del self.seen[: at + len(wanted)]
        return shown

    def prompt(self, seconds: float = 30.0) -> bytes:
        return self.until(PROMPT, seconds)

    def send(self, line: str) -> None:
        os.write(self.sandbox.fileno(), line.encode() + b"\n")

    def type(self, line: str, seconds: float = 30.0) -> str:
        """What a line shows, without the prompt that follows it."""
        self.send(line)
        return self.prompt(seconds)[: -len(PROMPT)].decode(errors="replace").replace("\r\n", "\n")

    def end(self, seconds: float = 30.0) -> End:
        shown = self.until(b"\x1f", seconds)
        found = _END.search(shown)
        assert found, shown
        how, status, signal, reason = (part.decode() for part in found.groups())
        return End(how, status, signal, base64.b64decode(reason).decode())


def landed(sandbox: Sandbox) -> Session:
    """The session at its first prompt."""
    session = Session(sandbox)
    session.prompt()
    return session


def eventually(condition: object, seconds: float = 20.0) -> bool:
    """Whether `condition()` comes true in time."""
    assert callable(condition)
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True
