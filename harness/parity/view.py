"""What one served model shows of the prompts that it reads, by the strongest way that it has."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from harness.endpoint import OpenAIEndpoint
from harness.errors import EndpointError
from harness.values import Completion, Message, ParityLevel


@dataclass(frozen=True, slots=True, kw_only=True)
class Read:
    """A prompt as the server showed it; at COUNT only `count` is known, at NONE nothing is."""

    level: ParityLevel
    ids: tuple[int, ...] | None = None
    count: int | None = None


class ServerView:
    """One model of an endpoint, asked what it read; probed at its first use."""

    def __init__(self, endpoint: OpenAIEndpoint, model: str) -> None:
        self.endpoint = endpoint
        self.model = model

    @property
    def levels(self) -> tuple[ParityLevel, ...]:
        """The ways to compare, strongest first. Raises EndpointError or BadInputError as `probe` does."""
        return self.endpoint.probe(self.model).levels

    def read(self, messages: Sequence[Message], completion: Completion) -> Read:
        """What the server read before this completion; a way that fails this once gives way to the next."""
        for level in self.levels:
            match level:
                case ParityLevel.REPLY_IDS:
                    ids = completion.prompt_ids
                case ParityLevel.RENDER | ParityLevel.TOKENIZE:
                    ids = self._shown(level, messages)
                case ParityLevel.COUNT if completion.prompt_tokens is not None:
                    return Read(level=level, count=completion.prompt_tokens)
                case _:
                    ids = None
            if ids is not None:
                return Read(level=level, ids=ids, count=completion.prompt_tokens)
        return Read(level=ParityLevel.NONE)

    def _shown(self, level: ParityLevel, messages: Sequence[Message]) -> tuple[int, ...] | None:
        ask = self.endpoint.render if level is ParityLevel.RENDER else self.endpoint.tokenize
        try:
            return ask(messages, model=self.model)
        except EndpointError:
            return None
