"""The base's tokenizer: renders conversations through `render`, decodes replies, knows what ends a turn."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from threading import Lock
from typing import Any

import render
from harness.endpoint.resident.options import ServeOptions
from harness.errors import BadInputError, RenderError
from harness.tokenizer import LOCAL
from harness.values import Message


class Tokens:
    """A tokenizer that several threads may use; every answer is the same as if one did."""

    def __init__(self, tokenizer: Any, generation_eos: object) -> None:
        self._tokenizer = tokenizer
        self._lock = Lock()
        self.vocabulary = len(tokenizer)
        self.end_ids = frozenset(_generation_ends(generation_eos) | self._own_ends() | self._template_end())

    def render(
        self,
        messages: Sequence[Message],
        *,
        add_generation_prompt: bool = True,
        chat_template_kwargs: Mapping[str, object] | None = None,
    ) -> list[int]:
        """The ids of a conversation exactly as sent, through the chat template.

        Raises:
            RenderError: the template refuses the conversation; carries its words.
        """
        with self._lock:
            try:
                return render.render_ids(
                    self._tokenizer,
                    messages,
                    add_generation_prompt=add_generation_prompt,
                    chat_template_kwargs=chat_template_kwargs,
                )
            except RenderError:
                raise
            except Exception as error:  # whatever a template raises is the template's answer
                raise RenderError(f"the chat template refuses the conversation: {error}") from error

    def encode(self, text: str, *, special: bool) -> list[int]:
        """The ids of plain text; `special` adds what the tokenizer puts around any text."""
        with self._lock:
            return [int(i) for i in self._tokenizer.encode(text, add_special_tokens=special)]

    def decode(self, ids: Sequence[int]) -> str:
        """The text of ids, without special tokens, otherwise as it is."""
        with self._lock:
            return str(self._tokenizer.decode(list(ids), skip_special_tokens=True, clean_up_tokenization_spaces=False))

    def raw_text(self, ids: Sequence[int]) -> str:
        """The text of ids, special tokens included."""
        with self._lock:
            return str(self._tokenizer.decode(list(ids), clean_up_tokenization_spaces=False))

    def spell(self, token: int) -> str:
        """One token as a person may read it, special ones included."""
        return self.raw_text([token])

    def _own_ends(self) -> set[int]:
        end = self._tokenizer.eos_token_id
        return set() if end is None else {int(end)}

    def _template_end(self) -> set[int]:
        """The token that training puts after a reply under this template, if there is one."""
        try:
            return {render.end_token(self._tokenizer)}
        except RenderError:
            return set()


def load_tokenizer(options: ServeOptions) -> Any:
    """The base's tokenizer, with another chat template if one is given.

    Raises:
        BadInputError: none that loads, or one without a chat template.
    """
    from transformers import AutoTokenizer

    try:
        tokenizer = AutoTokenizer.from_pretrained(options.base, **LOCAL)
    except Exception as error:  # whatever a library makes of damaged files, the files are the cause
        first_line = " ".join(str(error).split())[:300]
        raise BadInputError(f"the base {options.base} has no tokenizer that loads: {first_line}") from error
    if options.chat_template is not None:
        try:
            tokenizer.chat_template = options.chat_template.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise BadInputError(f"the chat template {options.chat_template} cannot be read: {error}") from error
    if not tokenizer.chat_template:
        raise BadInputError(
            f"the base {options.base} has no chat template, so it cannot hold a conversation",
            hint="give the template that it was trained with: --chat-template FILE",
        )
    return tokenizer


def _generation_ends(value: object) -> set[int]:
    values = value if isinstance(value, list | tuple) else [value]
    return {int(v) for v in values if isinstance(v, int)}
