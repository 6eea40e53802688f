"""Asks both arms the canaries: each alone, in company of itself, beside the other, and one after the other."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from threading import Barrier

from harness.endpoint import OpenAIEndpoint
from harness.errors import InfrastructureError
from harness.preflight.contrast import Spread, spread
from harness.preflight.prompts import CANARIES, TOKENS
from harness.values import Completion, Message

Replies = tuple[Completion, ...]  # one for each canary, in their order
ROUNDS = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Beside:
    """What both arms said, each in a number of passes over the canaries."""

    base: tuple[Replies, ...]
    tuned: tuple[Replies, ...]


class Witness:
    """Hears two models of one endpoint; each part is asked once, when it is first wanted, and then remembered.

    Whatever is asked of the base alone is asked before the first request for the tuned arm. So what a server keeps of
    the canaries' beginnings for later requests was computed by the base alone, and an undisturbed pass afterwards is
    not disturbed by what was kept. Every part raises EndpointError where a reply cannot be had, BadInputError where a
    model is not served.
    """

    def __init__(
        self,
        endpoint: OpenAIEndpoint,
        *,
        base: str,
        tuned: str,
        conversations: Sequence[tuple[Message, ...]] = CANARIES,
        rounds: int = ROUNDS,
    ) -> None:
        self._endpoint = endpoint
        self._base = base
        self._tuned = tuned
        self._conversations = tuple(conversations)
        self.rounds = rounds

    @cached_property
    def base(self) -> Replies:
        """The base, one request at a time."""
        return self._alone(self._base)

    @cached_property
    def base_again(self) -> Spread:
        """The base, one request at a time, compared with the same before."""
        return spread(self.base, [self._alone(self._base)])

    @cached_property
    def base_noise(self) -> Spread:
        """The base in company of itself, compared with the base alone."""
        return spread(self.base, self._company(self._base))

    @cached_property
    def tuned(self) -> Replies:
        """The tuned arm, one request at a time."""
        _ = self.base_again, self.base_noise  # first: some servers are never the same after an adapter's first request
        return self._alone(self._tuned)

    @cached_property
    def tuned_noise(self) -> Spread:
        """The tuned arm in company of itself, compared with the tuned arm alone."""
        return spread(self.tuned, self._company(self._tuned))

    def beside(self) -> Beside:
        """Both arms at once, `rounds` times over: every canary of both, interleaved, sent at the same moment."""
        _ = self.tuned_noise
        base: list[Replies] = []
        tuned: list[Replies] = []
        for turn in range(self.rounds):
            order = [(index + turn) % len(self._conversations) for index in range(len(self._conversations))]
            arms = (self._base, self._tuned) if turn % 2 == 0 else (self._tuned, self._base)
            requests = [(arm, index) for index in order for arm in arms]
            told = dict(zip(requests, self._at_once(requests), strict=True))
            base.append(tuple(told[self._base, index] for index in range(len(order))))
            tuned.append(tuple(told[self._tuned, index] for index in range(len(order))))
        return Beside(base=tuple(base), tuned=tuple(tuned))

    def in_turn(self) -> Beside:
        """One arm at a time: the tuned arm, then the base, then the tuned arm again, each alone and in company."""
        self._company(self._tuned)
        base = (self._alone(self._base), *self._company(self._base))
        return Beside(base=base, tuned=(self._alone(self._tuned), *self._company(self._tuned)))

    def _alone(self, model: str) -> Replies:
        return tuple(self._ask(model, index) for index in range(len(self._conversations)))

    def _company(self, model: str) -> tuple[Replies, Replies]:
        """Two passes at once: as many requests as when both arms are asked together."""
        count = len(self._conversations)
        told = self._at_once([(model, index) for index in (*range(count), *range(count))])
        return told[:count], told[count:]

    def _at_once(self, requests: Sequence[tuple[str, int]]) -> Replies:
        with ThreadPoolExecutor(max_workers=len(requests)) as pool:
            start = Barrier(len(requests))
            try:
                return tuple(pool.map(lambda one: self._ask(one[0], one[1], start), requests))
            except RuntimeError as error:  # a thread cannot be started
                raise InfrastructureError(f"{len(requests)} requests cannot be made at once: {error}") from error
            finally:
                start.abort()  # where one is missing, the others would wait for it for ever

    def _ask(self, model: str, index: int, start: Barrier | None = None) -> Completion:
        if start is not None:
            start.wait()
        return self._endpoint.complete(
            self._conversations[index], model=model, seed=0, temperature=0.0, max_tokens=TOKENS
        )
