"""Trajectories on disk say what the session said, and broken files are named line by line."""

from __future__ import annotations

from pathlib import Path

import pytest

import render
from harness.demo.trajectories import from_session, read_trajectories, write_trajectories
from harness.errors import BadInputError
from harness.session import conversation
from harness.values import Completion, Message, Role, Session, SessionEnd, Terminal, Turn
from tests.demo.sessions import made_up
from tests.render.kinds import CHATML, byte_level


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


def test_a_session_becomes_its_opening_and_turns_up_to_the_last_reply() -> None:
    trajectory = from_session("s-1", SESSION)
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
    trajectory = from_session("s-1", SESSION, control_tokens=tokens)
    (example,) = render.training_examples(tokenizer, trajectory.messages)
    for done in range(len(SESSION.turns)):
        sent = conversation(SESSION.opening, SESSION.turns[:done], tokens)
        prompt = render.render_ids(tokenizer, sent, add_generation_prompt=True)
        assert list(example.ids[: len(prompt)]) == prompt
        assert example.labels[len(prompt) - 1] == render.IGNORED != example.labels[len(prompt)]


def test_a_file_gives_back_what_was_written(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "trajectories.jsonl"
    trajectories = [*made_up(5), from_session("s-1", SESSION)]
    assert write_trajectories(path, trajectories) == 6
    assert read_trajectories(path) == tuple(trajectories)
    assert [entry.name for entry in path.parent.iterdir()] == ["trajectories.jsonl"]


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("", "holds no trajectories"),
        ("\n\n", "holds no trajectories"),
        ('\n{"messages": [}\n', ":2: not JSON"),
        ("[" * 100_000, ":1: not JSON"),
        ('{"messages": [{"role": "user", "content": 1}]}', ":1: turn 1 (user) has a content that is not text"),
        ("[]", ":1: not a trajectory"),
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
