"""Reads a chat completion out of a server's JSON, whatever dialect it speaks."""

from __future__ import annotations

from collections.abc import Mapping

from harness.endpoint.refusals import printable
from harness.errors import EndpointError
from harness.values import Completion

LOWEST_LOGPROB = -9999.0  # what servers write for minus infinity
LARGEST_COUNT = 2**53  # a greater number counts no tokens and names none
_LENGTH = frozenset({"length", "max_tokens", "max_output_tokens", "model_length", "model_context_window_exceeded"})
_BROKEN_OFF = frozenset(
    {"content_filter", "safety", "sensitive", "recitation", "error", "network_error", "insufficient_system_resource"}
    | {"abort", "aborted", "cancelled", "canceled", "timeout", "repetition"}
)


def read_completion(body: object, *, url: str, model: str, seconds: float) -> Completion:
    """The first choice of an answer.

    A null content is an empty reply. Every server's word for a reply that the token limit cut is "length".

    Raises:
        EndpointError: an error in a 200, no choices, a reply that the server broke off, or text that it took for
            tool calls, reasoning or a refusal.
    """
    if not isinstance(body, dict):
        raise EndpointError(f"{url} answered with JSON that is no object", hint="is this a chat-completions server?")
    choices = body.get("choices")
    first = choices[0] if isinstance(choices, list) and choices else None
    if error := body.get("error") or (isinstance(first, dict) and first.get("error")):
        raise EndpointError(f"{url} answered 200 with an error: {printable(str(error), 300)}")
    if not isinstance(first, dict):
        said = printable(str(body), 200)
        raise EndpointError(f"{url} answered without choices: {said}", hint="is this a chat-completions server?")
    message = first.get("message")
    if not isinstance(message, dict):
        raise EndpointError(f"{url} answered a choice without a message", hint="is this a chat-completions server?")
    finish = _finish(first.get("finish_reason"), url=url)
    usage = body.get("usage")
    usage = usage if isinstance(usage, dict) else {}
    return Completion(
        text=_text(message, cut=finish == "length", url=url),
        finish_reason=finish,
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
    ids = [_count(entry) for entry in value] if isinstance(value, list) else [None]
    return None if None in ids else tuple(token for token in ids if token is not None)


def _finish(value: object, *, url: str) -> str:
    """Why the reply ended, in one spelling for a cut."""
    word = _word(value, "unknown")
    if word.lower() in _BROKEN_OFF:
        raise EndpointError(f"{url} broke the reply off: finish_reason is {word!r}", hint="see the server's log")
    return "length" if word.lower() in _LENGTH else word


def _text(message: Mapping[str, object], *, cut: bool, url: str) -> str:
    """What the model said, all of it; a reply that was cut within its reasoning said nothing yet."""
    content = message.get("content")
    if isinstance(content, list):
        parts = [part.get("text") if isinstance(part, dict) else part for part in content]
        content = "".join(part for part in parts if isinstance(part, str))
        if not (cut or all(isinstance(part, str) for part in parts)):
            raise EndpointError(f"{url} answered with parts that are no text, so what the model said is lost")
    content = "" if content is None else content
    if not isinstance(content, str):
        raise EndpointError(f"{url} answered with a content that is no text: {type(content).__name__}")
    if message.get("tool_calls") or message.get("function_call"):
        raise _taken("tool calls", parser="tool-call", url=url)
    if not cut and (message.get("reasoning_content") or message.get("reasoning")):
        raise _taken("reasoning", parser="reasoning", url=url)
    if message.get("refusal"):
        raise _taken("a refusal", parser="refusal", url=url)
    return content.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")  # half a pair is no text


def _taken(what: str, *, parser: str, url: str) -> EndpointError:
    return EndpointError(
        f"{url} took the model's text for {what}, so what it said is lost",
        hint=f"start the server without a {parser} parser",
    )


def _word(value: object, default: str) -> str:
    return printable(value, 200) if isinstance(value, str) and value else default


def _count(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= LARGEST_COUNT else None


def _logprobs(value: object) -> tuple[float, ...] | None:
    content = value.get("content") if isinstance(value, dict) else None
    if not isinstance(content, list):
        return None
    found = [entry.get("logprob") if isinstance(entry, dict) else None for entry in content]
    if not all(isinstance(number, int | float) and number < 1 for number in found):  # neither NaN nor beyond a float
        return None
    return tuple(float(max(number, LOWEST_LOGPROB)) for number in found if number is not None)
