"""Conversations that a server might have rendered in place of the one it was sent, each with the cause it shows."""

from __future__ import annotations

import html
import re
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Final

from harness.errors import RenderError
from harness.values import Message, Role
from render.causes import Cause
from render.contract import SEPARATOR
from render.control import BREAKS
from render.conversation import normalize_for_template

Conversation = tuple[Message, ...]
Variant = tuple[Cause, Conversation]

_SPLITS: Final = 4  # places of one content that are tried as a seam between two texts
_LONGEST: Final = 24  # turns; longer conversations are tried with fewer rearrangements
_BROKEN: Final = re.compile(f"(?<=[<\\[\\]])[{''.join(BREAKS)}]")
_THOUGHT: Final = re.compile(r"<think>.*?</think>\s*|^.*?</think>\s*", re.DOTALL)


def _control(text: str) -> str:
    spelled = re.sub(r"\[U\+([0-9A-F]{4,6})\]", lambda found: chr(int(found[1], 16)), text)
    return _BROKEN.sub("", spelled)


_CHANGES: Final[tuple[tuple[Cause, Callable[[str], str]], ...]] = (
    (Cause.CONTROL_TOKENS_IN_TEXT, _control),
    (Cause.LAST_NEWLINE_DROPPED, lambda text: text.removesuffix("\n")),
    (Cause.TRAILING_BLANKS_DROPPED, lambda text: text.rstrip("\n")),
    (Cause.TRAILING_BLANKS_DROPPED, str.rstrip),
    (Cause.LEADING_BLANKS_DROPPED, str.lstrip),
    (Cause.CONTENTS_TRIMMED, str.strip),
    (Cause.CONTENTS_TRIMMED, lambda text: text.strip("\n")),
    (Cause.BLANK_LINES_COLLAPSED, lambda text: re.sub(r"\n\n+", "\n", text)),
    (Cause.BLANK_LINES_COLLAPSED, lambda text: re.sub(r"\n{3,}", "\n\n", text)),
    (Cause.UNICODE_NORMALISED, lambda text: unicodedata.normalize("NFC", text)),
    (Cause.UNICODE_NORMALISED, lambda text: unicodedata.normalize("NFKC", text)),
    (Cause.UNICODE_NORMALISED, lambda text: unicodedata.normalize("NFD", text)),
    (Cause.UNICODE_NORMALISED, lambda text: unicodedata.normalize("NFKD", text)),
    (Cause.LINE_ENDS_CHANGED, lambda text: text.replace("\r\n", "\n")),
    (Cause.LINE_ENDS_CHANGED, lambda text: text.replace("\r\n", "\n").replace("\r", "\n")),
    (Cause.LINE_ENDS_CHANGED, lambda text: text.replace("\r", "")),
    (Cause.LINE_ENDS_CHANGED, lambda text: re.sub(r"\r?\n", "\r\n", text)),
    (Cause.TABS_CHANGED, lambda text: text.replace("\t", " ")),
    (Cause.TABS_CHANGED, lambda text: text.replace("\t", "    ")),
    (Cause.TABS_CHANGED, str.expandtabs),
    (Cause.TABS_CHANGED, lambda text: text.expandtabs(4)),
    (Cause.INVISIBLES_DROPPED, lambda text: "".join(c for c in text if unicodedata.category(c) != "Cf")),
    (Cause.INVISIBLES_DROPPED, lambda text: text.encode("ascii", "ignore").decode()),
    (Cause.INVISIBLES_DROPPED, lambda text: text.encode("ascii", "replace").decode()),
    (Cause.ESCAPED, html.escape),
    (Cause.ESCAPED, lambda text: html.escape(text, quote=False)),
    (Cause.ESCAPED, html.unescape),
    (Cause.ESCAPED, lambda text: text.replace("\\", "\\\\").replace("\n", "\\n")),
)


def variants(messages: Sequence[Message], written: Sequence[Message] | None = None) -> Iterator[Variant]:
    """Every conversation that one known fault makes of `messages`, likeliest first, none of them equal to it.

    Two faults may make the same conversation; each is told then.

    `written` is the conversation before it was folded and merged, where that is known: then the faults of folding
    are exact, otherwise each blank line of the first user turn is tried as the place where it was folded.
    """
    original = tuple(messages)
    seen: set[Variant] = set()
    for variant in _all(original, tuple(written) if written is not None else None):
        _, made = variant
        if made and made != original and variant not in seen:
            seen.add(variant)
            yield variant


def _all(messages: Conversation, written: Conversation | None) -> Iterator[Variant]:
    if written is not None:
        yield from _unfolded(written)
    yield from _guessed_folds(messages)
    yield from _changed(messages)
    yield from _guessed_merges(messages)
    yield from _missing(messages)
    yield from _rearranged(messages)


def _unfolded(written: Conversation) -> Iterator[Variant]:
    """What becomes of a conversation as written when folding or merging goes otherwise."""
    system = tuple(m for m in written if m.role == Role.SYSTEM)
    rest = tuple(m for m in written if m.role != Role.SYSTEM)
    for cause, text in ((Cause.FOLD_ONE_NEWLINE, "\n"), *_OTHER_SEPARATORS):
        yield cause, _normalised(_fold(written, separator=text), SEPARATOR)
        yield cause, _normalised(written, text)
    yield Cause.TURNS_NOT_MERGED, _fold(written)
    if system:
        yield Cause.SYSTEM_APART, (*system, *_normalised(rest, SEPARATOR))
        yield Cause.SYSTEM_APART, written
        yield Cause.SYSTEM_DROPPED, _normalised(rest, SEPARATOR)
        yield from _system_last(SEPARATOR.join(m.content for m in system), _normalised(rest, SEPARATOR))


_OTHER_SEPARATORS: Final = tuple((Cause.FOLD_OTHER_SEPARATOR, text) for text in (" ", "", "\n\n\n", "\r\n\r\n"))


def _fold(written: Conversation, *, separator: str = SEPARATOR) -> Conversation:
    """The system text put before the first user turn, neighbours left as they are."""
    system = [m.content for m in written if m.role == Role.SYSTEM]
    rest = [m for m in written if m.role != Role.SYSTEM]
    if system and rest:
        rest[0] = replace(rest[0], content=separator.join([*system, rest[0].content]))
    return tuple(rest)


def _normalised(messages: Conversation, separator: str) -> Conversation:
    try:
        return normalize_for_template(messages, separator=separator)
    except RenderError:
        return ()


def _guessed_folds(messages: Conversation) -> Iterator[Variant]:
    if not messages or messages[0].role != Role.USER:
        return
    first, rest = messages[0], messages[1:]
    for number, (head, tail) in enumerate(_seams(first.content)):
        system = Message(role=Role.SYSTEM, content=head)
        user = replace(first, content=tail)
        yield Cause.SYSTEM_APART, (system, user, *rest)
        yield Cause.FOLD_ONE_NEWLINE, (replace(first, content=head + "\n" + tail), *rest)
        for cause, text in _OTHER_SEPARATORS:
            yield cause, (replace(first, content=head + text + tail), *rest)
        if number == 0:
            yield Cause.SYSTEM_DROPPED, (user, *rest)
            yield from _system_last(head, (user, *rest))


def _system_last(system: str, rest: Conversation) -> Iterator[Variant]:
    last = next((index for index in reversed(range(len(rest))) if rest[index].role == Role.USER), 0)
    if last:
        moved = replace(rest[last], content=system + SEPARATOR + rest[last].content)
        yield Cause.SYSTEM_LAST, (*rest[:last], moved, *rest[last + 1 :])


def _seams(content: str) -> list[tuple[str, str]]:
    """The two sides of each place where two texts may have been joined, both of them visible."""
    places = [found.start() for found in re.finditer(f"(?={re.escape(SEPARATOR)})", content)]
    sides = [(content[:at], content[at + len(SEPARATOR) :]) for at in places]
    return [(head, tail) for head, tail in sides if head.strip() and tail.strip()][:_SPLITS]


def _guessed_merges(messages: Conversation) -> Iterator[Variant]:
    for index, message in enumerate(messages[:_LONGEST]):
        before, after = messages[:index], messages[index + 1 :]
        for head, tail in _seams(message.content):
            apart = (replace(message, content=head), replace(message, content=tail))
            yield Cause.TURNS_NOT_MERGED, (*before, *apart, *after)
            yield Cause.FOLD_ONE_NEWLINE, (*before, replace(message, content=head + "\n" + tail), *after)


def _changed(messages: Conversation) -> Iterator[Variant]:
    for cause, change in _CHANGES:
        if messages:
            yield cause, (*messages[:-1], replace(messages[-1], content=change(messages[-1].content)))
        yield cause, tuple(replace(m, content=change(m.content)) for m in messages)
        for role in (Role.USER, Role.ASSISTANT):
            yield cause, tuple(replace(m, content=change(m.content)) if m.role == role else m for m in messages)
    thoughtless = tuple(
        replace(m, content=_THOUGHT.sub("", m.content)) if m.role == Role.ASSISTANT else m for m in messages
    )
    yield Cause.REASONING_DROPPED, thoughtless


def _missing(messages: Conversation) -> Iterator[Variant]:
    count = len(messages)
    for cut in range(1, count):
        yield from _joined(Cause.TURNS_CUT_LEFT, messages[cut:])
    for cut in range(1, count):
        yield from _joined(Cause.TURNS_CUT_RIGHT, messages[:-cut])
    for at in range(1, count - 1):
        yield from _joined(Cause.TURN_MISSING, (*messages[:at], *messages[at + 1 :]))
    if count > _LONGEST:
        spans = [(first, last) for first in (1, 2) for last in range(first + 2, count)]
    else:
        spans = [(first, last) for first in range(1, count) for last in range(first + 2, count)]
    for first, last in spans:
        yield from _joined(Cause.TURNS_CUT_MIDDLE, (*messages[:first], *messages[last:]))


def _rearranged(messages: Conversation) -> Iterator[Variant]:
    count = len(messages)
    yield Cause.TURNS_REORDERED, messages[::-1]
    for step in (1, 2):
        for at in range(count - step):
            turns = list(messages)
            turns[at], turns[at + step] = turns[at + step], turns[at]
            yield from _joined(Cause.TURNS_REORDERED, tuple(turns))
    yield from _joined(Cause.TURNS_REORDERED, (*messages[1:], *messages[:1]))
    yield from _joined(Cause.TURNS_REORDERED, (*messages[-1:], *messages[:-1]))
    for at, message in enumerate(messages):
        yield from _joined(Cause.TURN_DUPLICATED, (*messages[:at], message, *messages[at:]))


def _joined(cause: Cause, messages: Conversation) -> Iterator[Variant]:
    """The turns as they stand and, where neighbours are of one role, merged."""
    yield cause, messages
    if any(first.role == second.role for first, second in pairwise(messages)):
        yield cause, _normalised(messages, SEPARATOR)
