"""A planted copy is found, exact or near; kin in skill alone are not accused; our own splits stay far apart."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import scenarios
from harness.certify.leak import Limits, Overlap, overlaps
from harness.certify.learned import Lesson, lessons
from harness.certify.shapes import shape
from harness.errors import BadInputError
from tests.certify.bundles import drafted, loaded

ORDERS = (
    "Write the numbers of the open tickets in /srv/desk/tickets.csv to the file /srv/desk/open.txt,\n"
    "one a line, in the order of the list. Leave the list as it is. When that is done, type exit.\n"
)
OTHER = "Put the names of all ships that came in on Monday, sorted, into the file harbour.txt in your home. Then exit."


def lesson(*, texts: tuple[str, ...] = (OTHER,), replies: tuple[str, ...] = ("ls", "exit")) -> Lesson:
    return Lesson(name="planted", texts=texts, replies=replies)


def beside(tmp_path: Path, *learned: Lesson) -> Overlap:
    (found,) = overlaps([loaded(tmp_path, drafted())], learned)
    return found


def test_a_planted_copy_of_the_directives_is_found(tmp_path: Path) -> None:
    found = beside(tmp_path, lesson(), lesson(texts=(f"$ {ORDERS}$ ",)))
    assert found.grams > 0.7
    assert found.near > 0.7
    assert found.near_to == "planted"
    assert found.example.startswith("write the numbers of the open tickets in")
    assert found.over(Limits()) == ("grams", "near")


def test_a_copy_with_other_names_is_found_as_near(tmp_path: Path) -> None:
    disguised = (
        ORDERS.replace("tickets.csv", "jobs.csv").replace("open.txt", "todo.txt").replace("tickets in", "jobs in")
    )
    found = beside(tmp_path, lesson(texts=(disguised,)))
    assert found.near > Limits().near
    assert "near" in found.over(Limits())


def test_learned_replies_are_found_and_everyday_ones_are_not(tmp_path: Path) -> None:
    known = ("cat /srv/desk/orders.txt", "cat /srv/desk/tickets.csv", "exit")
    assert beside(tmp_path, lesson(replies=known)).replies == 0.5
    assert beside(tmp_path, lesson(replies=("ls", "exit"))).replies == 0.0


def test_a_session_of_the_same_shape_is_told_and_not_judged(tmp_path: Path) -> None:
    kin = (
        "cat /opt/inn/rules.md",
        "cat /opt/inn/guests.tsv",
        "grep ';paid$' /opt/inn/guests.tsv | cut -d ';' -f 3 > /opt/inn/paid",
        "cat /opt/inn/paid",
        "exit",
    )
    found = beside(tmp_path, lesson(replies=kin))
    assert found.shapes == 1
    assert found.over(Limits()) == ()


def test_shapes_keep_tools_options_and_operators_and_forget_names() -> None:
    assert shape(("orders --help\ngrep -c 'a b' /srv/x.txt | sort -k2 > ~/out; for f in 1 2", "exit")) == (
        "X --help",
        "grep -c W P | sort -k > P ; for W W N N",
        "exit",
    )
    assert shape(("mv 'it", 'cat "$LIST"')) == ("mv W", "cat V")


def test_our_own_splits_stay_below_the_limits() -> None:
    learned = lessons(scenarios.shipped("train"))
    found = overlaps(scenarios.load_dir(scenarios.shipped("holdout")), learned)
    assert len(found) >= 40
    assert [(each.scenario, each.over(Limits())) for each in found if each.over(Limits())] == []


def test_trajectories_are_read_with_their_names_wherever_those_stand(tmp_path: Path) -> None:
    messages = [{"role": "user", "content": "$ "}, {"role": "assistant", "content": "exit"}]
    file = tmp_path / "train.jsonl"
    rows = [
        {"messages": messages, "scenario": "one"},
        {"messages": messages, "meta": {"scenario": "two"}},
        {"messages": messages, "meta": 3},
    ]
    file.write_text("\n\n".join(json.dumps(row) for row in rows))
    found = lessons(file)
    assert [each.name for each in found] == ["one", "two", f"{file}:5"]
    assert found[0] == Lesson(name="one", texts=("$ ",), replies=("exit",))


@pytest.mark.parametrize("text", ["", "{", "[]", '{"messages": 3}', '{"messages": [{"role": "user"}]}'])
def test_a_line_that_is_no_trajectory_is_bad_input(text: str, tmp_path: Path) -> None:
    file = tmp_path / "train.jsonl"
    file.write_text(text)
    with pytest.raises(BadInputError, match=r"train\.jsonl"):
        lessons(file)
    with pytest.raises(BadInputError, match="cannot read"):
        lessons(tmp_path / "none.jsonl")
