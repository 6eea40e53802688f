"""A model under watch: every prompt that it reads is compared with the contract's render."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Literal, Protocol

from harness.errors import ParityError
from harness.parity.compare import compare, stop_difference
from harness.parity.contract import LocalContract
from harness.parity.view import ServerView
from harness.values import Completion, Message, ParityLevel, PromptParity

Mode = Literal["block", "warn", "off"]


class Replier(Protocol):
    """Whatever answers conversations."""

    def reply(self, messages: Sequence[Message], *, seed: int, max_tokens: int) -> Completion:
        """The next reply to a normalised conversation."""
        ...


class _Watched:
    """Compares each prompt, and sets `parity` on each completion."""

    def __init__(self, model: Replier, contract: LocalContract | None, view: ServerView, *, blocks: bool) -> None:
        self._model = model
        self._contract = contract
        self._view = view
        self._blocks = blocks

    def reply(self, messages: Sequence[Message], *, seed: int, max_tokens: int) -> Completion:
        """The model's reply; ParityError where its prompt was another and that is to stop the run."""
        completion = self._model.reply(messages, seed=seed, max_tokens=max_tokens)
        parity = self._parity(messages, completion)
        if parity.agrees is False and self._blocks:
            raise ParityError(
                f"{self._view.model} at {self._view.endpoint.url}: {parity.difference}",
                hint="see `evalh parity`, or go on with --parity warn",
            )
        return replace(completion, parity=parity)

    def _parity(self, messages: Sequence[Message], completion: Completion) -> PromptParity:
        contract = self._contract
        if contract is None:
            return PromptParity(level=ParityLevel.NONE, agrees=None)
        parity = compare(contract, messages, self._view.read(messages, completion)).parity
        if parity.agrees is not False and (wrong := stop_difference(contract, completion)):
            parity = PromptParity(level=parity.level, agrees=False, difference=wrong)
        if parity.agrees is False:
            parity = replace(parity, difference=f"{parity.difference} ({contract.title})")
        return parity


def watched(model: Replier, contract: LocalContract | None, view: ServerView, *, mode: Mode) -> Replier:
    """The model, with every prompt compared at the best level that `view` offers and the finding on the completion.

    In mode "block" a difference of the prompt or of the stop token raises ParityError, in "warn" it is recorded;
    "off" gives the model back as it is. Without a contract every prompt is recorded as not compared.
    """
    return model if mode == "off" else _Watched(model, contract, view, blocks=mode == "block")
