"""The page's terminal, run by a real browser: held against pyte, and against what it must not be talked into."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from importlib.resources import files
from typing import TYPE_CHECKING

import pyte
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reports.views.html.page import TERMINAL

if TYPE_CHECKING:
    from playwright.sync_api import Browser

pytestmark = pytest.mark.browser

COLUMNS, ROWS = 20, 6
TEXT = ("a", "Z", " ", "\u00e9", "hello world ", "x" * 13, "\r", "\n", "\r\n", "\b", "\t", "\x07")
MOVES = (
    "\x1b[A",
    "\x1b[2B",
    "\x1b[3C",
    "\x1b[2D",
    "\x1b[H",
    "\x1b[2;5H",
    "\x1b[5G",
    "\x1b[3d",
    "\x1bM",
    "\x1bD",
    "\x1b[2;3f",
)
ERASURES = ("\x1b[J", "\x1b[1J", "\x1b[2J", "\x1b[K", "\x1b[1K", "\x1b[2K", "\x1b[3P", "\x1b[2@", "\x1b[2X")
SILENT = (
    "\x1b[31m",
    "\x1b[0m",
    "\x1b[1;4;38;5;123m",
    "\x1b]0;title\x07",
    "\x1b(B",
    "\x1b[?25l",
    "\x1b[?7l",
    "\x1b[?7h",
    "\x1b[?2004h",
)

Show = Callable[[str], list[str]]


@pytest.fixture(scope="module")
def show(browser: Browser) -> Iterator[Show]:
    """The screen's lines that some output leaves, trailing blanks removed."""
    static = files("reports.views.html") / "static"
    source = "\n".join((static / f"{name}.js").read_text() for name in TERMINAL)
    program = f"""(text) => {{ {source}
        const e = new Emulator({COLUMNS}, {ROWS});
        e.write(text);
        return e.screen.map((line) => line.text.trimEnd());
    }}"""
    page = browser.new_page()
    yield lambda text: [str(line) for line in page.evaluate(program, text)]
    page.close()


@settings(max_examples=200, deadline=None)
@given(pieces=st.lists(st.sampled_from(TEXT + MOVES + ERASURES + SILENT), max_size=40))
def test_it_shows_what_pyte_shows(show: Show, pieces: list[str]) -> None:
    text = "".join(pieces)
    screen = pyte.Screen(COLUMNS, ROWS)
    pyte.Stream(screen).feed(text)
    assert show(text) == [line.rstrip() for line in screen.display]


@settings(max_examples=100, deadline=None)
@given(
    text=st.text(
        alphabet=st.sampled_from("ab\x1b[]?;:019mHJKPX^_\\\x07\x18\x1e\x1f\x9b\x9c\r\n\u202e\u0301\u6f22"), max_size=200
    )
)
def test_no_output_breaks_it_or_leaves_a_control_character(show: Show, text: str) -> None:
    lines = show(text)
    assert len(lines) == ROWS
    assert all(character.isprintable() for line in lines for character in line)


@pytest.mark.parametrize(
    ("output", "first_line"),
    [
        ("abc\x1b]0;no newline ends this\nseen", "abc0;no newline ends"),
        ("\x1b]8;;https://example.org\x1b\\text\x1b]8;;\x1b\\", "text"),
        ("\x1bPq#0;2;0;0;0\x1b\\after", "after"),
        ("\x1e0123456789:0:12\x1f$ ", "$"),
        ("a\u202eb", "a\ufffdb"),
        ("e\u0301\u0301", "e\u0301\u0301"),
        ("\u6f22\u5b57|", "\u6f22\u5b57|"),
        ("\x1b[?1049hvim\x1b[?1049lback", "back"),
        ("\x1b[8mconcealed", "concealed"),
        ("\x1b[99999999999C.", " " * (COLUMNS - 1) + "."),
        ("one\x1bctwo", "two"),
        ("\x1b[?1049hvim\x1bcout\x1b[?1049l", "out"),
        ("\x1b(0lqk\x1b(Blqk", "\u250c\u2500\u2510lqk"),
        ("\x1b)0x\x0ex\x0fx", "x\u2502x"),
        ("\x1b(0x\x1bcx", "x"),
    ],
)
def test_titles_links_marks_and_tricks(show: Show, output: str, first_line: str) -> None:
    assert show(output)[0] == first_line


def test_a_long_unfinished_title_is_shown_after_all(show: Show) -> None:
    assert show("\x1b]0;" + "y" * 5000)[0] == "y" * COLUMNS


@pytest.mark.parametrize("escape", ["\x1b[2;4r\x1b[4;1Hx\nlast", "\x1b[5Lx", "\x1b[1;3r\x1b[Hx\x1bM\x1b[5M"])
def test_scroll_regions_keep_the_screen_whole(show: Show, escape: str) -> None:
    assert len(show("one\r\ntwo\r\nthree" + escape)) == ROWS
