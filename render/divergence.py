"""Where a server's prompt parts from the contract's render of the same conversation, and why."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from harness.errors import RenderError
from harness.values import Message, Role
from render.causes import SENTENCES, Cause
from render.template import ChatTokenizer, TemplateOptions, encode_text, render_ids, render_text
from render.variants import variants

WINDOW = 8  # tokens shown on either side of the first difference
LONGEST_SHOWN = 120  # characters of a shown text
BUDGET = 1_500_000  # characters rendered in search of a cause


@dataclass(frozen=True, slots=True, kw_only=True)
class Divergence:
    """The first difference between two prompts."""

    position: int  # in tokens from 0; the shorter one's length where it begins the other
    expected_length: int  # tokens
    got_length: int
    expected_ids: tuple[int, ...]  # around the position, at most WINDOW on either side
    got_ids: tuple[int, ...]
    expected_text: str  # the same decoded, on one line, at most LONGEST_SHOWN characters
    got_text: str
    cause: Cause
    causes: tuple[Cause, ...]  # all that give exactly what the server read, likeliest first

    @property
    def sentence(self) -> str:
        """The likely cause in words."""
        return SENTENCES[self.cause]

    def __str__(self) -> str:
        return (
            f"the prompts differ from token {self.position} on ({self.expected_length} tokens here, "
            f"{self.got_length} read by the server): here '{self.expected_text}', the server '{self.got_text}'; "
            f"likely cause: {self.sentence} ({self.cause})"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class CountDifference:
    """Another number of prompt tokens, and which known faults would give exactly that number."""

    expected: int
    got: int
    causes: tuple[Cause, ...]  # likeliest first; empty where none does

    @property
    def cause(self) -> Cause:
        """The likeliest one."""
        return self.causes[0] if self.causes else Cause.OTHER

    def __str__(self) -> str:
        return (
            f"the prompt has {self.expected} tokens here, but the server counted {self.got}; "
            f"possible cause: {SENTENCES[self.cause]} ({self.cause})"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Case:
    """One comparison: the tokenizer, the conversation and how it is rendered."""

    tokenizer: ChatTokenizer
    messages: tuple[Message, ...]
    written: tuple[Message, ...] | None
    options: TemplateOptions | None
    generation: bool
    expected: list[int]

    def ids(self, messages: Sequence[Message], *, generation: bool | None = None) -> list[int] | None:
        """A render under the same options, None where the template refuses."""
        return self.with_options(messages, self.options, generation=generation)

    def with_options(
        self, messages: Sequence[Message], options: TemplateOptions | None, *, generation: bool | None = None
    ) -> list[int] | None:
        """A render under other options, None where the template refuses."""
        add = self.generation if generation is None else generation
        try:
            return render_ids(self.tokenizer, messages, add_generation_prompt=add, chat_template_kwargs=options)
        except RenderError:
            return None


def first_difference(
    tokenizer: ChatTokenizer,
    messages: Sequence[Message],
    got_ids: Sequence[int],
    *,
    chat_template_kwargs: TemplateOptions | None = None,
    add_generation_prompt: bool = True,
    written: Sequence[Message] | None = None,
) -> Divergence | None:
    """Compare what a server read with the local render of the same messages; None if they are equal.

    The cause is found by rendering the conversation as known faults would have made it and looking which of them
    gives exactly `got_ids`. `written` is the conversation before it was folded and merged, if that is known.

    Raises:
        RenderError: the template refuses the conversation here.
    """
    case = _case(tokenizer, messages, chat_template_kwargs, written, generation=add_generation_prompt)
    got = list(got_ids)
    if got == case.expected:
        return None
    causes = tuple(dict.fromkeys(_explanations(case, got))) or (Cause.OTHER,)
    position = _common(case.expected, got)
    return Divergence(
        position=position,
        expected_length=len(case.expected),
        got_length=len(got),
        expected_ids=_window(case.expected, position),
        got_ids=_window(got, position),
        expected_text=_shown(tokenizer, _window(case.expected, position)),
        got_text=_shown(tokenizer, _window(got, position)),
        cause=causes[0],
        causes=causes,
    )


def cause_of_count(
    tokenizer: ChatTokenizer,
    messages: Sequence[Message],
    count: int,
    *,
    chat_template_kwargs: TemplateOptions | None = None,
    add_generation_prompt: bool = True,
    written: Sequence[Message] | None = None,
) -> CountDifference | None:
    """Compare a number of prompt tokens with the local render's; None if they are equal, which proves little.

    Raises:
        RenderError: the template refuses the conversation here.
    """
    case = _case(tokenizer, messages, chat_template_kwargs, written, generation=add_generation_prompt)
    if len(case.expected) == count:
        return None
    causes = tuple(dict.fromkeys(cause for cause, ids in _candidates(case) if len(ids) == count))
    return CountDifference(expected=len(case.expected), got=count, causes=causes)


def _case(
    tokenizer: ChatTokenizer,
    messages: Sequence[Message],
    options: TemplateOptions | None,
    written: Sequence[Message] | None,
    *,
    generation: bool,
) -> _Case:
    expected = render_ids(tokenizer, messages, add_generation_prompt=generation, chat_template_kwargs=options)
    return _Case(
        tokenizer=tokenizer,
        messages=tuple(messages),
        written=None if written is None else tuple(written),
        options=options,
        generation=generation,
        expected=expected,
    )


def _explanations(case: _Case, got: list[int]) -> Iterator[Cause]:
    exact = [cause for cause, ids in _candidates(case) if ids == got]
    yield from exact
    if not exact:
        yield from _by_tokens(case, got)


def _candidates(case: _Case) -> Iterator[tuple[Cause, list[int]]]:
    """Every render that a known fault gives, likeliest first, within the budget."""
    yield from _around(case)
    yield from _other_ends(case)
    yield from _other_options(case)
    spent = 0
    made: dict[tuple[Message, ...], list[int] | None] = {}
    for cause, messages in variants(case.messages, case.written):
        if messages not in made:
            spent += sum(len(message.content) + 16 for message in messages)
            if spent > BUDGET:
                return
            made[messages] = case.ids(messages)
        ids = made[messages]
        if ids is not None and ids != case.expected:
            yield cause, ids


def _around(case: _Case) -> Iterator[tuple[Cause, list[int]]]:
    """Tokens put before or after the prompt, or missing there."""
    expected = case.expected
    begin, end = (_special(case.tokenizer, name) for name in ("bos_token_id", "eos_token_id"))
    if expected and begin is not None:
        if expected[0] == begin:
            yield Cause.BOS_MISSING, expected[1:]
            yield Cause.BOS_TWICE, [begin, *expected]
        else:
            yield Cause.BOS_ADDED, [begin, *expected]
    if end is not None:
        yield Cause.PROMPT_END_CLOSED, [*expected, end]
        if begin is not None and expected[:1] != [begin]:
            yield Cause.PROMPT_END_CLOSED, [begin, *expected, end]


def _other_ends(case: _Case) -> Iterator[tuple[Cause, list[int]]]:
    """Another generation prompt, and blanks dropped around the whole text."""
    other = case.ids(case.messages, generation=not case.generation)
    if other is not None and other != case.expected:
        yield (Cause.GENERATION_PROMPT_MISSING if case.generation else Cause.GENERATION_PROMPT_ADDED), other
        if case.generation and case.expected[: len(other)] == other:
            yield Cause.GENERATION_PROMPT_TWICE, [*case.expected, *case.expected[len(other) :]]
    whole, bare = (_text(case, generation=generation) for generation in (case.generation, False))
    if whole is None or encode_text(case.tokenizer, whole) != case.expected:
        return
    if case.generation and bare is not None and whole.startswith(bare):
        yield Cause.GENERATION_PROMPT_TWICE, encode_text(case.tokenizer, whole + whole[len(bare) :])
    for trimmed in (whole.rstrip("\n"), whole.rstrip(), whole.lstrip(), whole.strip()):
        if trimmed != whole:
            yield Cause.PROMPT_TRIMMED, encode_text(case.tokenizer, trimmed)


def _text(case: _Case, *, generation: bool) -> str | None:
    try:
        return render_text(
            case.tokenizer, case.messages, add_generation_prompt=generation, chat_template_kwargs=case.options
        )
    except RenderError:
        return None


def _other_options(case: _Case) -> Iterator[tuple[Cause, list[int]]]:
    given = dict(case.options or {})
    others: list[dict[str, object]] = [{}] if given else []
    others += [{key: value for key, value in given.items() if key != left} for left in given]
    others += [{**given, key: not value} for key, value in given.items() if isinstance(value, bool)]
    for key in ("enable_thinking", "thinking"):
        others += [{**given, key: value} for value in (True, False) if given.get(key) is not value]
    for options in others:
        ids = case.with_options(case.messages, options)
        if ids is not None and ids != case.expected:
            yield Cause.TEMPLATE_OPTIONS, ids


def _by_tokens(case: _Case, got: list[int]) -> Iterator[Cause]:
    """What the ids alone show where no known fault gives them."""
    expected = case.expected
    head, tail = _common(expected, got), _common(expected[::-1], got[::-1])
    begin = _special(case.tokenizer, "bos_token_id")
    lead = 1 if expected[:1] == got[:1] == [begin] and begin is not None else 0
    if got and len(got) < len(expected):
        if _lacks_default_system(case, got):
            yield Cause.DEFAULT_SYSTEM_MISSING
        if tail >= len(got) - lead:
            yield Cause.TOKENS_CUT_LEFT
        elif head == len(got):
            yield Cause.TOKENS_CUT_RIGHT
        elif head + tail >= len(got):
            yield Cause.TOKENS_CUT_MIDDLE
    elif len(got) > len(expected) and tail >= len(expected) - lead:
        yield Cause.PREFIX_ADDED
    if _decoded(case.tokenizer, expected) == _decoded(case.tokenizer, got) is not None:
        yield Cause.SAME_TEXT
    if len(got) == len(expected) and head + tail == len(expected) - 1:
        yield Cause.ONE_TOKEN


def _lacks_default_system(case: _Case, got: list[int]) -> bool:
    """Whether just the turn is missing that the template puts before a conversation without a system turn."""
    system = Message(role=Role.SYSTEM, content="Zq7x")
    named = case.ids((system, *case.messages))
    if named is None or case.messages[:1] == () or case.messages[0].role == Role.SYSTEM:
        return False
    shared = _common(case.expected[::-1], named[::-1])
    return case.expected[len(case.expected) - len(got) :] == got and 0 <= shared - len(got) <= WINDOW // 2


def _special(tokenizer: object, name: str) -> int | None:
    value = getattr(tokenizer, name, None)
    return value if isinstance(value, int) else None


def _common(first: Sequence[int], second: Sequence[int]) -> int:
    """How many ids both begin with."""
    pairs = zip(first, second, strict=False)
    return next((at for at, (one, other) in enumerate(pairs) if one != other), min(len(first), len(second)))


def _window(ids: Sequence[int], position: int) -> tuple[int, ...]:
    return tuple(ids[max(position - WINDOW, 0) : position + WINDOW])


def _decoded(tokenizer: object, ids: Sequence[int]) -> str | None:
    decode = getattr(tokenizer, "decode", None)
    if not callable(decode):
        return None
    try:
        return str(decode(list(ids)))
    except Exception:  # noqa: BLE001 - ids that are none of this tokenizer's have no text
        return None


def _shown(tokenizer: object, ids: Sequence[int]) -> str:
    """The ids' text on one line, bounded; the ids themselves where they have none."""
    text = _decoded(tokenizer, ids)
    if text is None:
        text = " ".join(map(str, ids))
    line = "".join(_visible(character) for character in text)
    return line if len(line) <= LONGEST_SHOWN else f"{line[: LONGEST_SHOWN // 2]}…{line[-LONGEST_SHOWN // 2 :]}"


def _visible(character: str) -> str:
    known = {"\n": "\\n", "\t": "\\t", "\r": "\\r"}.get(character)
    if known is not None:
        return known
    return character if character.isprintable() else f"\\u{ord(character):04x}"
