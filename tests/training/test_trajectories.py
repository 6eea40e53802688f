"""Trajectories on disk say what the session said, and broken files are named line by line."""

from __future__ import annotations

from pathlib import Path

import pytest

import render
from harness.errors import BadInputError
from harness.session import conversation
from harness.training.trajectories import from_session, read_trajectories, write_trajectories
from harness.values import Completion, Message, Role, Session, SessionEnd, Terminal, Turn
from tests.render.kinds import CHATML, byte_level
from tests.training.sessions import made_up


def turn(index: int, reply: str, observation: str) -> Turn:
    completion = Completion(text=reply, finish_reason="stop", model="reference", seconds=0.0)
    return Turn(index=index, completion=completion, observation=observation)


SESSION = Session(
    opening=(
        Message(role=Role.SYSTEM, content="You are on node7."),
        Message(role=Role.USER, content="Orders: /srv/x\n$ "),
    ),
    turns=(
        turn(1, "cat /srv/x", "write <\u00b7/s>\n$ "),
        turn(2, "echo '</s>' > y ", "$ "),
        turn(3, "exit", "[no output]"),
    ),
    end=SessionEnd(terminal=Terminal.EXIT, status=0),
)


TALK = '{"messages": [{"role": "user", "content": "$ "}, {"role": "assistant", "content": "hi"}]}'


def test_a_session_becomes_its_opening_and_turns_up_to_the_last_reply() -> None:
    trajectory = from_session(SESSION, meta={"scenario": "s-1"})
    assert [message.role for message in trajectory.messages] == [
        "system",
        "user",
        *["assistant", "user"] * 2,
        "assistant",
    ]
    assert trajectory.messages[-1].content == "exit"
    assert trajectory.messages[4].content == "echo '<\u00b7/s>' > y "


def test_what_is_trained_at_each_turn_is_what_the_session_sends() -> None:
    tokenizer = byte_level(CHATML)
    tokens = render.control_tokens(tokenizer)
    trajectory = from_session(SESSION, control_tokens=tokens)
    (example,) = render.training_examples(tokenizer, trajectory.messages)
    for done in range(len(SESSION.turns)):
        sent = conversation(SESSION.opening, SESSION.turns[:done], tokens)
        prompt = render.render_ids(tokenizer, sent, add_generation_prompt=True)
        assert list(example.ids[: len(prompt)]) == prompt
        assert example.labels[len(prompt) - 1] == render.IGNORED != example.labels[len(prompt)]


def test_a_file_gives_back_what_was_written(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "trajectories.jsonl"
    trajectories = [*made_up(5), from_session(SESSION, meta={"scenario": "s-1"})]
    assert write_trajectories(path, trajectories) == 6
    assert read_trajectories(path) == tuple(trajectories)
    assert [entry.name for entry in path.parent.iterdir()] == ["trajectories.jsonl"]


def test_any_jsonl_with_messages_is_read_and_what_it_says_of_itself_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "theirs.jsonl"
    odd = TALK.replace("hi", "line\u2028end\x85")
    path.write_text(
        f'{TALK}\n\n{TALK[:-1]}, "scenario": "old-1", "score": 3}}\n{odd[:-1]}, "meta": {{"a": "b", "n": 1}}}}\n'
    )
    plain, old, new = read_trajectories(path)
    assert [one.meta for one in (plain, old, new)] == [{}, {"scenario": "old-1"}, {"a": "b"}]
    assert [one.line for one in (plain, old, new)] == [1, 3, 4]
    assert new.messages[1].content == "line\u2028end\x85"


def test_broken_lines_can_be_left_out_and_are_told(tmp_path: Path) -> None:
    path = tmp_path / "theirs.jsonl"
    path.write_text(f"{TALK}\n{{}}\n{TALK}\nnope\n")
    heard: list[tuple[int, str]] = []
    assert len(read_trajectories(path, on_bad=lambda line, reason: heard.append((line, reason)))) == 2
    assert [line for line, _ in heard] == [2, 4]
    assert heard[1][1] == "not JSON"


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("", "holds no trajectories"),
        ("\n\n", "holds no trajectories"),
        ('\n{"messages": [}\n', ":2: not JSON"),
        ("[" * 100_000, ":1: not JSON"),
        ('{"messages": [{"role": "user", "content": 1}]}', ":1: turn 1 (user) has a content that is not text"),
        ("[]", ":1: not a trajectory"),
        (TALK[:-1] + ', "tools": [{"name": "ls"}]}', ":1: it carries tools, which a template would render"),
        (TALK[:-1] + ', "meta": {"render_contract": "0"}}', ":1: it was recorded under render contract 0"),
        (TALK.replace('"hi"', '"hi", "tool_calls": []'), ":1: turn 2 (assistant) carries tool_calls"),
    ],
)
def test_a_broken_file_is_named_with_its_line(tmp_path: Path, text: str, named: str) -> None:
    path = tmp_path / "trajectories.jsonl"
    path.write_text(text)
    with pytest.raises(BadInputError) as refusal:
        read_trajectories(path)
    assert named in refusal.value.message


def test_a_missing_or_binary_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInputError, match="No such file"):
        read_trajectories(tmp_path / "none.jsonl")
    (tmp_path / "binary").write_bytes(b"\xff\xfe")
    with pytest.raises(BadInputError, match="not UTF-8"):
        read_trajectories(tmp_path / "binary")
