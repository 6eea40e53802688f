"""What an author types in raw mode becomes the lines that a cooked terminal would have made."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from harness.certify.keyboard import LineEditor, Press


def lines(data: bytes) -> list[str]:
    return [key.line for key in LineEditor().feed(data) if key.press is Press.LINE]


def presses(data: bytes) -> list[Press]:
    return [key.press for key in LineEditor().feed(data) if key.press is not Press.NOTHING]


def test_lines_are_edited_as_they_are_typed() -> None:
    assert lines(b"catt\x7f file\r") == ["cat file"]
    assert lines(b"rm x\x15ls\n") == ["ls"]
    assert lines(b"cp one two\x17three\r") == ["cp one three"]
    assert lines("grüße\x7f\x7f\r".encode()) == ["grü"]
    assert lines(b"\x7f\x7fls\r") == ["ls"]


def test_arrows_and_other_escape_sequences_are_passed_over() -> None:
    assert lines(b"l\x1b[A\x1b[3~\x1bOP\x1bxs\r") == ["ls"]


def test_signals_are_told_and_throw_the_line_away() -> None:
    assert presses(b"half\x03ls\r\x04\x1d") == [Press.INTERRUPT, Press.LINE, Press.END_OF_INPUT, Press.LEAVE]
    assert lines(b"half\x03ls\r") == ["ls"]
    assert presses(b"x\x04") == []


def test_what_is_shown_is_what_is_typed() -> None:
    editor = LineEditor()
    assert "".join(key.echo for key in editor.feed(b"ab\x7fc\r")) == "ab\b \bc\r\n"


@given(st.text(alphabet=st.characters(min_codepoint=32, exclude_categories=("C", "Zl", "Zp", "Zs")), max_size=50))
def test_any_text_comes_through_however_its_bytes_are_cut(text: str) -> None:
    editor = LineEditor()
    data = text.encode() + b"\r"
    keys = [key for byte in data for key in editor.feed(bytes([byte]))]
    assert [key.line for key in keys if key.press is Press.LINE] == [text]


@given(st.binary(max_size=200))
def test_no_bytes_break_it(data: bytes) -> None:
    assert all(key.line.isprintable() for key in LineEditor().feed(data))
