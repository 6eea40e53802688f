"""Marks are found however the stream is cut, and nothing that the operator can write counts as the end."""

from __future__ import annotations

import base64
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.errors import SandboxError
from harness.terminal.marks import MAX_BODY, EndMark, Event, MarkScanner, PromptMark, Text, prompt_variables
from harness.values import SessionEnd, Terminal

NONCE, SECRET = "0123456789abcdef", "fedcba9876543210"
PS1 = b"\x1e0123456789abcdef:0:7\x1f"
PS2 = b"\x1e0123456789abcdef:+:8\x1f"


def scanned(*chunks: bytes) -> list[Event]:
    scanner = MarkScanner(nonce=NONCE, end_secret=SECRET)
    return [event for chunk in chunks for event in scanner.feed(chunk)]


def end(how: str, status: str = "", signal: str = "", reason: str = "") -> bytes:
    encoded = base64.b64encode(reason.encode()).decode()
    return f"\x1e{SECRET}:{how}:{status}:{signal}:{encoded}\x1f".encode()


def test_prompts_of_both_kinds_are_told_apart() -> None:
    assert scanned(b"a" + PS1 + b"$ b" + PS2 + b"> ") == [
        Text(raw=b"a"),
        PromptMark(raw=PS1, status=0, counter=7),
        Text(raw=b"$ b"),
        PromptMark(raw=PS2, status=None, counter=8),
        Text(raw=b"> "),
    ]


def test_a_printed_ps1_is_text() -> None:
    for _, value in prompt_variables(NONCE):
        assert all(isinstance(event, Text) for event in scanned(value.encode()))


def test_marks_of_another_nonce_or_shape_are_text() -> None:
    for fake in (b"\x1edeadbeefdeadbeef:0:1\x1f", b"\x1e" + NONCE.encode() + b":x:1\x1f", b"\x1e\x1f", b"\x1f\x1f"):
        assert b"".join(event.raw for event in scanned(fake, b"end")) == fake + b"end"
        assert all(isinstance(event, Text) for event in scanned(fake, b"end"))


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (end("exit", "3"), SessionEnd(terminal=Terminal.EXIT, status=3)),
        (end("exit", "0"), SessionEnd(terminal=Terminal.EXIT, status=0)),
        (end("killed", "", "9"), SessionEnd(terminal=Terminal.SHELL_KILLED, signal=9)),
        (end("panic", "", "", "no such file é"), SessionEnd(terminal=Terminal.PANIC, reason="no such file é")),
        (end("panic", "", "", "a\x1b[31m\nb"), SessionEnd(terminal=Terminal.PANIC, reason="a [31m b")),
    ],
)
def test_the_end_says_how(raw: bytes, expected: SessionEnd) -> None:
    assert scanned(raw) == [EndMark(raw=raw, end=expected)]


def test_an_end_that_pid_1_cannot_have_written_is_the_sandbox_s_fault() -> None:
    with pytest.raises(SandboxError, match="cannot be read"):
        scanned(end("vanished"))


def test_a_mark_that_was_cut_off_does_not_swallow_the_next() -> None:
    events = scanned(b"\x1e0123456789abcdef:0" + PS1, b"\x1e0123\n", PS2)
    assert [type(event) for event in events] == [Text, PromptMark, Text, PromptMark]


def test_a_mark_without_an_end_is_not_held_for_ever() -> None:
    flood = b"\x1e" + b"a" * (3 * MAX_BODY)
    scanner = MarkScanner(nonce=NONCE, end_secret=SECRET)
    seen = b"".join(event.raw for at in range(0, len(flood), 1000) for event in scanner.feed(flood[at : at + 1000]))
    assert seen == flood


@given(
    st.lists(st.sampled_from([PS1, PS2, end("exit", "1"), b"\x1e", b"\x1f", b"\n", b"text", b"\x1e0123"]), max_size=12),
    st.lists(st.integers(0, 200), max_size=8),
)
def test_cuts_change_nothing(pieces: list[bytes], cuts: list[int]) -> None:
    stream = b"".join([*pieces, b"\n"])
    edges = sorted({0, len(stream), *(cut for cut in cuts if cut < len(stream))})
    cut = scanned(*(stream[a:b] for a, b in pairwise(edges)))
    assert b"".join(event.raw for event in cut) == stream
    assert [e for e in cut if not isinstance(e, Text)] == [e for e in scanned(stream) if not isinstance(e, Text)]


@pytest.mark.parametrize("nonce", ["", "short", "with:colon:in", "x" * 65, "new\nline!"])
def test_a_nonce_that_could_not_be_found_again_is_refused(nonce: str) -> None:
    with pytest.raises(ValueError, match="nonce"):
        prompt_variables(nonce)
