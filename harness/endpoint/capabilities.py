"""What an endpoint can do, as far as it was seen to do it."""

from __future__ import annotations

from dataclasses import dataclass

SCRIPTED_OWNER = "evalh-scripted"


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
    sends_seed: bool = True  # the field is not refused
    limit_field: str = "max_tokens"  # or "max_completion_tokens"

    @property
    def unchecked(self) -> tuple[str, ...]:
        """What this endpoint leaves unproven, a sentence each."""
        notes = (
            (self.served is None, "the server lists no models, so a name that it does not know may get another model"),
            (not self.token_ids, "no token ids come with replies: what the model read was not compared"),
            (not self.logprobs, "no log-probabilities come with replies"),
            (self.seed is False, "the seed has no effect: sampled replies cannot be repeated"),
            (self.seed is None, "whether the seed decides a sample could not be seen"),
            (self.max_model_len is None, "the server does not say how long a conversation may be"),
        )
        return tuple(sentence for holds, sentence in notes if holds)
