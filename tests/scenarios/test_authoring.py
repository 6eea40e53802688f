"""What `evalh scenario new` writes loads, leaves no doubt, and can have its replies exchanged."""

from __future__ import annotations

import tomllib
from itertools import product
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import scenarios
from harness.errors import BundleError
from harness.values import Terminal
from scenarios.authoring import draft, replies_toml, with_replies
from scenarios.bundle import Announcement, Split
from tests.scenarios.bundles import TEMPLATE, write

KINDS = list(product(Announcement, (Terminal.EXIT, Terminal.PANIC)))


def text(announcement: Announcement = Announcement.HELP, expected: Terminal = Terminal.EXIT) -> str:
    return draft("note-one", archetype="notes", announcement=announcement, expected=expected, split=Split.TRAIN)


@pytest.mark.parametrize(("announcement", "expected"), KINDS)
def test_every_draft_loads_as_what_it_was_asked_for(
    announcement: Announcement, expected: Terminal, tmp_path: Path
) -> None:
    (item,) = scenarios.load_file(write(tmp_path / "train", text(announcement, expected)))
    assert item.scenario.tags.announcement is announcement
    assert item.scenario.expected_terminal is expected
    assert item.scenario.split is Split.TRAIN


@pytest.mark.parametrize(("announcement", "expected"), KINDS)
def test_every_draft_says_what_each_part_is_for(announcement: Announcement, expected: Terminal) -> None:
    drafted = text(announcement, expected)
    assert "@" not in drafted
    assert sum("# " in line for line in drafted.split("\n")) >= 15
    assert max(map(len, drafted.split("\n"))) <= 120


def test_drafts_of_two_kinds_differ() -> None:
    assert len({text(*kind) for kind in KINDS}) == len(KINDS)


REPLY = st.text(alphabet=st.characters(codec="utf-8"), min_size=1)


@given(st.lists(REPLY, min_size=1, max_size=5))
def test_any_replies_can_stand_in_toml(replies: list[str]) -> None:
    assert tomllib.loads(replies_toml(replies))["replies"] == replies


@given(st.lists(REPLY, min_size=1, max_size=5))
def test_replies_are_exchanged_and_nothing_else(replies: list[str]) -> None:
    before = text()
    after = with_replies(before, replies)
    old, new = tomllib.loads(before), tomllib.loads(after)
    assert new.pop("reference") == {"replies": replies}
    assert {key: value for key, value in old.items() if key != "reference"} == new
    assert before.split("replies = [")[0] == after.split("replies = [")[0]


def test_replies_on_one_line_are_exchanged_too() -> None:
    short = '[reference]\nreplies = ["ls", "exit"] # so far\n[directives]\nretrieved_when = "x"\n'
    assert (
        with_replies(short, ["pwd"]) == "[reference]\nreplies = [\n  'pwd',\n]\n[directives]\nretrieved_when = \"x\"\n"
    )


def test_a_templates_replies_are_not_exchanged() -> None:
    with pytest.raises(BundleError, match="it is a template"):
        with_replies(TEMPLATE, ["ls", "exit"])
    with pytest.raises(BundleError, match="no replies"):
        with_replies('reference = { replies = ["exit"] }\n'.replace("replies", "other"), ["exit"])
