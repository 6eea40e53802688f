"""The ids of a reply: what a model must write after a prompt so that the reply is what is read there."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from harness.errors import RenderError
from render.control import REASONING
from render.template import ChatTokenizer, encode_text

PROBE: Final = "Zq7x"  # a reply that no template trims, splits or takes for anything

_ANCHORS: Final = (
    "\nQ",
    "\n~",
)  # texts that tokenizers do not join with most of what follows; two, since "Qu" is joined
_MARKS: Final = re.compile(f"({'|'.join(map(re.escape, REASONING))})")
_CONTEXT: Final = 64  # tokens of the prompt that a reply is decoded after
_SHOWN: Final = 40  # characters of a reply in a message


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a reply is learnt: after these ids, as turn `number` (from 1) of the conversation.

    `text` is what the template wrote there; None where the conversation's render begins a reply as a text of its own.
    """

    number: int
    prompt: Sequence[int]
    text: str | None


def reply_ids(tokenizer: ChatTokenizer, place: Place, reply: str) -> list[int]:
    """The ids that add the reply, and no other text, to the decoded prompt; a tokenizer that decodes none is believed.

    A blank that tokenizer or template write before every reply may stand before it.

    Raises:
        RenderError: no way of finding them gives ids that read as the reply; the tokenizer cannot spell it.
    """
    lead = _lead(tokenizer, place)
    read: list[str] = []
    for ids in _ways(tokenizer, place.text, reply):
        heard = _added(tokenizer, place.prompt, ids)
        if heard is None or heard in (reply, lead + reply):
            return ids
        read.append(heard.removeprefix(lead))
    raise RenderError(
        f"the tokenizer cannot spell turn {place.number} (assistant): {_apart(reply, read[0])}",
        hint="train with the tokenizer that the model is served with, and leave out what it cannot write",
    )


def _ways(tokenizer: ChatTokenizer, text: str | None, reply: str) -> Iterator[list[int]]:
    """The ids that the reply may have, likeliest first: in the place where it is read, alone, and in pieces."""
    if text is not None:
        for before in (text, *(text + anchor for anchor in _ANCHORS), *_ANCHORS):
            ids = _after(tokenizer, before, reply)
            if ids is not None:
                yield ids
    yield encode_text(tokenizer, reply)
    yield [token for piece in _MARKS.split(reply) if piece for token in _inside(tokenizer, piece)]


def _inside(tokenizer: ChatTokenizer, piece: str) -> list[int]:
    """The ids of a part of a reply, as they are within a text."""
    found = (_after(tokenizer, anchor, piece) for anchor in _ANCHORS)
    return next((ids for ids in found if ids is not None), None) or encode_text(tokenizer, piece)


def _after(tokenizer: ChatTokenizer, before: str, reply: str) -> list[int] | None:
    """The reply's ids where it follows this text; None where it does not part from it cleanly."""
    ids = encode_text(tokenizer, before)
    together = encode_text(tokenizer, before + reply)
    parts = together[: len(ids)] == ids and len(together) > len(ids)
    return together[len(ids) :] if parts else None


def _lead(tokenizer: ChatTokenizer, place: Place) -> str:
    """The blank that is written before every reply that is begun as a text of its own."""
    if place.text is not None:
        return ""
    heard = _added(tokenizer, place.prompt, encode_text(tokenizer, PROBE)) or ""
    lead = heard[: -len(PROBE)]
    return "" if lead.strip() else lead


def _added(tokenizer: ChatTokenizer, prompt: Sequence[int], ids: Sequence[int]) -> str | None:
    """The text that ids add to a decoded prompt; None where the tokenizer decodes nothing."""
    near = prompt[-_CONTEXT:]
    before, whole = _decoded(tokenizer, near), _decoded(tokenizer, [*near, *ids])
    if before is None or whole is None:
        return None
    return whole.removeprefix(before)


def _decoded(tokenizer: Any, ids: Sequence[int]) -> str | None:
    """The text of ids, control tokens shown and nothing tidied."""
    decode = getattr(tokenizer, "decode", None)
    if not callable(decode):
        return None
    plainly = {"clean_up_tokenization_spaces": False, "spaces_between_special_tokens": False}
    try:
        return str(decode(list(ids), skip_special_tokens=False, **plainly))
    except (TypeError, ValueError):  # Mistral's own library takes neither, and shows pieces as spelled unless it skips
        return str(decode(list(ids), skip_special_tokens=True))


def _apart(reply: str, heard: str) -> str:
    """Where the two part, in words."""
    at = next((i for i, (one, other) in enumerate(zip(reply, heard, strict=False)) if one != other), len(heard))
    said, read = (repr(text[max(at - _SHOWN // 2, 0) : at + _SHOWN // 2]) for text in (reply, heard))
    return f"{said} reads back as {read}"
