"""Control tokens in text: finds their spellings and breaks them visibly, so that no file can open or close a turn."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Final, Protocol, runtime_checkable

BREAKS: Final = ("\u00b7", "\u2027", "\u2219")
"""What is put into a spelling: the first of these dots that no known control token contains."""

REASONING: Final = ("<think>", "</think>", "[THINK]", "[/THINK]")
"""The marks around a model's own reasoning, which templates look for in replies; they neither open nor close a turn."""

# Spellings that well-known templates use, lower case and half width; the letter case and width of a text do not matter.
_WORDS: Final = (
    *("<s>", "</s>", "<bos>", "<eos>", "<pad>", "<unk>", "<mask>", "<sep>", "<cls>", "[gmask]", "<sop>", "<eop>"),
    *("[inst]", "[/inst]", "<<sys>>", "<</sys>>", "[sys]", "[/sys]"),
    *("[system_prompt]", "[/system_prompt]", "[available_tools]", "[/available_tools]", "[tool_calls]", "[args]"),
    *("[tool_results]", "[/tool_results]", "[tool_content]", "[/tool_content]", "[call_id]", "[img]", "[img_end]"),
    *("[img_break]", "[audio]", "[begin_audio]", "[prefix]", "[middle]", "[suffix]", "[model_settings]"),
    *("[/model_settings]", "[begin_of_text]", "[end_of_text]", "[control]"),
    *("<start_of_turn>", "<end_of_turn>", "<start_of_image>", "<end_of_image>", "<start_of_audio>", "<end_of_audio>"),
    *("<tool_call>", "</tool_call>", "<tool_response>", "</tool_response>", "<tools>", "</tools>", "<tool_use>"),
    *("<role>", "</role>", "<seed:bos>", "<seed:eos>", "<seed:think>", "</seed:think>", "<extra_id_0>", "<extra_id_1>"),
    *("]~b]", "]~!b[", "[e~[", *(mark.casefold() for mark in REASONING)),
)
# <|any name|>, [|any name|], and the one-sided <|name> and <name|> of the newer kind.
_SHAPES: Final = (
    r"<(?=\|[^|<>\n{breaks}]{{1,80}}\|>)",
    r"\[(?=\|[^|\[\]\n{breaks}]{{1,80}}\|\])",
    r"<(?=\|[a-z][a-z0-9_]{{0,40}}>)",
    r"<(?=[a-z][a-z0-9_]{{0,40}}\|>)",
)


@runtime_checkable
class _Vocabulary(Protocol):
    def get_added_vocab(self) -> dict[str, int]: ...


def control_tokens(tokenizer: object) -> tuple[str, ...]:
    """The spellings that a tokenizer turns into a control token, sorted.

    These are its special tokens, and those of its other added tokens that its chat template spells out. Blank ones
    and single ASCII characters are left out: they are ordinary text in any file. Works with anything that has some
    of `all_special_tokens`, `added_tokens_decoder`, `get_added_vocab` and `chat_template`.
    """
    special = _told(tokenizer, "all_special_tokens")
    found = {str(token) for token in special} if isinstance(special, Iterable) else set()
    others: set[str] = set()
    added = _told(tokenizer, "added_tokens_decoder")
    for token in added.values() if isinstance(added, Mapping) else ():
        (found if getattr(token, "special", False) else others).add(str(token))
    if isinstance(tokenizer, _Vocabulary):
        others.update(tokenizer.get_added_vocab())
    return sifted(found, others, str(_told(tokenizer, "chat_template") or ""))


def _told(tokenizer: object, name: str) -> object:
    """An attribute of a tokenizer, None where it has none; foreign ones inherit some that they refuse to answer."""
    try:
        return getattr(tokenizer, name, None)
    except NotImplementedError:
        return None


def sifted(special: Iterable[str], others: Iterable[str], template: str) -> tuple[str, ...]:
    """The spellings to break among a tokenizer's special tokens and its other added tokens, given its template."""
    found = {*special, *(token for token in others if token in template and not token.isalnum())}
    return tuple(sorted(token for token in found if token.strip() and not (len(token) == 1 and token.isascii())))


def break_control_tokens(text: str, tokens: Iterable[str] = (), *, keep: Sequence[str] = ()) -> str:
    """The text with every spelling of a control token broken by a dot after its first character: `<|x|>` to `<.|x|>`.

    A fixed family of well-known spellings is always broken, since an endpoint's tokenizer may be unknown, and those
    in `tokens` besides, except what is in `keep`. Letter case, full width and compatibility forms do not hide a
    spelling. A token of a single character becomes `[U+XXXX]`. Halves of surrogate pairs become U+FFFD. Deterministic,
    idempotent, linear in the text; nothing else is changed.
    """
    text = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    pattern, singles, dot = _pattern(tuple(sorted(set(tokens))), tuple(keep))
    for single in singles:
        text = text.replace(single, f"[U+{ord(single):04X}]")
    folded, origin = _fold(text)
    places = [origin[match.start()] if origin else match.start() for match in pattern.finditer(folded)]
    if not places:
        return text
    pieces, done = [], 0
    for place in places:
        # One character may fold into several, even into a whole spelling: a dot after it says that it was seen.
        if place >= done and text[place + 1 : place + 2] != dot:
            pieces += [text[done : place + 1], dot]
            done = place + 1
    return "".join((*pieces, text[done:]))


def _fold(text: str) -> tuple[str, list[int] | None]:
    """The text without differences of case and width, and for each of its characters the index where it came from."""
    if text.isascii():
        return text.lower(), None
    folded: list[str] = []
    origin: list[int] = []
    for index, character in enumerate(text):
        form = _fold_character(character)
        folded.append(form)
        origin.extend([index] * len(form))
    return "".join(folded), origin


@lru_cache(maxsize=4096)
def _fold_character(character: str) -> str:
    return unicodedata.normalize("NFKC", character).casefold()


@lru_cache(maxsize=32)
def _pattern(tokens: tuple[str, ...], keep: tuple[str, ...]) -> tuple[re.Pattern[str], tuple[str, ...], str]:
    """What finds the first character of each spelling in folded text; the one-character tokens; the dot to use."""
    kept = {_spelling(token) for token in keep}
    own = {_spelling(token) for token in tokens if token.strip()} - kept
    dot = next((dot for dot in BREAKS if not any(_spelling(dot) in token for token in own)), BREAKS[0])
    singles = tuple(token for token in tokens if len(token) == 1 and not token.isascii() and token not in keep)
    words = sorted(word for word in (own | set(_WORDS)) - kept if len(word) > 1)
    shapes = [shape.format(breaks="".join(BREAKS)) for shape in _SHAPES]
    rests: dict[str, list[str]] = {}
    for word in words:
        rests.setdefault(word[0], []).append(re.escape(word[1:]))
    starts = [f"{re.escape(first)}(?={'|'.join(rest)})" for first, rest in rests.items()]
    return re.compile("|".join((*shapes, *starts))), singles, dot


def _spelling(token: str) -> str:
    return "".join(map(_fold_character, token))
