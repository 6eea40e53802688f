"""The JSON of the dialect's answers, whole or streamed, as both of evalh's servers give them."""

from __future__ import annotations

import time
import uuid
from collections.abc import Sequence
from dataclasses import dataclass

Json = dict[str, object]


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenReport:
    """One token of a reply, as `logprobs.content` lists it."""

    spelling: str
    logprob: float
    top: tuple[tuple[str, float], ...] = ()

    def json(self) -> Json:
        """The token's entry."""
        top = [_entry(spelling, logprob) for spelling, logprob in self.top]
        return {**_entry(self.spelling, self.logprob), "top_logprobs": top}


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """How many tokens a request took."""

    prompt: int
    completion: int
    cached: int = 0

    def json(self) -> Json:
        """The `usage` table."""
        return {
            "prompt_tokens": self.prompt,
            "completion_tokens": self.completion,
            "total_tokens": self.prompt + self.completion,
            "prompt_tokens_details": {"cached_tokens": self.cached},
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """A whole reply; ids and logprobs are None where they were not asked for or cannot be known."""

    text: str
    finish_reason: str
    stop_reason: str | int | None = None
    usage: Usage | None = None
    prompt_ids: Sequence[int] | None = None
    ids: Sequence[int] | None = None
    tokens: Sequence[TokenReport] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """What all chunks of one answer share."""

    id: str
    created: int  # seconds since the epoch
    model: str

    @classmethod
    def make(cls, model: str) -> Head:
        """A new one, now."""
        return cls(id=f"chatcmpl-{uuid.uuid4().hex}", created=int(time.time()), model=model)

    def json(self, kind: str) -> Json:
        """The common fields."""
        return {"id": self.id, "object": kind, "created": self.created, "model": self.model}

    def chunk(self, delta: Json, *, finish: str | None = None, **extra: object) -> Json:
        """One chunk with one choice; `extra` goes into the choice."""
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish, **extra}
        return {**self.json("chat.completion.chunk"), "choices": [choice]}


def whole(head: Head, answer: Answer) -> Json:
    """The body of an answer that is not streamed."""
    choice: Json = {
        "index": 0,
        "message": {"role": "assistant", "content": answer.text},
        "logprobs": None if answer.tokens is None else {"content": [token.json() for token in answer.tokens]},
        "finish_reason": answer.finish_reason,
        "stop_reason": answer.stop_reason,
    }
    body: Json = {**head.json("chat.completion"), "choices": [choice]}
    if answer.usage is not None:
        body["usage"] = answer.usage.json()
    if answer.ids is not None:
        choice["token_ids"] = list(answer.ids)
    if answer.prompt_ids is not None:
        body["prompt_token_ids"] = list(answer.prompt_ids)
    return body


def model_card(
    name: str, *, owner: str, created: int, root: str, parent: str | None = None, max_model_len: int | None = None
) -> Json:
    """One entry of `GET /v1/models`."""
    return {
        "id": name,
        "object": "model",
        "created": created,
        "owned_by": owner,
        "root": root,
        "parent": parent,
        "max_model_len": max_model_len,
    }


def _entry(spelling: str, logprob: float) -> Json:
    return {"token": spelling, "logprob": max(logprob, -9999.0), "bytes": list(spelling.encode("utf-8", "replace"))}
