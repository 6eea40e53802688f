"""The typist: types a model's reply into a session shell, line by line, and reports what each line did."""

from __future__ import annotations

from dataclasses import replace
from math import inf
from time import monotonic

from harness.errors import SandboxError
from harness.terminal import findings
from harness.terminal.cast import CastWriter
from harness.terminal.findings import Findings
from harness.terminal.looks import Looks
from harness.terminal.marks import MarkScanner
from harness.terminal.watch import Rest, Sight, TerminalLimits, TerminalPty, Watch
from harness.values import Exchange, LineEnd, SessionEnd, Terminal, TypedLine
from render.observation import observation

_CTRL_C, _CTRL_Q = b"\x03", b"\x11"
_RESUME_SECONDS = 0.2  # for output that ^S had stopped to bring a prompt
_RELAY_SECONDS = 1.5  # for a busy engine to carry a line to the shell, which until then waits for it
_TYPING_SECONDS = 1.0  # for a terminal to take one line
_STOPS = {LineEnd.REFUSED, LineEnd.UNFINISHED, LineEnd.INTERRUPTED, LineEnd.KILLED, LineEnd.SESSION_END}
_ENDS = {
    Rest.PROMPT: LineEnd.PROMPT,
    Rest.MORE: LineEnd.CONTINUATION,
    Rest.WAITING: LineEnd.WAITING,
    Rest.ENDED: LineEnd.SESSION_END,
}
_OUT_OF_MEMORY = SessionEnd(
    terminal=Terminal.SHELL_KILLED,
    signal=9,
    reason="the container's own memory limit killed it, with its first process",
)


class ShellTerminal:
    """One session shell on one terminal.

    A reply's lines are typed as they are, each ended with a newline, one per prompt or one per wait of the
    program that reads the terminal. What ends a reply early (an unfinished command, ^C, a kill, a line too
    long for the terminal, the session's end) throws away the lines that were still to be typed, as ^C does
    for a person: they are not in the Exchange.

    Nothing that a model does raises, not even when it has its whole container killed for want of memory;
    SandboxError means that the terminal itself was lost.
    """

    def __init__(
        self,
        pty: TerminalPty,
        *,
        nonce: str,
        end_secret: str,
        recorder: CastWriter | None = None,
        limits: TerminalLimits | None = None,
    ) -> None:
        self._limits = limits or TerminalLimits()
        scanner = MarkScanner(nonce=nonce, end_secret=end_secret)
        self._pty = pty
        self._watch = Watch(pty, scanner=scanner, recorder=recorder, limits=self._limits)
        self._recorder = recorder
        self._sight = Sight(rest=Rest.BUSY)
        self._unjudged: list[TypedLine] = []  # the lines of the command that is being typed
        self._judges = True  # whether they went to a shell's prompt, so that findings mean something
        self._turn = 0

    @property
    def stuck(self) -> bool:
        """Whether the last reply left something running that neither ^C nor a kill could end."""
        return self._sight.rest is Rest.BUSY

    @property
    def end(self) -> SessionEnd | None:
        """How the session ended, if it has."""
        return self._watch.end

    def landing(self, timeout: float) -> bytes:
        """Everything shown up to and including the first prompt; SandboxError if none comes in `timeout` seconds."""
        self._sight = self._watch.settle(monotonic() + timeout, looks=None)
        shown = self._watch.output.bytes()
        if self._sight.rest is not Rest.PROMPT:
            said = repr(observation(shown)[-300:])
            why = (
                "ended before" if self._sight.rest is Rest.ENDED else f"showed no prompt in {timeout:g} s, so not even"
            )
            raise SandboxError(
                f"the session's shell {why} its first prompt; the terminal shows: {said}",
                hint="run `evalh sandbox doctor`; is the machine overloaded?",
            )
        return shown

    def type_reply(self, reply: str, *, deadline_seconds: float | None = None) -> Exchange:
        """Type a reply and wait until the terminal rests; ^C, then a kill, once the deadline has passed.

        The deadline is `limits.turn_seconds`, or `deadline_seconds` where that is less. White space at the
        reply's end is not typed; characters that UTF-8 cannot carry are typed as `?`. Each line of a command
        of several lines carries what became known of the whole command. Raises SandboxError.
        """
        started = monotonic()
        allowed = self._limits.turn_seconds if deadline_seconds is None else deadline_seconds
        until = started + min(allowed, self._limits.turn_seconds)
        texts = reply.rstrip().split("\n")
        self._turn += 1
        if self._recorder is not None:
            self._recorder.marker(f"{self._turn}: {texts[0]}")
        self._unjudged = []
        try:
            self._watch.begin_exchange()
            lines = self._type_lines(texts, until)
        except SandboxError:
            if not self._pty.killed_by_memory():
                raise
            self._watch.end = _OUT_OF_MEMORY
            lines = [TypedLine(text=texts[0], end=LineEnd.SESSION_END)]
        return Exchange(
            lines=tuple(lines),
            output=self._watch.output.bytes(),
            omitted_bytes=self._watch.output.omitted,
            end=self._watch.end,
            seconds=monotonic() - started,
        )

    def close(self) -> None:
        """Let go of the terminal; the descriptor itself is closed by its owner."""
        self._watch.close()

    def _type_lines(self, texts: list[str], until: float) -> list[TypedLine]:
        done: list[TypedLine] = []
        if self._watch.end is not None or not self._ready(until):
            return [] if self._watch.end is not None else [TypedLine(text=texts[0], end=LineEnd.REFUSED)]
        for index, text in enumerate(texts):
            end = self._type_line(text, until, last=index == len(texts) - 1)
            self._unjudged.append(TypedLine(text=text, end=end))
            if end is not LineEnd.CONTINUATION:
                done += self._judged(end)
            if end in _STOPS:
                break
        return done

    def _ready(self, until: float) -> bool:
        """Whether something will read what is typed next; where the last reply left it busy, wait for that."""
        if self._sight.rest is Rest.BUSY:
            self._watch.doubt = True
            self._sight = self._watch.settle(until, looks=self._looks())
            if self._sight.rest is Rest.BUSY:
                self._recover()
        return self._sight.rest not in {Rest.BUSY, Rest.ENDED}

    def _type_line(self, text: str, until: float, *, last: bool) -> LineEnd:
        at_prompt = self._sight.rest is Rest.PROMPT
        if not self._unjudged:
            self._judges = at_prompt
            self._watch.begin_command()
        data = text.encode("utf-8", "replace")
        if len(data) > self._limits.line_bytes:
            return self._refuse(len(data))
        brisk = self._sight.rest is Rest.WAITING
        if brisk or _has_controls(text):
            self._watch.doubt = True  # there may be more prompts than one, or none
        if self._watch.send(data + b"\n", seconds=_TYPING_SECONDS):
            self._sight = self._watch.settle(until, looks=self._looks(brisk=brisk, typed=True), sure=last)
        else:
            self._sight = Sight(rest=Rest.BUSY)
        if self._sight.rest is Rest.BUSY:
            return self._recover()
        if self._sight.rest is Rest.MORE and last:
            self._interrupt()
            return LineEnd.UNFINISHED if self._watch.end is None else LineEnd.SESSION_END
        return _ENDS[self._sight.rest]

    def _refuse(self, size: int) -> LineEnd:
        """Say that a line was not typed, and give back a prompt: never let a part of a command run."""
        limit = self._limits.line_bytes
        self._watch.show(b"[line of %d bytes not typed: this terminal takes at most %d]\r\n" % (size, limit))
        if self._sight.rest is Rest.MORE:
            self._interrupt()
        elif self._sight.rest is Rest.PROMPT:
            self._watch.show(b"$ ")
        return LineEnd.REFUSED

    def _interrupt(self) -> None:
        """^C at a prompt or at a busy program; only a new prompt, or the time for one running out, ends the wait."""
        until = monotonic() + self._limits.interrupt_seconds
        if self._watch.send(_CTRL_C, seconds=self._limits.interrupt_seconds):
            at_prompt = self._sight.rest is Rest.MORE  # something waits there already: that says nothing
            looks = self._looks(first=inf) if at_prompt else self._looks()
            seen = self._watch.settle(until, looks=looks)
            if seen.rest is not Rest.BUSY or self._sight.rest is not Rest.MORE:
                self._sight = seen

    def _recover(self) -> LineEnd:
        """Past the deadline: undo a ^S, then ^C, then kill the foreground; each gets a moment to bring a prompt."""
        end = LineEnd.INTERRUPTED
        self._watch.allow_flood()
        self._watch.send(_CTRL_Q, seconds=_RESUME_SECONDS)
        self._sight = self._watch.settle(monotonic() + _RESUME_SECONDS, looks=self._looks(brisk=True))
        if self._sight.rest in {Rest.PROMPT, Rest.WAITING}:
            return _ENDS[self._sight.rest]
        if self._sight.rest is not Rest.ENDED:
            self._sight = Sight(rest=Rest.BUSY)
            self._watch.doubt = True  # the command may have ended by itself as ^C was typed: two prompts
            self._interrupt()
        if self._sight.rest is Rest.BUSY:
            end = LineEnd.KILLED
            self._pty.kill_foreground()
            self._sight = self._watch.settle(monotonic() + self._limits.interrupt_seconds, looks=self._looks())
        return LineEnd.SESSION_END if self._sight.rest is Rest.ENDED else end

    def _looks(self, *, brisk: bool = False, first: float | None = None, typed: bool = False) -> Looks:
        quiet = self._limits.quiet_seconds / 4 if brisk else self._limits.quiet_seconds
        mute = _RELAY_SECONDS if typed and not brisk and self._watch.relayed else 0.0
        return Looks(monotonic(), first=quiet / 2 if first is None else first, gap=quiet, mute=mute)

    def _judged(self, end: LineEnd) -> list[TypedLine]:
        """The lines of the command that has just ended, each with what is known of the whole."""
        lines, self._unjudged = self._unjudged, []
        text = "\n".join(line.text for line in lines)
        found = Findings()
        if self._judges and end is LineEnd.UNFINISHED:
            found = findings.of_unfinished(text)
        elif end is LineEnd.REFUSED:
            found = Findings(parsed=False) if len(lines) > 1 else found
        elif self._judges:
            shown = self._watch.command.bytes().decode("utf-8", "replace")
            found = findings.of_command(text, status=self._sight.status, shown=shown)
        status = self._sight.status if end is not LineEnd.REFUSED else None
        return [replace(line, status=status, parsed=found.parsed, resolved=found.resolved) for line in lines]


def _has_controls(text: str) -> bool:
    """Whether the terminal's line discipline may act on a character of the line."""
    return any((character < " " and character != "\t") or character == "\x7f" for character in text)
