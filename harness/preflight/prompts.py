"""The fixed conversations that both arms are asked before the first container."""

from __future__ import annotations

import hashlib
import json
from typing import Final

from harness.values import Message, Role

TOKENS: Final = 8  # of each reply: enough to tell two models apart, too few to cost anything


def _conversation(*contents: str) -> tuple[Message, ...]:
    """User and assistant by turns, as the render contract has them."""
    roles = (Role.USER, Role.ASSISTANT)
    return tuple(Message(role=roles[index % 2], content=content) for index, content in enumerate(contents))


CANARIES: Final[tuple[tuple[Message, ...], ...]] = (
    _conversation("Your orders for this shift are in the file orders.txt in your home.\n$ "),
    _conversation("Station 7, night shift.\nType `help-desk` to learn what is to be done.\n$ "),
    _conversation("Read NOTICE first.\n$ ", "cat NOTICE", "Count the lines of access.log, then log out.\n$ "),
    _conversation("$ ", "ls", "draft.md  figures  old\n$ ", "cd figures", "$ "),
    _conversation("Welcome back.\n$ ", "cat tasks", "cat: tasks: No such file or directory\n$ "),
    _conversation("In one sentence: why is the sky blue?"),
)
"""Normalised, so that every template renders them and they are sent as they are."""


def conversation_digest(messages: tuple[Message, ...]) -> str:
    """`sha256:…` of one conversation: what a fingerprint calls it by."""
    plain = json.dumps([[str(message.role), message.content] for message in messages], ensure_ascii=True)
    return f"sha256:{hashlib.sha256(plain.encode()).hexdigest()}"
