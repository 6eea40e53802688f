"""Everything that a server may do to a conversation on its way to the model, one fault at a time."""

from __future__ import annotations

import html
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any

from harness.values import Message, Role
from tests.parity.served import Fault, Honest, Options
from tests.render.kinds import CHATML, DROPPING, INSERTING, SYSTEM_AWARE, TOOLS, TRIMMING

Turns = tuple[Message, ...]


def on_turns(change: Callable[[Turns], Sequence[Message]]) -> Fault:
    """The honest render of other turns."""

    def fault(honest: Honest, tokenizer: Any, messages: Sequence[Message], options: Options) -> list[int]:
        return honest(list(change(tuple(messages))))

    return fault


def on_contents(change: Callable[[str], str]) -> Fault:
    """The honest render of other contents."""
    return on_turns(lambda turns: [replace(turn, content=change(turn.content)) for turn in turns])


def on_ids(change: Callable[[list[int], Any], list[int]]) -> Fault:
    """Other ids than the honest render's."""

    def fault(honest: Honest, tokenizer: Any, messages: Sequence[Message], options: Options) -> list[int]:
        return change(honest(messages), tokenizer)

    return fault


def _split_first(turns: Turns, join: Callable[[str, str, Turns], Sequence[Message]]) -> Sequence[Message]:
    head, blank, tail = turns[0].content.partition("\n\n")
    return join(head, tail, turns[1:]) if blank and head.strip() and tail.strip() else turns


def _system_apart(turns: Turns) -> Sequence[Message]:
    return _split_first(
        turns,
        lambda head, tail, rest: [
            Message(role=Role.SYSTEM, content=head),
            Message(role=Role.USER, content=tail),
            *rest,
        ],
    )


def _joined_by(separator: str) -> Callable[[Turns], Sequence[Message]]:
    return lambda turns: _split_first(
        turns, lambda head, tail, rest: [Message(role=Role.USER, content=head + separator + tail), *rest]
    )


def _system_last(turns: Turns) -> Sequence[Message]:
    def join(head: str, tail: str, rest: Turns) -> Sequence[Message]:
        if not rest:
            return turns
        last = replace(rest[-1], content=f"{head}\n\n{rest[-1].content}")
        return [Message(role=Role.USER, content=tail), *rest[:-1], last]

    return _split_first(turns, join)


def _unmerged(turns: Turns) -> Sequence[Message]:
    made: list[Message] = []
    for turn in turns[1:]:
        parts = turn.content.split("\n\n") if all(map(str.strip, turn.content.split("\n\n"))) else [turn.content]
        made += [replace(turn, content=part) for part in parts]
    return [turns[0], *made]


def _generation(honest: Honest, tokenizer: Any, messages: Sequence[Message], options: Options) -> list[int]:
    return honest(messages, generation=False)


def _generation_twice(honest: Honest, tokenizer: Any, messages: Sequence[Message], options: Options) -> list[int]:
    whole, bare = honest(messages), honest(messages, generation=False)
    return whole + whole[len(bare) :]


def _without_options(honest: Honest, tokenizer: Any, messages: Sequence[Message], options: Options) -> list[int]:
    return honest(messages, options={"unused": True})


def _trimmed(honest: Honest, tokenizer: Any, messages: Sequence[Message], options: Options) -> list[int]:
    return list(tokenizer.encode(tokenizer.decode(honest(messages)).strip(), add_special_tokens=False))


def _in_bytes(ids: list[int], tokenizer: Any) -> list[int]:
    """The same text in the smallest pieces."""
    made: list[int] = []
    special = set(tokenizer.all_special_ids) | set(tokenizer.added_tokens_decoder)
    for token in ids:
        pieces = (
            [token]
            if token in special
            else tokenizer.convert_tokens_to_ids(list(tokenizer.convert_ids_to_tokens(token)))
        )
        made += pieces
    return made


def _next_id(ids: list[int], tokenizer: Any) -> list[int]:
    return [*ids[:-2], (ids[-2] + 1) % 300, ids[-1]]


def _another_template(template: str) -> Fault:
    def fault(honest: Honest, tokenizer: Any, messages: Sequence[Message], options: Options) -> list[int]:
        mine = tokenizer.chat_template
        tokenizer.chat_template = template
        try:
            return honest(messages)
        finally:
            tokenizer.chat_template = mine

    return fault


def _forms(form: Any) -> Callable[[str], str]:
    return lambda text: unicodedata.normalize(form, text)


@dataclass(frozen=True, kw_only=True)
class Planted:
    """A fault under a template, and the cause that must be named."""

    cause: str
    fault: Fault
    template: str = CHATML
    options: Options = None


PLANTED: Mapping[str, Planted] = MappingProxyType(
    {
        "keeps the system text apart": Planted(cause="system_apart", fault=on_turns(_system_apart)),
        "folds with one newline": Planted(cause="fold_one_newline", fault=on_turns(_joined_by("\n"))),
        "folds with a blank": Planted(cause="fold_other_separator", fault=on_turns(_joined_by(" "))),
        "drops the system text": Planted(
            cause="system_dropped",
            fault=on_turns(
                lambda turns: _split_first(turns, lambda _, tail, rest: [Message(role=Role.USER, content=tail), *rest])
            ),
        ),
        "puts the system text last": Planted(cause="system_last", fault=on_turns(_system_last)),
        "does not merge": Planted(cause="turns_not_merged", fault=on_turns(_unmerged)),
        "adds BOS twice": Planted(
            cause="bos_twice", fault=on_ids(lambda ids, t: [t.bos_token_id, *ids]), template=TOOLS
        ),
        "leaves BOS out": Planted(cause="bos_missing", fault=on_ids(lambda ids, _: ids[1:]), template=TRIMMING),
        "adds a BOS of its own": Planted(cause="bos_added", fault=on_ids(lambda ids, t: [t.bos_token_id, *ids])),
        "leaves the generation prompt out": Planted(cause="generation_prompt_missing", fault=_generation),
        "adds the generation prompt twice": Planted(cause="generation_prompt_twice", fault=_generation_twice),
        "closes the prompt": Planted(cause="prompt_end_closed", fault=on_ids(lambda ids, t: [*ids, t.eos_token_id])),
        "trims the whole prompt": Planted(cause="prompt_trimmed", fault=_trimmed),
        "drops the last newline": Planted(
            cause="last_newline_dropped", fault=on_contents(lambda text: text.removesuffix("\n"))
        ),
        "drops trailing blanks": Planted(cause="trailing_blanks_dropped", fault=on_contents(str.rstrip)),
        "drops leading blanks": Planted(cause="leading_blanks_dropped", fault=on_contents(str.lstrip)),
        "trims contents": Planted(cause="contents_trimmed", fault=on_contents(str.strip)),
        "collapses blank lines": Planted(
            cause="blank_lines_collapsed",
            fault=on_contents(lambda text: "\n".join(line for line in text.split("\n") if line)),
        ),
        "keeps the last turns only": Planted(cause="turns_cut_left", fault=on_turns(lambda turns: turns[-3:])),
        "cuts the middle of the conversation": Planted(
            cause="turns_cut_middle", fault=on_turns(lambda turns: (turns[0], *turns[-2:]) if len(turns) > 4 else turns)
        ),
        "loses the last turns": Planted(cause="turns_cut_right", fault=on_turns(lambda turns: turns[:-1] or turns)),
        "drops a turn": Planted(
            cause="turn_missing", fault=on_turns(lambda turns: (turns[0], *turns[2:]) if len(turns) > 2 else turns)
        ),
        "repeats a turn": Planted(cause="turn_duplicated", fault=on_turns(lambda turns: (*turns, turns[-1]))),
        "reverses the turns": Planted(cause="turns_reordered", fault=on_turns(lambda turns: turns[::-1])),
        "swaps two turns": Planted(
            cause="turns_reordered", fault=on_turns(lambda turns: (*turns[1:2], turns[0], *turns[2:]))
        ),
        "truncates tokens left": Planted(cause="tokens_cut_left", fault=on_ids(lambda ids, _: ids[-24:])),
        "truncates tokens right": Planted(cause="tokens_cut_right", fault=on_ids(lambda ids, _: ids[:17])),
        "truncates tokens in the middle": Planted(
            cause="tokens_cut_middle", fault=on_ids(lambda ids, _: ids[:12] + ids[-9:])
        ),
        "lets text become control tokens": Planted(
            cause="control_tokens_in_text", fault=on_contents(lambda text: text.replace("\u00b7", ""))
        ),
        "normalises to NFKC": Planted(cause="unicode_normalised", fault=on_contents(_forms("NFKC"))),
        "normalises to NFC": Planted(cause="unicode_normalised", fault=on_contents(_forms("NFC"))),
        "changes line ends": Planted(
            cause="line_ends_changed", fault=on_contents(lambda text: text.replace("\r\n", "\n"))
        ),
        "expands tabs": Planted(cause="tabs_changed", fault=on_contents(str.expandtabs)),
        "drops what is not ASCII": Planted(
            cause="invisibles_dropped", fault=on_contents(lambda text: text.encode("ascii", "ignore").decode())
        ),
        "escapes HTML": Planted(cause="escaped", fault=on_contents(html.escape)),
        "cuts reasoning": Planted(
            cause="reasoning_dropped", fault=_another_template(DROPPING.replace("[-1]", "[-1].lstrip('\\n')"))
        ),
        "inserts a default system turn": Planted(cause="prefix_added", fault=_another_template(SYSTEM_AWARE)),
        "lacks the default system turn": Planted(
            cause="default_system_missing", fault=_another_template(CHATML), template=SYSTEM_AWARE
        ),
        "ignores the template's variables": Planted(
            cause="template_options",
            fault=_without_options,
            template=INSERTING,
            options=MappingProxyType({"enable_thinking": False}),
        ),
        "has one other id": Planted(cause="one_token", fault=on_ids(_next_id)),
        "cuts the text otherwise": Planted(cause="same_text", fault=on_ids(_in_bytes)),
        "has another template": Planted(cause="other", fault=_another_template(TOOLS)),
    }
)
