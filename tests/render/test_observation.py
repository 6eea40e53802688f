"""The observation is what a person would read on the terminal, bounded, and the same every time."""

from __future__ import annotations

import unicodedata

import pyte
import pytest
from hypothesis import given
from hypothesis import strategies as st

from render.observation import MIN_CAP, NOTHING, observation

PS1 = b"\x1e0123456789abcdef:0:7\x1f$ "
COLUMNS, ROWS = 200, 16


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        (b"hello\r\n" + PS1, "hello\n$ "),
        (PS1, "$ "),
        (b"no newline" + PS1, "no newline$ "),
        (b"\x1eanother-nonce:130:12\x1f> ", "> "),
        (b"progress 10%\rprogress 100%\r\n" + PS1, "progress 100%\n$ "),
        (b"long line\rshort" + PS1, "shortline$ "),
        (b"back at the start\r" + PS1, "back at the start$ "),
        (b"ab\b\b" + PS1, "ab$ "),
        (b"N\bNA\bAM\bME\bE _\bx", "NAME x"),
        (b"a\r\r\nb\n\rc", "a\nb\nc"),
        (b"\b\bx", "x"),
        (b"a\tb\r\n\tc", "a\tb\n\tc"),
        (b"12345678901\r\tX", "12345678X01"),
        (b"\x1b[1;31mred\x1b[0m \x1b[?2004hplain\x1b[K", "red plain"),
        (b"\x1b]0;title\x07a\x1b]8;;http://x\x1b\\b\x1b]8;;\x1b\\", "ab"),
        (b"\x1bP1$r0m\x1b\\a\x1b_apc\x1b\\b\x1b^pm\x1b\\c\x1bXsos\x1b\\d", "abcd"),
        (b"\x1b(B\x1b)0\x1b%Ga\x1b=\x1b>b\x1b7c\x1b8\x1bMd\x1bc", "abcd"),
        ("a\x9b31mb\x9d0;t\x9cc\x85d\x90x\x9ce".encode(), "abcde"),
        (b"a\x1b[31", "a"),
        (b"a\x1b]0;unended\r\n" + PS1, "a\n$ "),
        (b"a\x1b]0;unended" + PS1, "a$ "),
        (b"a\x1b" + PS1, "a$ "),
        (b"\x1b\x1b[m[31mx", "[31mx"),
        (b"a\x00\x01\x05\x07\x0b\x0c\x0e\x0f\x1c\x7fb", "ab"),
        (b"a\x1e0123456789abcdef:0:1", "a"),
        (b"a\x1e0123456789abcdef:0\x1e0123456789abcdef:0:2\x1f$ ", "a$ "),
        (b'\x1e{"a": 1}\n\x1e{"b": 2}\n', '{"a": 1}\n{"b": 2}\n'),
        (b"\xff\xfe \xc3( \xed\xa0\x80", "\ufffd\ufffd \ufffd( \ufffd\ufffd\ufffd"),
        ("é漢🙂\r\n".encode(), "é漢🙂\n"),
        ("漢字\rx\r\n".encode(), "x 字\n"),
        ("e\u0301x\b\by".encode(), "yx"),
        (b"PS1=\x1e0123456789abcdef:$?:$((EVN=EVN+1))\x1f$ \r\n" + PS1, "PS1=$ \n$ "),
        (b"", NOTHING),
        (b" \r\n\t\x1b[H\x00", NOTHING),
        ("\u200b\u00a0".encode(), NOTHING),
    ],
)
def test_the_text_that_a_terminal_shows(raw: bytes, text: str) -> None:
    assert observation(raw) == text


def test_the_middle_of_a_long_text_becomes_one_line() -> None:
    text = observation(b"h" * 5000 + b"t" * 5000 + b"\r\n" + PS1, cap_bytes=1000)
    head, notice, tail = text.split("\n", 2)
    assert set(head) == {"h"}
    assert tail.strip("t") == "\n$ "
    left_out = 10_003 - len(head) - len(tail)
    assert notice == f"[... {left_out} bytes left out ...]"
    assert len(text) <= 1000
    assert abs(len(head) - len(tail)) <= 1


def test_what_a_recorder_left_out_is_counted_in_and_shown_in_its_place() -> None:
    assert observation(b"head\r\ntail\r\n", omitted_bytes=7) == "head\n[... 7 bytes left out ...]\ntail\n"
    text = observation(b"h" * 4000 + b"t" * 4000, cap_bytes=500, omitted_bytes=10**9)
    head, notice, tail = text.split("\n")
    assert notice == f"[... {10**9 + 8000 - len(head) - len(tail)} bytes left out ...]"


def test_a_short_end_leaves_its_room_to_the_other() -> None:
    drawn = b"\r".join([b"50%"] * 1000) + b"\r" * 1
    text = observation(drawn + b"t" * len(drawn), cap_bytes=512, omitted_bytes=5)
    assert text.startswith("50%\n[... ")
    assert 500 < len(text) <= 512


@pytest.mark.parametrize("character", ["é", "漢", "🙂", "e\u0301"])
@pytest.mark.parametrize("shift", range(4))
def test_no_character_is_cut(character: str, shift: int) -> None:
    raw = b"x" * shift + character.encode() * 3000
    assert "\ufffd" not in observation(raw, cap_bytes=999)
    if len(raw) % 2 == 0:
        assert "\ufffd" not in observation(raw, omitted_bytes=3)


def test_a_cap_without_room_for_any_text_is_refused() -> None:
    with pytest.raises(ValueError, match="at least 128"):
        observation(b"x", cap_bytes=MIN_CAP - 1)


PIECES = st.one_of(
    st.binary(max_size=12),
    st.text(max_size=8).map(str.encode),
    st.sampled_from(
        [b"\r", b"\n", b"\r\n", b"\b", b"\t", b"\x1b", b"\x1b[", b"\x1b]", b"\x1b[31m", b"\x9b", b"\xc2\x9b", b"\x1e",
         b"\x1f", PS1, "漢".encode(), "\u0301".encode(), b"y" * 300]
    ),
)  # fmt: skip


@given(
    st.lists(PIECES, max_size=40).map(b"".join), st.sampled_from([128, 200, 8192]), st.sampled_from([0, 0, 1, 10**6])
)
def test_any_bytes_give_clean_bounded_text_that_stays_as_it_is(raw: bytes, cap: int, omitted: int) -> None:
    text = observation(raw, cap_bytes=cap, omitted_bytes=omitted)
    assert len(text.encode()) <= cap
    assert all(character in "\n\t" or unicodedata.category(character) != "Cc" for character in text)
    assert any(character.isprintable() and not character.isspace() for character in text)
    assert observation(text.encode(), cap_bytes=cap) == text


@given(st.lists(PIECES, max_size=20).map(b"".join))
def test_the_last_prompt_is_always_shown(raw: bytes) -> None:
    assert observation(raw + b"\n" + PS1, cap_bytes=256).endswith("\n$ ")


SGR = st.sampled_from(["\x1b[1m", "\x1b[0;31m", "\x1b[m", "\x1b[38;5;12m"])
NARROW = st.text(alphabet=st.characters(min_codepoint=0x20, max_codepoint=0x7E), min_size=1, max_size=9)
LATIN = st.text(alphabet="éßñÅ", min_size=1, max_size=3)
WIDE = st.text(alphabet="漢字かナ한", min_size=1, max_size=3)
MOVES = st.sampled_from(["\r", "\b", "\t", "\r\n", "\b\b\b"])


def assert_reads_as_on_an_emulator(text: str) -> None:
    screen = pyte.Screen(COLUMNS, ROWS)
    pyte.Stream(screen).feed(text)
    expected = "\n".join(line.rstrip() for line in screen.display).rstrip()
    seen = observation(text.encode())
    cells = "" if seen == NOTHING else seen
    assert "\n".join(line.expandtabs().rstrip() for line in cells.split("\n")).rstrip() == expected


@given(st.lists(st.one_of(NARROW, LATIN, MOVES, SGR), max_size=14).map("".join))
def test_it_reads_as_on_a_real_terminal_emulator(text: str) -> None:
    assert_reads_as_on_an_emulator(text)


@given(st.lists(st.one_of(WIDE, NARROW, SGR, st.just("\r\n")), max_size=14).map("".join))
def test_wide_characters_read_as_on_a_real_terminal_emulator(text: str) -> None:
    assert_reads_as_on_an_emulator(text)


@pytest.mark.parametrize(
    "hostile",
    [b"\x1e", b"\x1b", b"\x1b]", b"\x1b[", b"\x1b[1", b"a\b", b"\r", b"\t", b"\xcc\x81", b"\x1e12345678:", b"\xff",
     b"a\r\x1b[0"],
)  # fmt: skip
def test_hostile_bytes_take_linear_time(hostile: bytes) -> None:
    raw = hostile * (200_000 // len(hostile))
    for stream in (raw, b"\r" + raw, raw + b"\rx", b"\x1e" + raw, b"\x1b]" + raw):
        assert len(observation(stream).encode()) <= 8192
