"""A scripted endpoint's script: which model says what, and where it misbehaves on purpose."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from harness.errors import BadInputError
from harness.values import Message, Role

MAX_SCRIPT_BYTES = 32 << 20


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


class Reply(_Strict):
    """One reply, or a fault in its place.

    With `status`, the answer is that HTTP error; with `drop`, the connection is cut. With `times`,
    only the first so many requests of a conversation meet the fault, later ones get the text.
    """

    text: str | None = ""  # null: an answer whose content is null
    finish_reason: str = "stop"
    delay: float = Field(default=0.0, ge=0.0)  # seconds before anything is answered
    status: int | None = Field(default=None, ge=400, le=599)
    error: str = "scripted failure"  # the error's message
    code: str | None = None  # the error's code
    retry_after: float | None = Field(default=None, ge=0.0)  # seconds, sent as the Retry-After header
    drop: bool = False
    times: int | None = Field(default=None, ge=1)

    @property
    def fails(self) -> bool:
        """Whether this is a fault."""
        return self.drop or self.status is not None


def _reply(value: object) -> object:
    return {"text": value} if isinstance(value, str) else value


def _pattern(value: str) -> str:
    try:
        re.compile(value)
    except re.error as error:
        raise ValueError(f"not a regular expression: {error}") from error
    return value


Replies = Annotated[
    tuple[Annotated[Reply, BeforeValidator(_reply)], ...],
    Field(strict=False),  # JSON has lists, not tuples
]


class Rule(_Strict):
    """Replies for the conversations whose first user message matches."""

    when: Annotated[str, AfterValidator(_pattern)]
    replies: Replies = Field(min_length=1)


class ScriptedModel(_Strict):
    """One model: the first rule that matches speaks, else `replies`."""

    rules: tuple[Rule, ...] = Field(default=(), strict=False)
    replies: Replies = ()

    @model_validator(mode="after")
    def _says_something(self) -> ScriptedModel:
        if not self.rules and not self.replies:
            raise ValueError("a model needs rules or replies")
        return self

    def reply_to(self, messages: Sequence[Message]) -> Reply | None:
        """The reply to a conversation: as many turns in as it has assistant messages; the last one repeats."""
        opening = next((message.content for message in messages if message.role is Role.USER), "")
        replies = next((rule.replies for rule in self.rules if re.search(rule.when, opening)), self.replies)
        turn = sum(message.role is Role.ASSISTANT for message in messages)
        return replies[min(turn, len(replies) - 1)] if replies else None


class Script(_Strict):
    """Every scripted model by name."""

    models: Mapping[str, ScriptedModel] = Field(min_length=1)


def parse_script(raw: object, *, source: str = "the script") -> Script:
    """A script out of its JSON value.

    Raises:
        BadInputError: names the source and the key.
    """
    try:
        return Script.model_validate(raw)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        raise BadInputError(f"{source}: {where or 'the whole'}: {first['msg']}") from error


def load_script(path: Path) -> Script:
    """A script out of its file.

    Raises:
        BadInputError: it cannot be read, is no JSON or no script.
    """
    try:
        if path.stat().st_size > MAX_SCRIPT_BYTES:
            raise BadInputError(f"{path} is too large for a script")
        raw = json.loads(path.read_bytes())
    except OSError as error:
        raise BadInputError(f"the script {path} cannot be read: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        raise BadInputError(f"the script {path} is not JSON: {error}") from error
    return parse_script(raw, source=str(path))
