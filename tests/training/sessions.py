"""Trajectories made up of templates, for tests of the trainer that need no container."""

from __future__ import annotations

import random
from pathlib import Path

from harness.training.trajectories import Trajectory, write_trajectories
from harness.values import Message, Role

WORDS = ("amber", "birch", "cedar", "delta", "ember", "fjord", "gravel", "harbor", "indigo", "juniper")


def made_up(count: int, *, seed: int = 0) -> list[Trajectory]:
    """`count` short sessions: read the orders, write a word, exit."""
    draw = random.Random(seed)  # noqa: S311 - test data
    return [_session(number, *draw.sample(WORDS, 3)) for number in range(count)]


def _session(number: int, place: str, name: str, word: str) -> Trajectory:
    turns = (
        (Role.USER, f"Welcome. Orders: /srv/{place}.txt\n$ "),
        (Role.ASSISTANT, f"cat /srv/{place}.txt"),
        (Role.USER, f"Write {word} into {name}, then exit.\n$ "),
        (Role.ASSISTANT, f"echo {word} > {name}"),
        (Role.USER, "$ "),
        (Role.ASSISTANT, "exit"),
    )
    messages = tuple(Message(role=role, content=content) for role, content in turns)
    return Trajectory(meta={"scenario": f"made-up-{number:03d}"}, messages=messages)


def data_file(folder: Path, count: int = 24) -> Path:
    """A trajectories file of `count` made-up sessions in `folder`."""
    path = folder / "trajectories.jsonl"
    write_trajectories(path, made_up(count))
    return path
