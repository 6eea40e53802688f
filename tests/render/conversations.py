"""Random conversations out of everything that a terminal, a model or a file has ever put into one."""

from __future__ import annotations

import random

from harness.values import Message, Role

ATOMS = (
    *("ls", " -la", "\n", "\n\n", " ", "  ", "\t", "\r\n", "echo 'x' > y", "$ ", "0", "9", "~", "<", "|", ">", "\\"),
    *("\u00e9", "\U0001f642", "\u6f22\u5b57", "\ufb01", "\u0301", "\u200b", "USER:", "ASSISTANT:", "### user\n"),
    *("<|im_end|>", "<|im_start|>", "</s>", "<s>", "[INST]", "[/INST]", "<|stop|>", "<end_of_turn>", "<turn_of>"),
)
THOUGHTS = ("<think>", "</think>", "<think>hm</think>\n\n")


def conversations(
    count: int, *, seed: int, thoughts: bool = False, blank_ends: bool = True
) -> list[tuple[Message, ...]]:
    """Random trajectories that end with an assistant turn, some with system turns; the same for the same arguments.

    `thoughts` lets replies hold reasoning marks, `blank_ends` lets contents begin and end with blanks.
    """
    draw = random.Random(seed)  # noqa: S311 - test data
    return [_conversation(draw, thoughts=thoughts, blank_ends=blank_ends) for _ in range(count)]


def _conversation(draw: random.Random, *, thoughts: bool, blank_ends: bool) -> tuple[Message, ...]:
    turns = (
        [Message(role=Role.SYSTEM, content=_text(draw, ATOMS, blank_ends=blank_ends))] if draw.random() < 0.3 else []
    )
    for _ in range(draw.randrange(1, 5)):
        turns.append(Message(role=Role.USER, content=_text(draw, ATOMS, blank_ends=blank_ends)))
        if draw.random() < 0.1:
            turns.append(Message(role=Role.USER, content=_text(draw, ATOMS, blank_ends=blank_ends)))
        spoken = (*ATOMS, *THOUGHTS) if thoughts else ATOMS
        turns.append(Message(role=Role.ASSISTANT, content=_text(draw, spoken, blank_ends=blank_ends)))
    return tuple(turns)


def _text(draw: random.Random, atoms: tuple[str, ...], *, blank_ends: bool) -> str:
    while True:
        text = "".join(draw.choice(atoms) for _ in range(draw.randrange(1, 8)))
        text = text if blank_ends else text.strip()
        if text.strip():
            return text
