r"""The invisible marks in the terminal's stream: how prompts carry them, how they are found again.

A prompt mark is `\x1e<nonce>:<status>:<counter>\x1f`, where status is `+` in a continuation prompt (PS2);
the end mark, printed by the container's PID 1, is `\x1e<secret>:<how>:<status>:<signal>:<base64 reason>\x1f`.
The operator can read the nonce (it stands in PS1) but not the secret, so a prompt mark is a claim that
others must weigh, and an end mark is the truth.
"""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass

from harness.errors import SandboxError
from harness.values import SessionEnd, Terminal

START = b"\x1e"
STOP = b"\x1f"
MAX_BODY = 8192  # bytes of a mark between START and STOP; a longer one is ordinary text
_UNFINISHED = re.compile(rb"\x1e[^\x1e\x1f\n]*\Z")  # what may still become a mark: another one or a line ends it
_PROMPT_BODY = re.compile(rb"([0-9]{1,3}|\+):([0-9]{1,18})")
_END_BODY = re.compile(rb"(exit|panic|killed):([0-9]{0,5}):([0-9]{0,3}):([A-Za-z0-9+/=]*)")
_TOKEN = re.compile(r"[0-9A-Za-z_-]{8,64}")


def prompt_variables(nonce: str) -> tuple[tuple[str, str], ...]:
    r"""PS1 and PS2 of a session shell, as (name, value) pairs for its environment.

    Both raise the same counter, `EVN`, so that a late prompt cannot pass for the next one. The `$?` is
    expanded when the prompt is shown; printing `$PS1` therefore shows no mark that would be believed.
    ValueError unless `nonce` is 8 to 64 letters, digits, `_` or `-`.
    """
    _check_token(nonce, "nonce")
    return (
        ("PS1", f"\x1e{nonce}:$?:$((EVN=EVN+1))\x1f$ "),
        ("PS2", f"\x1e{nonce}:+:$((EVN=EVN+1))\x1f> "),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Text:
    """Bytes of the stream that are no mark."""

    raw: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class PromptMark:
    """A claim that a prompt is shown; `status` is None in a continuation prompt."""

    raw: bytes
    status: int | None
    counter: int


@dataclass(frozen=True, slots=True, kw_only=True)
class EndMark:
    """PID 1's word that the session shell has ended."""

    raw: bytes
    end: SessionEnd


Event = Text | PromptMark | EndMark


class MarkScanner:
    """Cuts a stream into text and marks, however the reads fall; linear in time, bounded in memory."""

    def __init__(self, *, nonce: str, end_secret: str) -> None:
        _check_token(nonce, "nonce")
        _check_token(end_secret, "end_secret")
        self._prompt = nonce.encode() + b":"
        self._end = end_secret.encode() + b":"
        self._mark = re.compile(rb"\x1e(?:%s|%s)[^\x1e\x1f\n]{0,%d}\x1f" % (self._prompt, self._end, MAX_BODY))
        self._held = b""  # an unfinished mark: empty, or START and what follows it

    def feed(self, chunk: bytes) -> list[Event]:
        """The events that are complete now; what may still become a mark is kept for the next feed."""
        data = self._held + chunk
        unfinished = _UNFINISHED.search(data, max(0, len(data) - MAX_BODY))
        end = unfinished.start() if unfinished else len(data)
        self._held = data[end:]
        events: list[Event] = []
        begin = 0
        for found in self._mark.finditer(data, 0, end):
            event = self._event(found.group())
            if event is not None:
                _append_text(events, data[begin : found.start()])
                events.append(event)
                begin = found.end()
        _append_text(events, data[begin:end])
        return events

    def _event(self, raw: bytes) -> PromptMark | EndMark | None:
        """The mark that this is; None for a prompt of the operator's own making, which is text."""
        body = raw[1:-1]
        if body.startswith(self._end):
            return _end_mark(raw, body.removeprefix(self._end))
        parts = _PROMPT_BODY.fullmatch(body.removeprefix(self._prompt))
        if parts is None:
            return None
        status = None if parts[1] == b"+" else int(parts[1])
        return PromptMark(raw=raw, status=status, counter=int(parts[2]))


def _append_text(events: list[Event], raw: bytes) -> None:
    if raw:
        events.append(Text(raw=raw))


def _end_mark(raw: bytes, body: bytes) -> EndMark:
    """The end that PID 1 declares; SandboxError if it broke its own format."""
    parts = _END_BODY.fullmatch(body)
    if parts is None:
        msg = f"the container's PID 1 printed an end mark that cannot be read: {body[:80]!r}"
        raise SandboxError(msg, hint="the sandbox image and this evalh differ; run `evalh sandbox build`")
    how, status, signal, encoded = (part.decode("ascii") for part in parts.groups())
    terminal = {"exit": Terminal.EXIT, "panic": Terminal.PANIC, "killed": Terminal.SHELL_KILLED}[how]
    end = SessionEnd(
        terminal=terminal,
        status=int(status) if status and terminal is Terminal.EXIT else None,
        signal=int(signal) if signal and int(signal) and terminal is Terminal.SHELL_KILLED else None,
        reason=_reason(encoded),
    )
    return EndMark(raw=raw, end=end)


def _reason(encoded: str) -> str:
    """The operator's own words, on one line and without control characters."""
    try:
        reason = base64.b64decode(encoded).decode("utf-8", "replace")
    except binascii.Error:
        return ""
    return "".join(character if character.isprintable() else " " for character in reason).strip()


def _check_token(token: str, name: str) -> None:
    if not _TOKEN.fullmatch(token):
        msg = f"{name} must be 8 to 64 letters, digits, `_` or `-`"
        raise ValueError(msg)
