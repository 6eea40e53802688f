"""What an endpoint can do, as far as it was seen to do it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType

from harness.values import ParityLevel

SCRIPTED_OWNER = "evalh-scripted"


class RenderRoute(StrEnum):
    """A route that shows what a server makes of messages, without a reply."""

    CHAT_RENDER = "chat_render"  # POST /v1/chat/completions/render, as vLLM has it
    APPLY_TEMPLATE = "apply_template"  # POST /apply-template, then /tokenize, as llama.cpp has them


UNPROVEN: Mapping[ParityLevel, str] = MappingProxyType(
    {
        ParityLevel.RENDER: "no token ids come with replies: prompts are compared with what the server's render "
        "route shows, not with what the model read",
        ParityLevel.TOKENIZE: "no token ids come with replies: prompts are compared with what /tokenize shows, not "
        "with what the model read",
        ParityLevel.COUNT: "no token ids come with replies: only the number of prompt tokens is compared, so other "
        "tokens of the same number would pass",
        ParityLevel.NONE: "no token ids come with replies, nor a count: what the model read was not compared",
    }
)
"""What each level below the strongest leaves unproven."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Capabilities:
    """One model's endpoint, probed once; what could not be seen is None."""

    server: str | None  # who owns the model by the server's own word: "vllm", "evalh", "llamacpp"…
    scripted: bool  # replies come from a script: a fixture, no evidence
    served: tuple[str, ...] | None  # None where the server lists nothing
    max_model_len: int | None
    token_ids: bool  # prompt and completion ids come with each reply
    logprobs: bool
    seed: bool | None  # True: the seed decides; False: refused or without effect; None: not to be told apart
    tokenize: bool  # POST /tokenize renders messages
    render_route: RenderRoute | None = None  # where the server shows its render
    counts: bool = False  # usage.prompt_tokens comes with replies
    sends_seed: bool = True  # the field is not refused
    limit_field: str = "max_tokens"  # or "max_completion_tokens"

    @property
    def levels(self) -> tuple[ParityLevel, ...]:
        """How prompts can be compared here, strongest first; NONE is always the last."""
        found = (
            (self.token_ids, ParityLevel.REPLY_IDS),
            (self.render_route is not None, ParityLevel.RENDER),
            (self.tokenize, ParityLevel.TOKENIZE),
            (self.counts, ParityLevel.COUNT),
            (True, ParityLevel.NONE),
        )
        return tuple(level for holds, level in found if holds)

    @property
    def parity_level(self) -> ParityLevel:
        """The strongest of them."""
        return self.levels[0]

    @property
    def unchecked(self) -> tuple[str, ...]:
        """What this endpoint leaves unproven, a sentence each."""
        notes = (
            (self.served is None, "the server lists no models, so a name that it does not know may get another model"),
            (not self.token_ids, UNPROVEN.get(self.parity_level, "")),
            (not self.logprobs, "no log-probabilities come with replies"),
            (self.seed is False, "the seed has no effect: sampled replies cannot be repeated"),
            (self.seed is None, "whether the seed decides a sample could not be seen"),
            (self.max_model_len is None, "the server does not say how long a conversation may be"),
        )
        return tuple(sentence for holds, sentence in notes if holds)
