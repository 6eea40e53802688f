"""Reads a chat completion out of a server's JSON, whatever dialect it speaks."""

from __future__ import annotations

import math
from collections.abc import Mapping

from harness.endpoint.refusals import printable
from harness.errors import EndpointError
from harness.values import Completion

LOWEST_LOGPROB = -9999.0  # what servers write for minus infinity


def read_completion(body: object, *, url: str, model: str, seconds: float) -> Completion:
    """The first choice of an answer.

    A null content is an empty reply.

    Raises:
        EndpointError: an error in a 200, no choices, or text that the server took for tool calls.
    """
    if not isinstance(body, dict):
        raise EndpointError(f"{url} answered with JSON that is no object", hint="is this a chat-completions server?")
    if body.get("error"):
        raise EndpointError(f"{url} answered 200 with an error: {printable(str(body['error']), 300)}")
    choices = body.get("choices")
    first = choices[0] if isinstance(choices, list) and choices else None
    if not isinstance(first, dict):
        raise EndpointError(f"{url} answered without choices", hint="is this a chat-completions server?")
    message = first.get("message")
    if not isinstance(message, dict):
        raise EndpointError(f"{url} answered a choice without a message", hint="is this a chat-completions server?")
    usage = body.get("usage")
    usage = usage if isinstance(usage, dict) else {}
    return Completion(
        text=_text(message, url=url),
        finish_reason=_word(first.get("finish_reason"), "unknown"),
        model=_word(body.get("model"), model),
        prompt_tokens=_count(usage.get("prompt_tokens")),
        completion_tokens=_count(usage.get("completion_tokens")),
        prompt_ids=read_ids(body.get("prompt_token_ids", first.get("prompt_token_ids"))),
        completion_ids=read_ids(first.get("token_ids")),
        logprobs=_logprobs(first.get("logprobs")),
        seconds=seconds,
    )


def read_ids(value: object) -> tuple[int, ...] | None:
    """Token ids, or None if this is no list of them."""
    if not isinstance(value, list) or not all(isinstance(i, int) and not isinstance(i, bool) for i in value):
        return None
    return tuple(value)


def _text(message: Mapping[str, object], *, url: str) -> str:
    content = message.get("content")
    if isinstance(content, list):
        parts = [part.get("text") for part in content if isinstance(part, dict)]
        content = "".join(part for part in parts if isinstance(part, str))
    if content is None or content == "":
        if message.get("tool_calls") or message.get("function_call"):
            raise EndpointError(
                f"{url} took the model's text for tool calls, so what it said is lost",
                hint="start the server without a tool-call parser",
            )
        return ""
    if not isinstance(content, str):
        raise EndpointError(f"{url} answered with a content that is no text: {type(content).__name__}")
    return content.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")  # half a pair is no text


def _word(value: object, default: str) -> str:
    return value if isinstance(value, str) and value else default


def _count(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None


def _logprobs(value: object) -> tuple[float, ...] | None:
    content = value.get("content") if isinstance(value, dict) else None
    if not isinstance(content, list):
        return None
    found = [entry.get("logprob") if isinstance(entry, dict) else None for entry in content]
    if not all(isinstance(number, int | float) and not math.isnan(number) for number in found):
        return None
    return tuple(max(float(number), LOWEST_LOGPROB) for number in found if number is not None)
