"""A person in the place of a model: the session of a scenario, its container and its pty, at one's own terminal."""

from __future__ import annotations

import os
import secrets
import select
import termios
import tty
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from time import monotonic
from typing import Final

from harness.certify.keyboard import Key, LineEditor, Press
from harness.sandbox.protocol import Engine, Limits, Sandbox
from harness.terminal.marks import EndMark, MarkScanner, PromptMark
from harness.terminal.stream import Stream
from harness.trial import TrialPlan, sandbox_spec
from harness.values import Arm, SessionEnd
from scenarios import LoadedScenario

_TTL_SECONDS: Final = 4 * 3600
_LOOK_SECONDS: Final = 0.1  # between two looks whether a program waits for a line that was typed ahead
_QUIET_SECONDS: Final = 0.3


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """What was typed, as replies, and how the session ended; `end` is None where the author left it."""

    replies: tuple[str, ...]
    end: SessionEnd | None


def attempt(loaded: LoadedScenario, engine: Engine, *, keyboard: int, screen: int) -> Attempt:
    """Give the terminal with the descriptors `keyboard` and `screen` to a fresh session of the scenario.

    The terminal is in raw mode meanwhile, and as it was afterwards, whatever happens. The session's own pty stays as
    a model meets it, 200 columns wide and without echo, however large the window is or becomes. ^] leaves.

    Raises:
        SandboxError: the container could not be made, or was lost.
    """
    plan = TrialPlan(scenario=loaded, arm=Arm.BASE, repeat=0, attempt=1, seed=0, model="author")
    plan = replace(plan, container=Limits(ttl_seconds=_TTL_SECONDS))
    nonce, end_secret = secrets.token_hex(8), secrets.token_hex(16)
    with engine.open(sandbox_spec(plan, nonce=nonce, end_secret=end_secret)) as sandbox, _raw(keyboard):
        desk = _Desk(sandbox, MarkScanner(nonce=nonce, end_secret=end_secret), keyboard=keyboard, screen=screen)
        try:
            return desk.sit()
        finally:
            desk.close()


@contextmanager
def _raw(descriptor: int) -> Iterator[None]:
    before = termios.tcgetattr(descriptor)
    try:
        tty.setraw(descriptor, termios.TCSANOW)
        yield
    finally:
        termios.tcsetattr(descriptor, termios.TCSADRAIN, before)


class _Desk:
    """Moves bytes between an author's terminal and a session, and writes down what is typed at which prompt."""

    def __init__(self, sandbox: Sandbox, scanner: MarkScanner, *, keyboard: int, screen: int) -> None:
        self._sandbox, self._scanner = sandbox, scanner
        self._keyboard, self._screen = keyboard, screen
        self._stream = Stream(sandbox.fileno())
        self._editor = LineEditor()
        self._replies: list[str] = []
        self._ahead: deque[str] = deque()  # lines that are typed and not yet sent
        self._prompt: PromptMark | None = None  # that the session shows now
        self._heard = monotonic()
        self._left = False
        self._end: SessionEnd | None = None

    def sit(self) -> Attempt:
        """Until the session ends or the author leaves."""
        while self._end is None and not self._left:
            watched = [self._keyboard, self._sandbox.fileno()]
            ready, _, _ = select.select(watched, [], [], _LOOK_SECONDS if self._ahead else None)
            if self._sandbox.fileno() in ready and not self._listen():
                break
            if self._keyboard in ready:
                self._typed()
            self._send()
        return Attempt(replies=tuple(self._replies), end=self._end)

    def close(self) -> None:
        """Let go of the session's terminal."""
        self._stream.close()

    def _listen(self) -> bool:
        """Show what the session shows, without its marks; False at its end."""
        data = self._stream.read(0)
        if data is None:
            return False
        self._heard = monotonic()
        for event in self._scanner.feed(data):
            if isinstance(event, EndMark):
                self._end = event.end
            elif isinstance(event, PromptMark):
                self._prompt = event
            else:
                self._show(event.raw)
        return True

    def _typed(self) -> None:
        data = os.read(self._keyboard, 4096)
        if not data:
            self._left = True
        for key in self._editor.feed(data):
            self._show(key.echo.encode())
            self._pressed(key)

    def _pressed(self, key: Key) -> None:
        if key.press is Press.LINE:
            self._ahead.append(key.line)
        elif key.press is Press.LEAVE:
            self._left = True
        elif key.press is Press.INTERRUPT:
            self._interrupt()
        elif key.press is Press.END_OF_INPUT:
            self._write(b"\x04")

    def _interrupt(self) -> None:
        """^C: what it stops is no reply to repeat, since nobody would press it for a model before its time is up."""
        self._ahead.clear()
        if self._replies and (self._prompt is None or self._prompt.status is None):
            self._replies.pop()
        self._write(b"\x03")

    def _send(self) -> None:
        """Send the next line once the session waits for it: at a prompt, or to a program that reads."""
        if not self._ahead or self._end is not None:
            return
        more = self._prompt is not None and self._prompt.status is None
        if self._prompt is None:
            quiet = monotonic() - self._heard >= _QUIET_SECONDS
            if not quiet or self._sandbox.waiting_for_input() is False:
                return
        line = self._ahead.popleft()
        if more and self._replies:
            self._replies[-1] += "\n" + line
        elif line.strip() or self._prompt is None:
            self._replies.append(line)
        self._prompt = None
        self._heard = monotonic()
        self._write(line.encode() + b"\n")

    def _write(self, data: bytes) -> None:
        while data and (taken := self._stream.write(data)):
            data = data[taken:]

    def _show(self, data: bytes) -> None:
        while data:
            data = data[os.write(self._screen, data) :]
