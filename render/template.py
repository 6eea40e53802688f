"""Renders a conversation through a tokenizer's chat template, whatever kind of tokenizer it is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, Protocol

from harness.errors import RenderError
from harness.values import Message, Role

TemplateOptions = Mapping[str, object]
"""Variables for the chat template, such as `enable_thinking`; the server must be given the same."""

_OURS: Final = frozenset(
    (
        *("conversation", "messages", "tokenize", "add_generation_prompt", "continue_final_message", "padding"),
        *("truncation", "max_length", "return_tensors", "return_dict", "return_assistant_tokens_mask"),
        "tokenizer_kwargs",
    )
)


class ChatTokenizer(Protocol):
    """The two methods of a transformers tokenizer that rendering uses; fast, slow and foreign ones have them."""

    def apply_chat_template(self, conversation: list[dict[str, str]], **options: Any) -> Any:
        """The conversation as text or as ids, in any of the shapes that transformers 4 and 5 return."""
        ...

    def encode(self, text: str, **options: Any) -> Any:
        """The ids of a text, control tokens in it recognised."""
        ...


def render_ids(
    tokenizer: ChatTokenizer,
    messages: Sequence[Message],
    *,
    add_generation_prompt: bool,
    chat_template_kwargs: TemplateOptions | None = None,
) -> list[int]:
    """The token ids that a server makes of these messages; they are rendered as they are, nothing is folded.

    A tokenizer that only makes prompts (Mistral's own) cannot show a conversation that an assistant turn ends: then
    its render with the last turn left open, and its end of sequence after it, stand for the whole.

    Raises:
        RenderError: there is no template, it refuses the conversation, or what comes back holds no ids.
    """
    try:
        return plain_ids(
            _apply(
                tokenizer, messages, chat_template_kwargs, tokenize=True, add_generation_prompt=add_generation_prompt
            )
        )
    except RenderError:
        ended = bool(messages) and messages[-1].role == Role.ASSISTANT and not add_generation_prompt
        closed = _closed(tokenizer, messages, chat_template_kwargs) if ended else None
        if closed is None:
            raise
        return closed


def render_text(
    tokenizer: ChatTokenizer,
    messages: Sequence[Message],
    *,
    add_generation_prompt: bool,
    chat_template_kwargs: TemplateOptions | None = None,
) -> str:
    """The text that the template makes of these messages, or what the ids say where a tokenizer has no template.

    Raises RenderError as `render_ids` does.
    """
    decode = getattr(tokenizer, "decode", None)
    if callable(decode) and hasattr(tokenizer, "eos_token_id") and not getattr(tokenizer, "chat_template", None):
        return str(
            decode(
                render_ids(
                    tokenizer,
                    messages,
                    add_generation_prompt=add_generation_prompt,
                    chat_template_kwargs=chat_template_kwargs,
                )
            )
        )
    result = _apply(
        tokenizer, messages, chat_template_kwargs, tokenize=False, add_generation_prompt=add_generation_prompt
    )
    if isinstance(result, list) and len(result) == 1:  # a batch of one conversation
        result = result[0]
    if not isinstance(result, str):
        raise RenderError(
            f"the tokenizer gave {type(result).__name__} where text was asked for",
            hint="apply_chat_template(tokenize=False) must return text",
        )
    return result


def encode_text(tokenizer: ChatTokenizer, text: str) -> list[int]:
    """The ids of a text alone, without the tokens that a tokenizer adds around a document."""
    return plain_ids(tokenizer.encode(text, add_special_tokens=False))


def _closed(tokenizer: ChatTokenizer, messages: Sequence[Message], options: TemplateOptions | None) -> list[int] | None:
    """The whole conversation's ids where only prompts are made: left open, then ended as the next turn shows it to be.

    None where the tokenizer cannot leave a turn open either, or ends it otherwise.
    """
    end = getattr(tokenizer, "eos_token_id", None)
    if not isinstance(end, int):
        return None
    asked = [*messages, Message(role=Role.USER, content="x")]
    try:
        left_open = plain_ids(_apply(tokenizer, messages, options, tokenize=True, continue_final_message=True))
        followed = plain_ids(_apply(tokenizer, asked, options, tokenize=True, add_generation_prompt=True))
    except RenderError:
        return None
    ways = ([*left_open, end], left_open)  # some end even the turn that is to be left open
    return next((whole for whole in ways if whole[-1:] == [end] and followed[: len(whole)] == whole), None)


def _apply(
    tokenizer: ChatTokenizer, messages: Sequence[Message], options: TemplateOptions | None, **switches: bool
) -> object:
    options = dict(options or {})
    taken = sorted(_OURS.intersection(options))
    if taken:
        raise RenderError(
            f"chat_template_kwargs may not hold {', '.join(taken)}", hint="they are for the template's own variables"
        )
    conversation = [{"role": str(message.role), "content": message.content} for message in messages]
    try:
        return _call(tokenizer, conversation, {**switches, **options})
    except Exception as error:  # a template is a program of its own and may raise anything
        last = f", the last of them {messages[-1].role}" if messages else ""
        raise RenderError(
            f"the chat template refuses {len(messages)} turns{last}: {_first_line(error)}",
            hint="give it a normalised conversation, and a tokenizer that has a chat template",
        ) from error


def _call(tokenizer: ChatTokenizer, conversation: list[dict[str, str]], options: dict[str, object]) -> object:
    """What the tokenizer returns; one that refuses `add_generation_prompt` makes prompts anyway."""
    try:
        result: object = tokenizer.apply_chat_template(conversation, **options)
    except (TypeError, ValueError) as error:
        if "add_generation_prompt" not in options or "add_generation_prompt" not in str(error):
            raise
        rest = {name: value for name, value in options.items() if name != "add_generation_prompt"}
        result = tokenizer.apply_chat_template(conversation, **rest)
    return result


def _first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return lines[0][:300]


def plain_ids(result: object) -> list[int]:
    """One flat list of ids out of a list, a mapping with `input_ids`, an encoding, a tensor, or a batch of one of them.

    Raises:
        RenderError: there is none in it, or there are several conversations.
    """
    for _ in range(4):  # a mapping of a tensor of a batch of one is the deepest there is
        if isinstance(result, Mapping):
            result = result.get("input_ids")
        elif isinstance(result, str | bytes) or result is None:
            break
        elif hasattr(result, "input_ids"):
            result = result.input_ids
        elif hasattr(result, "ids"):  # tokenizers.Encoding
            result = result.ids
        elif hasattr(result, "tolist"):  # a tensor or an array
            result = result.tolist()
        elif isinstance(result, Sequence) and len(result) == 1 and not _is_id(result[0]):
            result = result[0]
        else:
            break
    if isinstance(result, Sequence) and not isinstance(result, str | bytes) and all(map(_is_id, result)):
        return [int(token) for token in result]
    raise RenderError(
        f"the tokenizer gave {type(result).__name__}, which is not one list of token ids",
        hint="render one conversation at a time, with a tokenizer whose apply_chat_template gives ids",
    )


def _is_id(value: object) -> bool:
    if isinstance(value, bool | str | bytes):
        return False
    return isinstance(value, int) or (hasattr(value, "__index__") and not hasattr(value, "__len__"))
