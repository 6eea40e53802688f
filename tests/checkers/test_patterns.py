"""Regular expressions on hostile text end, and say what re would say wherever re ends."""

from __future__ import annotations

import re
import sys
import warnings

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from checkers.patterns import PatternTooSlowError, searches
from harness.errors import CheckerError

TEXTS = ("", "Order 66\n", "an order\nof things", "ä\ufffd\x00", "x" * 100_000)


@pytest.mark.parametrize(
    "pattern", ["Order 66", "order$", "^an", "[Oo]rder", r"\d", "(?i)ORDER", "of|66", "x{9}", ".*", ""]
)
def test_a_search_finds_what_re_finds(pattern: str) -> None:
    assert searches(pattern, TEXTS) == tuple(re.search(pattern, text) is not None for text in TEXTS)


@settings(deadline=None)
@given(st.text(alphabet="ab.[]^$\\d()", max_size=6), st.lists(st.text(alphabet="abd1\n", max_size=8), max_size=3))
def test_patterns_without_repetition_are_searched_as_by_re(pattern: str, texts: list[str]) -> None:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            compiled = re.compile(pattern)
    except (re.error, FutureWarning):  # refused when a bundle is loaded
        return
    assert searches(pattern, texts) == tuple(compiled.search(text) is not None for text in texts)


@pytest.mark.parametrize(
    ("pattern", "text"),
    [
        (r"(a+)+$", "a" * 60 + "!"),
        (r"\s+$", " " * (1 << 20) + "x"),
        ("(aa|a)" * 60 + "b", "a" * 90),
    ],
)
@pytest.mark.slow
def test_a_search_that_explodes_ends(pattern: str, text: str) -> None:
    with pytest.raises(PatternTooSlowError, match="needs more than 2 s"):
        searches(pattern, ("fine", text))


def test_a_search_that_could_not_be_started_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    with pytest.raises(CheckerError, match="could not be searched"):
        searches("a+", ("a",))
