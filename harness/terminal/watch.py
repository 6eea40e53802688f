"""The wait: reads a session's terminal until it rests, and says at what."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from enum import StrEnum
from math import inf
from time import monotonic
from typing import Protocol

from harness.errors import SandboxError
from harness.terminal.capture import Capture
from harness.terminal.cast import CastWriter
from harness.terminal.looks import Looks
from harness.terminal.marks import EndMark, Event, MarkScanner, PromptMark, Text
from harness.terminal.stream import Stream
from harness.values import SessionEnd
from render.observation import observation

PROMPT_TAILS = (b"$ ", b"> ")
_TAIL_SECONDS = 0.25  # for the two visible characters after a mark
_DRAIN_SECONDS = 0.25
_PROMPT_MOMENTS = (0.001, 0.004, 0.016)
_COMMAND_BYTES = 32768  # of a command's text that findings are read from


class TerminalPty(Protocol):
    """What a session's terminal is made of; a sandbox is one."""

    def fileno(self) -> int:
        """A readable, writable descriptor: a pty master or a socket."""
        ...

    def waiting_for_input(self) -> bool | None:
        """Whether a process of the foreground group is blocked reading the terminal; None: cannot be told."""
        ...

    def kill_foreground(self) -> None:
        """SIGKILL the foreground process group, unless it is the session shell's own."""
        ...

    def killed_by_memory(self) -> bool:
        """Whether the session's own memory limit ended all of it, once the terminal was lost."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class TerminalLimits:
    """How long and how much one reply may take."""

    turn_seconds: float = 20.0  # for one reply, then ^C
    interrupt_seconds: float = 2.0  # for ^C to bring a prompt, and for a kill after it
    quiet_seconds: float = 0.2  # of silence, before a waiting program is believed to wait
    output_bytes: int = 256 * 1024  # raw bytes kept of one exchange, half of them from its end
    flood_bytes: int = 64 * 1024 * 1024  # shown by one reply, then ^C as at the deadline
    line_bytes: int = 4094  # a canonical tty takes 4095 and a newline


class Rest(StrEnum):
    """At what a terminal came to rest."""

    PROMPT = "prompt"
    MORE = "more"  # a continuation prompt
    WAITING = "waiting"  # something reads the terminal, and no prompt says what
    BUSY = "busy"  # not at rest: time, or the limit of a flood, ran out
    ENDED = "ended"  # the session's shell is gone


@dataclass(frozen=True, slots=True, kw_only=True)
class Sight:
    """What the wait saw last; `status` is the shell's `$?` where a primary prompt told it."""

    rest: Rest
    status: int | None = None


class Watch:
    """Follows one terminal's stream; keeps count of its prompts.

    Marks can be forged by whoever can read PS1. A mark whose counter is the next one is believed, unless
    `doubt` is set (then more than one prompt may be on its way). Any other mark only counts once something
    is seen waiting for input, and the last one by then sets the count: so a forgery, a nested shell or a
    late prompt costs a moment, and the session is in step again.
    """

    def __init__(
        self, pty: TerminalPty, *, scanner: MarkScanner, recorder: CastWriter | None, limits: TerminalLimits
    ) -> None:
        self._pty = pty
        self._stream = Stream(pty.fileno())
        self._scanner = scanner
        self._recorder = recorder
        self._limits = limits
        self._events: deque[Event] = deque()
        self._flood_at: float = limits.flood_bytes
        self._counter = 0
        self.doubt = False
        self.end: SessionEnd | None = None
        self.output = Capture(limits.output_bytes)
        self.command = Capture(_COMMAND_BYTES)

    @property
    def relayed(self) -> bool:
        """Whether others carry what is typed to the terminal, so that it may arrive late."""
        return self._stream.relayed

    def begin_exchange(self) -> None:
        """Start a new record of what is shown, with what came in since the last one."""
        self.output = Capture(self._limits.output_bytes)
        self.begin_command()
        self._flood_at = self._limits.flood_bytes
        self._drain()

    def begin_command(self) -> None:
        """Start a new record of what the next command shows."""
        self.command = Capture(_COMMAND_BYTES)

    def allow_flood(self) -> None:
        """From here on, until the next exchange, only the clock ends a wait."""
        self._flood_at = inf

    def show(self, text: bytes) -> None:
        """Put a notice of the harness into the record, as if the terminal had shown it."""
        self._record(text)

    def send(self, data: bytes, *, seconds: float) -> bool:
        """Type bytes, reading meanwhile so that neither side blocks the other; False if not all were taken."""
        self._drain()
        until = monotonic() + seconds
        while data and self.end is None:
            data = data[self._stream.write(data) :]
            if data:
                if monotonic() >= until:
                    return False
                self._read(0.02)
                self._count_late_marks()
        return True

    def settle(self, until: float, *, looks: Looks | None, sure: bool = False) -> Sight:
        """Read until the terminal rests or the clock (monotonic) reads `until`; SandboxError if it is gone.

        `looks` decides when to ask whether something waits for input; None: only a prompt will do. `sure`: even
        the mark that is due next is only believed if something waits, so that what follows a forged one is waited for.
        """
        candidate: PromptMark | None = None
        while True:
            mark = self._next_mark()
            if self.end is not None:
                return Sight(rest=Rest.ENDED)
            if mark is not None:
                due = not self.doubt and mark.counter == self._counter + 1
                if due and not (sure and self._nothing_waits()):
                    self._take_tail()
                    return self._accept(mark)
                candidate, self.doubt = mark, True
                if looks is not None:
                    looks.hasten(monotonic())
                continue
            now = monotonic()
            if now >= until or self.output.total > self._flood_at:
                return Sight(rest=Rest.BUSY)
            if looks is None or now < looks.due:
                if self._read((until if looks is None else min(until, looks.due)) - now) and looks is not None:
                    looks.heard(monotonic())
            elif looks.rested(self._pty.waiting_for_input(), monotonic()) and not self._read(0):
                return Sight(rest=Rest.WAITING) if candidate is None else self._accept(candidate)

    def close(self) -> None:
        """Let go of the terminal's descriptor."""
        self._stream.close()

    def _drain(self) -> None:
        """Take what has come in unasked; a prompt among it was late, and is counted."""
        until = monotonic() + _DRAIN_SECONDS
        self._count_late_marks()
        while self.end is None and monotonic() < until and self._read(0):
            self._count_late_marks()

    def _count_late_marks(self) -> None:
        while (mark := self._next_mark()) is not None:
            if mark.counter == self._counter + 1:
                self._counter = mark.counter
            else:
                self.doubt = True

    def _next_mark(self) -> PromptMark | None:
        """Record what is queued, up to and including the next prompt mark."""
        while self._events and self.end is None:
            event = self._events.popleft()
            if isinstance(event, EndMark):
                self.end = event.end
            elif isinstance(event, PromptMark):
                self._record(event.raw, command=b"\n")
                return event
            else:
                self._record(event.raw)
        return None

    def _nothing_waits(self) -> bool:
        """Whether nothing reads the terminal, not even after the moment that a shell takes from prompt to read."""
        for moment in _PROMPT_MOMENTS:
            if self._pty.waiting_for_input() is not False:
                return False
            self._read(moment)
        return self._pty.waiting_for_input() is False

    def _accept(self, mark: PromptMark) -> Sight:
        """Believe a mark."""
        self._counter = mark.counter
        self.doubt = False
        if mark.status is None:
            return Sight(rest=Rest.MORE)
        return Sight(rest=Rest.PROMPT, status=mark.status)

    def _take_tail(self) -> None:
        """Record a prompt's two visible characters; what comes behind them belongs to what follows."""
        until = monotonic() + _TAIL_SECONDS
        shown = b""
        while len(shown) < 2:
            if self._events:
                event = self._events.popleft()
                if not isinstance(event, Text) or not any(t.startswith((shown + event.raw)[:2]) for t in PROMPT_TAILS):
                    self._events.appendleft(event)
                    break
                need = 2 - len(shown)
                shown += event.raw[:need]
                if event.raw[need:]:
                    self._events.appendleft(Text(raw=event.raw[need:]))
            elif monotonic() >= until or not self._read(until - monotonic()):
                break
        self._record(shown, command=b"")

    def _read(self, timeout: float) -> bool:
        """Queue what comes in within `timeout` seconds; whether anything came."""
        data = self._stream.read(timeout)
        if data is None:
            raise SandboxError(
                "the session's terminal closed without saying how the session ended; it showed last: "
                + repr(observation(self.output.bytes()[-1000:])[-300:]),
                hint="the container was removed, ran past its time to live, or its engine stopped",
            )
        if data and self._recorder is not None:
            self._recorder.output(data)
        self._events.extend(self._scanner.feed(data))
        return bool(data)

    def _record(self, raw: bytes, *, command: bytes | None = None) -> None:
        self.output.add(raw)
        self.command.add(raw if command is None else command)
