"""The local side of parity: one tokenizer and its template's variables, as training used them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from threading import Lock

import render
from harness.errors import RenderError
from harness.tokenizer import load_tokenizer
from harness.values import Message, Role
from render import ChatTokenizer, CountDifference, Divergence, TemplateOptions


class LocalContract:
    """What the model should read; many threads may use it at once.

    `end_id` is the token that training puts after a reply, None where the template and tokenizer have none;
    `own_ends` are it, the tokenizer's end of sequence and `ends`; `digest` is the chat template's.
    """

    def __init__(
        self,
        tokenizer: ChatTokenizer,
        *,
        chat_template_kwargs: TemplateOptions | None = None,
        name: str = "",
        ends: Iterable[int] = (),
    ) -> None:
        self._tokenizer = tokenizer
        self._options = dict(chat_template_kwargs or {}) or None
        self._lock = Lock()
        self.name = name or Path(str(getattr(tokenizer, "name_or_path", ""))).name or "the tokenizer"
        self.digest = render.template_digest(tokenizer)
        self.control_tokens = render.control_tokens(tokenizer)
        self.end_id = self._end_id()
        own = getattr(tokenizer, "eos_token_id", None)
        self.own_ends = frozenset(end for end in (self.end_id, own, *ends) if isinstance(end, int))

    @classmethod
    def load(cls, directory: Path, *, chat_template_kwargs: TemplateOptions | None = None) -> LocalContract:
        """The contract of a tokenizer's directory, the ends that its generation_config.json states among `own_ends`.

        Raises BadInputError if no tokenizer loads from it.
        """
        tokenizer = load_tokenizer(directory)
        name = directory.resolve().name
        return cls(tokenizer, chat_template_kwargs=chat_template_kwargs, name=name, ends=_generation_ends(directory))

    @property
    def title(self) -> str:
        """The template's name and digest, to name it in a message."""
        return f"template of {self.name}, {self.digest or 'which has none'}"

    def conform(self, messages: Sequence[Message], *, last: Role | None = None) -> tuple[Message, ...]:
        """The conversation as a session would send it. Raises RenderError where it cannot be represented."""
        return render.conform(self._tokenizer, messages, last=last)

    def broken(self, messages: Sequence[Message]) -> tuple[Message, ...]:
        """The conversation with the spellings of control tokens broken, and otherwise as it is."""
        return tuple(
            Message(role=m.role, content=render.replied(m.content, self.control_tokens))
            if m.role == Role.ASSISTANT
            else Message(role=m.role, content=render.break_control_tokens(m.content, self.control_tokens))
            for m in messages
        )

    def ids(self, messages: Sequence[Message]) -> list[int]:
        """The prompt of these messages, generation prompt included. Raises RenderError if the template refuses."""
        with self._lock:
            return render.render_ids(
                self._tokenizer, messages, add_generation_prompt=True, chat_template_kwargs=self._options
            )

    def difference(
        self, messages: Sequence[Message], got: Sequence[int], *, written: Sequence[Message] | None = None
    ) -> Divergence | None:
        """How the ids that a server read differ from the contract's. Raises RenderError as `ids` does."""
        with self._lock:
            return render.first_difference(
                self._tokenizer, messages, got, chat_template_kwargs=self._options, written=written
            )

    def count_difference(
        self, messages: Sequence[Message], count: int, *, written: Sequence[Message] | None = None
    ) -> CountDifference | None:
        """How the number of prompt tokens differs from the contract's. Raises RenderError as `ids` does."""
        with self._lock:
            return render.cause_of_count(
                self._tokenizer, messages, count, chat_template_kwargs=self._options, written=written
            )

    def spell(self, ids: Sequence[int]) -> str:
        """The text of ids, on one line; the ids themselves where they have none."""
        decode = getattr(self._tokenizer, "decode", None)
        try:
            with self._lock:
                text = str(decode(list(ids))) if callable(decode) else ""
        except Exception:  # noqa: BLE001 - ids of another vocabulary have no text here
            text = ""
        return repr(text)[1:-1] or " ".join(map(str, ids))

    def _end_id(self) -> int | None:
        try:
            return render.end_token(self._tokenizer, chat_template_kwargs=self._options)
        except RenderError:
            return None


def _generation_ends(directory: Path) -> tuple[int, ...]:
    """The tokens at which the checkpoint's own generation config ends a reply; none where it says nothing."""
    try:
        config = json.loads((directory / "generation_config.json").read_bytes())
    except (OSError, ValueError, RecursionError):
        return ()
    ends = config.get("eos_token_id") if isinstance(config, dict) else None
    return tuple(end for end in (ends if isinstance(ends, list) else [ends]) if isinstance(end, int))
