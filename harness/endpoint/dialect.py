"""The chat-completions dialect as evalh's servers read it: every field is obeyed or refused, none is ignored."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from harness.values import Message, Role


class ApiError(Exception):
    """A refusal or failure in OpenAI's shape."""

    def __init__(
        self, status: int, message: str, *, param: str | None = None, code: str | None = None, kind: str | None = None
    ) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.param = param
        self.code = code
        self.kind = kind or ("server_error" if status >= 500 else "invalid_request_error")

    def body(self) -> dict[str, object]:
        """The JSON body."""
        return {"error": {"message": self.message, "type": self.kind, "param": self.param, "code": self.code}}


# Fields of the wider dialect that are not carried out: these values of them mean "as if absent".
NEUTRAL: Mapping[str, tuple[object, ...]] = MappingProxyType(
    {
        "best_of": (1,),
        "chat_template": (),
        "continue_final_message": (False,),
        "echo": (False,),
        "frequency_penalty": (0,),
        "function_call": ("none",),
        "functions": ([],),
        "include_stop_str_in_output": (False,),
        "length_penalty": (1,),
        "metadata": ({},),
        "min_p": (0,),
        "min_tokens": (0,),
        "modalities": (["text"],),
        "n": (1,),
        "parallel_tool_calls": (True, False),
        "presence_penalty": (0,),
        "repetition_penalty": (1,),
        "response_format": ({"type": "text"},),
        "service_tier": ("auto", "default"),
        "skip_special_tokens": (True,),
        "spaces_between_special_tokens": (True,),
        "store": (False,),
        "tool_choice": ("none",),
        "tools": ([],),
        "use_beam_search": (False,),
    }
)


def _text_of(value: object) -> object:
    """Content in parts is the same as its texts, joined as vLLM joins them."""
    if not isinstance(value, list):
        return value
    texts = [part.get("text") if isinstance(part, dict) and part.get("type") == "text" else None for part in value]
    if not texts or not all(isinstance(text, str) for text in texts):
        raise ValueError("only text content can be served")
    return "\n".join(str(text) for text in texts)


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


class ChatMessage(_Strict):
    """One message of a request."""

    role: Literal["system", "user", "assistant"]
    content: Annotated[str, BeforeValidator(_text_of)]

    def value(self) -> Message:
        """The message as it travels in evalh."""
        return Message(role=Role(self.role), content=self.content)


class StreamOptions(_Strict):
    """What a stream carries beside its text."""

    include_usage: bool = False


class ChatRequest(_Strict):
    """`POST /v1/chat/completions`."""

    model: str
    messages: tuple[ChatMessage, ...] = Field(min_length=1, strict=False)
    max_tokens: int | None = Field(default=None, ge=1)
    max_completion_tokens: int | None = Field(default=None, ge=1)
    temperature: float | None = Field(default=None, ge=0.0)
    top_p: float | None = Field(default=None, gt=0.0, le=1.0)
    top_k: int | None = Field(default=None, ge=-1)
    seed: int | None = Field(default=None, ge=-(2**63), lt=2**63)
    stop: str | list[str] | None = None
    stop_token_ids: list[int] | None = None
    ignore_eos: bool | None = None
    logit_bias: dict[str, Annotated[float, Field(ge=-100.0, le=100.0)]] | None = None
    logprobs: bool | None = None
    top_logprobs: int | None = Field(default=None, ge=0, le=20)
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    return_token_ids: bool | None = None
    add_generation_prompt: bool | None = None
    chat_template_kwargs: dict[str, Any] | None = None
    user: str | None = None  # says who asks; changes nothing by definition

    @property
    def limit(self) -> int | None:
        """The most tokens that the reply may have, under either name."""
        return self.max_tokens if self.max_completion_tokens is None else self.max_completion_tokens

    @property
    def stops(self) -> tuple[str, ...]:
        """The stop strings."""
        return (self.stop,) if isinstance(self.stop, str) else tuple(self.stop or ())

    @property
    def biases(self) -> tuple[tuple[int, float], ...]:
        """What is added to the logits of which ids."""
        return tuple((int(token), bias) for token, bias in (self.logit_bias or {}).items())

    def values(self) -> tuple[Message, ...]:
        """The messages as they travel in evalh."""
        return tuple(message.value() for message in self.messages)


class TokenizeRequest(_Strict):
    """`POST /tokenize`: a prompt, or messages that the chat template renders."""

    model: str | None = None
    prompt: str | None = None
    messages: tuple[ChatMessage, ...] | None = Field(default=None, min_length=1, strict=False)
    add_special_tokens: bool | None = None
    add_generation_prompt: bool | None = None
    return_token_strs: bool | None = None
    chat_template_kwargs: dict[str, Any] | None = None


class DetokenizeRequest(_Strict):
    """`POST /detokenize`."""

    model: str | None = None
    tokens: list[Annotated[int, Field(ge=0)]]


class LoadAdapterRequest(_Strict):
    """`POST /v1/load_lora_adapter`."""

    lora_name: str = Field(min_length=1)
    lora_path: str = Field(min_length=1)


class UnloadAdapterRequest(_Strict):
    """`POST /v1/unload_lora_adapter`."""

    lora_name: str = Field(min_length=1)


_NOT_VARIABLES = frozenset({"chat_template", "tools", "documents"})  # they would replace or bypass the template

R = TypeVar("R", bound=_Strict)


def parse(kind: type[R], raw: object) -> R:
    """A request out of its JSON.

    Raises:
        ApiError: 400, naming the field that is wrong or not supported.
    """
    if not isinstance(raw, dict):
        raise ApiError(400, "the request body must be a JSON object")
    known = {name: value for name, value in raw.items() if name in kind.model_fields}
    for name, value in raw.items():
        if name not in known and value is not None and not _is_neutral(name, value):
            raise ApiError(400, f"unsupported field: {name}", param=name, code="unsupported_parameter")
    try:
        request = kind.model_validate(known)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        param = ".".join(str(part) for part in first["loc"])
        raise ApiError(400, f"{param}: {first['msg']}", param=param, code="invalid_value") from error
    if isinstance(request, ChatRequest | TokenizeRequest):
        _check_template_variables(request)
    if isinstance(request, ChatRequest):
        _check_combinations(request)
    return request


def _is_neutral(name: str, value: object) -> bool:
    return any(
        value == neutral and isinstance(value, bool) == isinstance(neutral, bool) for neutral in NEUTRAL.get(name, ())
    )


def _check_combinations(request: ChatRequest) -> None:
    if any(not stop for stop in request.stops):
        raise ApiError(400, "stop: a stop string must not be empty", param="stop", code="invalid_value")
    if not all(token.isascii() and token.isdecimal() for token in request.logit_bias or ()):
        raise ApiError(400, "logit_bias: its keys must be token ids", param="logit_bias", code="invalid_value")
    if request.top_logprobs is not None and not request.logprobs:
        raise ApiError(400, "top_logprobs needs logprobs", param="top_logprobs", code="invalid_value")
    if request.stream_options is not None and not request.stream:
        raise ApiError(400, "stream_options needs stream", param="stream_options", code="invalid_value")
    limits = {request.max_tokens, request.max_completion_tokens} - {None}
    if len(limits) > 1:
        raise ApiError(400, "max_tokens and max_completion_tokens disagree", param="max_tokens", code="invalid_value")


def _check_template_variables(request: ChatRequest | TokenizeRequest) -> None:
    for name in sorted(_NOT_VARIABLES & set(request.chat_template_kwargs or {})):
        param = f"chat_template_kwargs.{name}"
        raise ApiError(400, f"{param} is no variable of a template", param=param, code="unsupported_parameter")
