"""Turns what went wrong with a request into evalh's errors: which server, what it said, what to do next."""

from __future__ import annotations

import email.utils
import json
import math
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass

from harness.errors import ContextOverflowError, EndpointError

RETRIED = frozenset({408, 425, 429, 500, 502, 503, 504, 529})
_LONGEST_WORDS = 300
_OVERFLOW_CODES = frozenset({"context_length_exceeded", "exceed_context_size_error"})
_OVERFLOW_WORDS = re.compile(
    r"maximum context length|maximum model length|model'?s? context (length|window)|available context size"
    r"|exceeds? the (model'?s? )?(context|maximum number of tokens)|max_model_len|longer than the (maximum )?context"
    r"|(prompt|input|request) is too long|(input|prompt) (tokens? )?(length )?(exceeds|is longer than)"
    r"|inputs?`? (tokens )?(\+ `?max_new_tokens`? )?must (be <=|have less than)"
    r"|context (length|size|window) (was |is )?exceeded|exceed_context_size",
    re.IGNORECASE,
)
_TITLE = re.compile(r"\A\s*<[^\0]{0,2000}?<title>([^<]+)", re.IGNORECASE)  # of a page, as a gateway answers
_HINTS: Mapping[int, str] = {
    401: "give the right API key",
    403: "give an API key that may use this model",
    404: "check the URL: it usually ends in /v1",
    405: "check the URL: it usually ends in /v1",
    413: "the server takes no request of this size",
    429: "lower --concurrency, or wait",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """An HTTP answer that is not 200."""

    url: str
    status: int
    body: str
    retry_after: float | None = None  # seconds, as the server asked

    @property
    def retried(self) -> bool:
        """Whether the same request may succeed later."""
        return self.status in RETRIED and not self.overflow

    @property
    def overflow(self) -> bool:
        """Whether the conversation is too long for the model."""
        if self.status not in (400, 413, 422, 500):
            return False
        error = self._error()
        codes = {str(error.get("code")), str(error.get("type"))}
        return bool(codes & _OVERFLOW_CODES) or bool(_OVERFLOW_WORDS.search(self.words()))

    def words(self) -> str:
        """The server's own words: the error's message, a page's title, or the body's first line; safe to print."""
        message, title = self._error().get("message"), _TITLE.search(self.body)
        lines = (message if isinstance(message, str) else title[1] if title else self.body).strip().splitlines()
        return printable(lines[0] if lines else "", _LONGEST_WORDS)

    def error(self) -> EndpointError:
        """The refusal as evalh's error."""
        said = self.words()
        message = f"{self.url} answered {self.status}" + (f": {said}" if said else " without a word")
        if self.overflow:
            return ContextOverflowError(message, hint="the session no longer fits the model's context")
        hint = _HINTS.get(self.status, "see the server's log" if self.status >= 500 else "")
        return EndpointError(message, hint=hint)

    def _error(self) -> Mapping[str, object]:
        try:
            body = json.loads(self.body)
        except (ValueError, RecursionError):
            return {}
        if not isinstance(body, dict):
            return {}
        inner = body.get("error", body.get("detail", body))
        if isinstance(inner, str):
            return {**body, "message": inner}
        return inner if isinstance(inner, dict) else {}


class RefusedError(Exception):
    """A request got another answer than 200; stays inside the room."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal.words())
        self.refusal = refusal


def retry_after(headers: Mapping[str, str]) -> float | None:
    """The seconds that a Retry-After header asks for, in either of its forms (RFC 9110, 10.2.3)."""
    value = headers.get("retry-after")
    if value is None:
        return None
    try:
        seconds = float(value)
    except ValueError:
        try:
            seconds = email.utils.parsedate_to_datetime(value).timestamp() - time.time()
        except (TypeError, ValueError):
            return None
    return max(seconds, 0.0) if math.isfinite(seconds) else None


def printable(text: str, longest: int) -> str:
    """Text of a stranger for one line of ours: no control characters, not too long."""
    clean = "".join(char if char.isprintable() else " " for char in text[: longest + 1])
    return clean if len(text) <= longest else f"{clean[:longest]}…"
