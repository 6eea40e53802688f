"""What is trained on: for each assistant turn the server's prompt, then the reply and the token that ends it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from harness.errors import RenderError
from harness.values import Message, Role
from render.contract import SEPARATOR
from render.control import break_control_tokens, control_tokens
from render.conversation import normalize_for_template
from render.observed import replied
from render.reply import PROBE, Place, reply_ids
from render.template import ChatTokenizer, TemplateOptions, encode_text, render_ids, render_text

IGNORED: Final = -100
"""The label of a token that is read but not learnt."""

_GREETING: Final = (Message(role=Role.USER, content="Hello."),)


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingExample:
    """One sequence: `labels[i]` is `ids[i]` where it is learnt and -100 elsewhere; same length."""

    ids: tuple[int, ...]
    labels: tuple[int, ...]

    @property
    def trained(self) -> int:
        """How many tokens are learnt."""
        return sum(label != IGNORED for label in self.labels)


@dataclass(frozen=True, slots=True, kw_only=True)
class Stability:
    """Whether each turn's prompt ids begin the next one's.

    `breaks_at` is the first turn (from 1) whose prompt does not begin the next user turn's, None if there is none.
    """

    stable: bool
    breaks_at: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Learnt:
    """One assistant turn: its number in the conversation (from 1), the prompt, and what follows it."""

    number: int
    prompt: list[int]
    reply: list[int]  # the end token included


@dataclass(frozen=True, slots=True, kw_only=True)
class _Lesson:
    """A conversation's assistant turns, its whole render, and the first turn that the two disagree on."""

    turns: list[_Learnt]
    whole: list[int]
    broken: int | None


def conform(
    tokenizer: ChatTokenizer, messages: Sequence[Message], *, separator: str = SEPARATOR, last: Role | None = None
) -> tuple[Message, ...]:
    """The conversation as a session would have sent it: control tokens broken, then normalised; idempotent.

    Raises RenderError as `normalize_for_template` does.
    """
    tokens = control_tokens(tokenizer)
    clean = (
        Message(
            role=message.role,
            content=replied(message.content, tokens)
            if message.role == Role.ASSISTANT
            else break_control_tokens(message.content, tokens),
        )
        for message in messages
    )
    return normalize_for_template(tuple(clean), separator=separator, last=last)


def training_examples(
    tokenizer: ChatTokenizer,
    messages: Sequence[Message],
    *,
    separator: str = SEPARATOR,
    chat_template_kwargs: TemplateOptions | None = None,
) -> list[TrainingExample]:
    """The examples of one trajectory, exact for any template: one with all turns if that is the same, else one a turn.

    The messages are conformed first. A turn's reply ids are those of its text right after the prompt.

    Raises:
        RenderError: the trajectory cannot be represented, does not end with an assistant turn, the template refuses
            it, no token ends a turn, or the tokenizer cannot spell a reply.
    """
    lesson = _lesson(tokenizer, messages, separator, chat_template_kwargs)
    if lesson.broken is None:
        return [_masked(lesson.whole, lesson.turns)]
    return [_masked([*turn.prompt, *turn.reply], [turn]) for turn in lesson.turns]


def is_additive(
    tokenizer: ChatTokenizer,
    messages: Sequence[Message],
    *,
    separator: str = SEPARATOR,
    chat_template_kwargs: TemplateOptions | None = None,
) -> bool:
    """Whether the whole conversation's render holds, for every assistant turn, the server's prompt and the reply.

    Raises RenderError as `training_examples` does.
    """
    return _lesson(tokenizer, messages, separator, chat_template_kwargs).broken is None


def loss_mask(
    tokenizer: ChatTokenizer,
    messages: Sequence[Message],
    *,
    separator: str = SEPARATOR,
    chat_template_kwargs: TemplateOptions | None = None,
) -> tuple[bool, ...]:
    """For each id of the whole conversation's render, whether it is learnt; for additive templates only.

    Raises:
        RenderError: as `training_examples`; and where the whole render does not contain what the server saw and the
            reply, naming the first such turn.
    """
    lesson = _lesson(tokenizer, messages, separator, chat_template_kwargs)
    if lesson.broken is not None:
        raise RenderError(
            f"the template is not additive: turn {lesson.broken} (assistant) reads otherwise in the whole "
            "conversation than its prompt and reply did when it was said",
            hint="use training_examples, which makes one example of each turn here",
        )
    return tuple(label != IGNORED for label in _masked(lesson.whole, lesson.turns).labels)


def prefix_stability(
    tokenizer: ChatTokenizer,
    messages: Sequence[Message],
    *,
    separator: str = SEPARATOR,
    chat_template_kwargs: TemplateOptions | None = None,
) -> Stability:
    """Whether the prompt at each user turn begins the prompt at the next, as a server's prefix cache hopes.

    Raises RenderError as `training_examples` does, but the last turn may be anyone's.
    """
    clean = conform(tokenizer, messages, separator=separator)
    before: list[int] = []
    for number, message in enumerate(clean, start=1):
        if message.role == Role.USER:
            history = clean[:number]
            prompt = render_ids(
                tokenizer, history, add_generation_prompt=True, chat_template_kwargs=chat_template_kwargs
            )
            if prompt[: len(before)] != before:
                return Stability(stable=False, breaks_at=number - 2)
            before = prompt
    return Stability(stable=True, breaks_at=None)


def _lesson(
    tokenizer: ChatTokenizer, messages: Sequence[Message], separator: str, options: TemplateOptions | None
) -> _Lesson:
    clean = conform(tokenizer, messages, separator=separator, last=Role.ASSISTANT)
    turns = _learnt(tokenizer, clean, options)
    whole = render_ids(tokenizer, clean, add_generation_prompt=False, chat_template_kwargs=options)
    return _Lesson(turns=turns, whole=whole, broken=_first_break(whole, turns))


def _learnt(tokenizer: ChatTokenizer, messages: Sequence[Message], options: TemplateOptions | None) -> list[_Learnt]:
    tokens = control_tokens(tokenizer)
    return [
        _turn(tokenizer, messages[: number - 1], message.content, options, tokens)
        for number, message in enumerate(messages, start=1)
        if message.role == Role.ASSISTANT
    ]


def _turn(
    tokenizer: ChatTokenizer,
    history: Sequence[Message],
    reply: str,
    options: TemplateOptions | None,
    tokens: tuple[str, ...],
) -> _Learnt:
    """What the server is sent at this turn and what the model must answer.

    A probe reply in the real one's place shows two things of the template: which token ends the turn, and whether
    the reply's first token is to be found with the prompt before it or without (SentencePiece makes a difference).
    """
    prompt = render_ids(tokenizer, history, add_generation_prompt=True, chat_template_kwargs=options)
    end = _end_token(tokenizer, history, options, tokens)
    probed = render_ids(tokenizer, _probed(history), add_generation_prompt=False, chat_template_kwargs=options)
    alone = [*prompt, *encode_text(tokenizer, PROBE)]
    text = None
    if probed[: len(alone)] != alone:
        text = render_text(tokenizer, history, add_generation_prompt=True, chat_template_kwargs=options)
    number = len(history) + 1
    ids = reply_ids(tokenizer, Place(number=number, prompt=prompt, text=text), reply)
    return _Learnt(number=number, prompt=prompt, reply=[*ids, end])


def _probed(history: Sequence[Message]) -> tuple[Message, ...]:
    return (*history, Message(role=Role.ASSISTANT, content=PROBE))


def end_token(
    tokenizer: ChatTokenizer,
    messages: Sequence[Message] | None = None,
    *,
    chat_template_kwargs: TemplateOptions | None = None,
) -> int:
    """The id that training puts after a reply to `messages` (a prompt, conformed already; a plain greeting if None).

    It is the first control token that the template writes after the last assistant turn, or the tokenizer's own end of
    sequence where the template writes none. A server must stop at it.

    Raises:
        RenderError: the template refuses the conversation or does not show the reply, or no token ends the turn.
    """
    history = _GREETING if messages is None else messages
    return _end_token(tokenizer, history, chat_template_kwargs, control_tokens(tokenizer))


def _end_token(
    tokenizer: ChatTokenizer, history: Sequence[Message], options: TemplateOptions | None, tokens: tuple[str, ...]
) -> int:
    number = len(history) + 1
    shown = render_text(tokenizer, _probed(history), add_generation_prompt=False, chat_template_kwargs=options)
    if PROBE not in shown:
        raise RenderError(
            f"the chat template does not show what turn {number} (assistant) says",
            hint="give a tokenizer whose template renders assistant turns as they are",
        )
    rest = shown[shown.rfind(PROBE) + len(PROBE) :]
    spelled = min(
        (token for token in tokens if token in rest), key=lambda token: (rest.find(token), -len(token)), default=None
    )
    ids = encode_text(tokenizer, spelled) if spelled is not None else []
    end = ids[0] if len(ids) == 1 else getattr(tokenizer, "eos_token_id", None)
    if isinstance(end, int):
        return end
    raise RenderError(
        f"no token ends turn {number} (assistant): the template puts none there, and the tokenizer has no eos token",
        hint="set the tokenizer's eos_token",
    )


def _first_break(whole: list[int], turns: Sequence[_Learnt]) -> int | None:
    for turn in turns:
        sequence = [*turn.prompt, *turn.reply]
        if whole[: len(sequence)] != sequence:
            return turn.number
    return None


def _masked(ids: list[int], turns: Sequence[_Learnt]) -> TrainingExample:
    labels = [IGNORED] * len(ids)
    for turn in turns:
        start = len(turn.prompt)
        labels[start : start + len(turn.reply)] = turn.reply
    return TrainingExample(ids=tuple(ids), labels=tuple(labels))
