"""Conversations in the one shape that every chat template can render: user first, roles alternating, no system turn."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from harness.errors import RenderError
from harness.values import Message, Role
from render.contract import SEPARATOR

_ROLES: Final = frozenset(Role)


def normalize_for_template(
    messages: Sequence[Message], *, separator: str = SEPARATOR, last: Role | None = None
) -> tuple[Message, ...]:
    """Fold a leading system turn into the first user turn and merge neighbours of one role; idempotent.

    Contents are joined with `separator` and otherwise left exactly as they are. `last` is the role that the last turn
    must have (user for a prompt, assistant for a trajectory), None for either.

    Raises:
        RenderError: the conversation is empty, does not open with a user turn (after the fold), has a system turn
            later on, an unknown role, a turn without any visible text or with text that is not valid Unicode, or
            ends with another role than `last`. The message names the turn, counted from 1.
    """
    folded: list[Message] = []
    system: str | None = None
    for number, message in enumerate(messages, start=1):
        _refuse(number, message, opening=not folded)
        if message.role == Role.SYSTEM:
            system = message.content if system is None else system + separator + message.content
            continue
        if not folded and message.role != Role.USER:
            raise RenderError(
                f"turn {number} ({message.role}) opens the conversation; a user turn must",
                hint="begin with what the terminal showed at login",
            )
        content = message.content
        if system is not None:
            content, system = system + separator + content, None
        if folded and folded[-1].role == message.role:
            content = folded.pop().content + separator + content
        folded.append(Message(role=Role(message.role), content=content))
    _refuse_whole(folded, only_system=system is not None, count=len(messages), last=last)
    return tuple(folded)


def _refuse(number: int, message: Message, *, opening: bool) -> None:
    if message.role not in _ROLES:
        raise RenderError(
            f"turn {number} has the unknown role {str(message.role)[:40]!r}", hint="use system, user or assistant"
        )
    if message.role == Role.SYSTEM and not opening:
        raise RenderError(
            f"turn {number} is a system turn after the opening",
            hint="only leading system turns can be folded into the first user turn",
        )
    if not message.content.strip():
        raise RenderError(
            f"turn {number} ({message.role}) is empty or only blank", hint="chat templates cannot carry an empty turn"
        )
    if not _is_unicode(message.content):
        raise RenderError(
            f"turn {number} ({message.role}) holds half of a surrogate pair, which no tokenizer can encode",
            hint="pass text through render.break_control_tokens, which replaces such halves",
        )


def _refuse_whole(folded: Sequence[Message], *, only_system: bool, count: int, last: Role | None) -> None:
    if only_system:
        raise RenderError(
            f"turn {count} (system) has no user turn after it to be folded into", hint="add the landing as a user turn"
        )
    if not folded:
        raise RenderError("the conversation has no turns", hint="begin with a user turn")
    if last is not None and folded[-1].role != last:
        raise RenderError(
            f"turn {count} ({folded[-1].role}) is the last; expected the last turn to be {last}",
            hint="a prompt ends with a user turn, a trajectory with an assistant turn",
        )


def _is_unicode(text: str) -> bool:
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def messages_from_json(value: object) -> tuple[Message, ...]:
    """The messages of a decoded `{"messages": [{"role": ..., "content": ...}, ...]}`; other keys of it are ignored.

    Raises:
        RenderError: the shape is another, naming the turn: contents must be text, roles known, and a message may
            carry nothing else that a template could render (a null beside role and content is accepted).
    """
    turns = value.get("messages") if isinstance(value, dict) else None
    if not isinstance(turns, list):
        raise RenderError(
            'not a trajectory: expected {"messages": [...]}', hint="one JSON object a line, with a list of messages"
        )
    return tuple(_message(number, turn) for number, turn in enumerate(turns, start=1))


def _message(number: int, turn: object) -> Message:
    if not isinstance(turn, dict):
        raise RenderError(f"turn {number} is not an object", hint='expected {"role": ..., "content": ...}')
    role, content = turn.get("role"), turn.get("content")
    if not isinstance(role, str) or role not in _ROLES:
        raise RenderError(
            f"turn {number} has the unknown role {str(role)[:40]!r}", hint="use system, user or assistant"
        )
    if not isinstance(content, str):
        raise RenderError(f"turn {number} ({role}) has a content that is not text", hint="contents are plain strings")
    extra = sorted(str(key) for key, given in turn.items() if key not in {"role", "content"} and given is not None)
    if extra:
        raise RenderError(
            f"turn {number} ({role}) carries {', '.join(extra)[:80]}, which the contract cannot represent",
            hint="an operator's turn is text alone: role and content",
        )
    return Message(role=Role(role), content=content)
