"""Compares one prompt and one reply's end with the contract."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from harness.errors import RenderError
from harness.parity.contract import LocalContract
from harness.parity.view import Read
from harness.values import Completion, Message, ParityLevel, PromptParity
from render import Cause


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """A prompt's parity, the causes of its difference (likeliest first) and its length here in tokens."""

    parity: PromptParity
    causes: tuple[str, ...] = ()
    tokens: int | None = None


def compare(
    contract: LocalContract, messages: Sequence[Message], read: Read, *, written: Sequence[Message] | None = None
) -> Compared:
    """What the server showed against the contract's render of the same messages.

    `messages` are conformed; `written` is how they were sent, where the server was left to fold them.
    """
    if read.level is ParityLevel.NONE:
        return Compared(parity=PromptParity(level=read.level, agrees=None))
    try:
        tokens = len(contract.ids(messages))
        if read.ids is not None:
            divergence = contract.difference(messages, read.ids, written=written)
            if divergence is not None:
                return _differs(read.level, tokens, str(divergence), divergence.causes)
        if read.count is not None:
            return _by_count(contract, messages, read, tokens, written)
    except RenderError as error:
        return _differs(read.level, None, f"{error.message}; but the server read it", (Cause.OTHER,))
    return Compared(parity=PromptParity(level=read.level, agrees=True), tokens=tokens)


def _by_count(
    contract: LocalContract,
    messages: Sequence[Message],
    read: Read,
    tokens: int,
    written: Sequence[Message] | None,
) -> Compared:
    """The server's own count, which must also agree where it showed ids."""
    count = contract.count_difference(messages, read.count or 0, written=written)
    if count is None:
        return Compared(parity=PromptParity(level=read.level, agrees=True), tokens=tokens)
    if read.ids is None:
        return _differs(read.level, tokens, str(count), count.causes or (Cause.OTHER,))
    said = f"the server showed {len(read.ids)} ids as this render has, but counted {read.count} prompt tokens"
    return _differs(read.level, tokens, f"{said}: it may have read another prompt", count.causes or (Cause.OTHER,))


def _differs(level: ParityLevel, tokens: int | None, difference: str, causes: Sequence[str]) -> Compared:
    parity = PromptParity(level=level, agrees=False, difference=difference)
    return Compared(parity=parity, causes=tuple(map(str, causes)), tokens=tokens)


def stop_difference(contract: LocalContract, completion: Completion) -> str | None:
    """How the end of a reply contradicts training's end token; None where it does not, or its ids are not known."""
    ids, end = completion.completion_ids, contract.end_id
    if not ids or end is None:
        return None
    if end in ids[:-1]:
        return (
            f"the server went on after the token that ends a turn in training ({contract.spell([end])}, id {end}): "
            f"it is not one of its stop tokens"
        )
    counted_end = completion.completion_tokens is not None and completion.completion_tokens > len(ids)
    if completion.finish_reason != "stop" or ids[-1] in contract.own_ends or counted_end:
        return None
    return (
        f"the server ended the reply at {contract.spell(ids[-1:])} (id {ids[-1]}), "
        f"but training ends a turn with {contract.spell([end])} (id {end})"
    )
