"""Everything that the contract makes of one conversation, side by side, to look at or to compare."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from harness.errors import RenderError
from harness.values import Message, Role
from render.contract import SEPARATOR
from render.template import ChatTokenizer, TemplateOptions, render_ids, render_text
from render.training import TrainingExample, conform, is_additive, prefix_stability, training_examples


@dataclass(frozen=True, slots=True, kw_only=True)
class Preview:
    """A conversation under the contract; what could not be made is None, and `error` says why."""

    messages: tuple[Message, ...] | None = None  # conformed: control tokens broken, folded, merged
    text: str | None = None  # of the whole conversation
    ids: tuple[int, ...] | None = None  # of the whole conversation
    prompt_ids: tuple[int, ...] | None = None  # up to the last user turn, with the generation prompt
    prefix_stable: bool | None = None
    examples: tuple[TrainingExample, ...] | None = None
    additive: bool | None = None
    error: str | None = None

    @property
    def trained(self) -> int:
        """How many tokens of it are learnt."""
        return sum(example.trained for example in self.examples or ())


def preview(
    tokenizer: ChatTokenizer,
    messages: Sequence[Message],
    *,
    separator: str = SEPARATOR,
    chat_template_kwargs: TemplateOptions | None = None,
) -> Preview:
    """All renders of one conversation; what the contract refuses is said in `error`, beside what could be made."""
    made = Preview()
    options = chat_template_kwargs
    try:
        clean = conform(tokenizer, messages, separator=separator)
        made = replace(made, messages=clean)
        made = replace(
            made,
            text=render_text(tokenizer, clean, add_generation_prompt=False, chat_template_kwargs=options),
            ids=tuple(render_ids(tokenizer, clean, add_generation_prompt=False, chat_template_kwargs=options)),
        )
        last = max(number for number, message in enumerate(clean, start=1) if message.role == Role.USER)
        prompt = render_ids(tokenizer, clean[:last], add_generation_prompt=True, chat_template_kwargs=options)
        stability = prefix_stability(tokenizer, clean, chat_template_kwargs=options)
        made = replace(made, prompt_ids=tuple(prompt), prefix_stable=stability.stable)
        return replace(
            made,
            examples=tuple(training_examples(tokenizer, clean, chat_template_kwargs=options)),
            additive=is_additive(tokenizer, clean, chat_template_kwargs=options),
        )
    except RenderError as error:
        return replace(made, error=str(error))
