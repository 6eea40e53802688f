"""One request on its way through the worker: what it asks, what it is told, and when it is done."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from threading import Event

import torch

from harness.endpoint.resident.batch import Row
from harness.endpoint.resident.sampling import Chosen, Sampling
from harness.endpoint.resident.text import TextStream


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """What a request wants of the model."""

    adapter: str
    prompt: tuple[int, ...]
    max_tokens: int
    sampling: Sampling
    stops: tuple[str, ...] = ()
    stop_ids: frozenset[int] = frozenset()  # end tokens of the model included, unless ignored


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """What one more token gave; `reason` is set on the last piece."""

    chosen: Chosen
    text: str  # what can be shown of it now
    reason: str | None = None  # "stop" or "length"
    stopped_by: str | int | None = None  # the stop string or the extra stop token that ended it
    reused: int = 0  # prompt tokens that were not computed again


@dataclass(frozen=True, slots=True, kw_only=True)
class Broken:
    """The request could not be finished, through no fault of its own."""

    message: str


Told = Piece | Broken


@dataclass(slots=True, eq=False)
class Job:
    """A request in the worker's hands."""

    ask: Ask
    tell: Callable[[Told], None]  # called on the worker's thread; must not block
    stream: TextStream
    end_ids: frozenset[int]  # of the model: they end a reply without being named as its stop token
    given_up: Event = field(default_factory=Event)  # nobody waits for the answer any more
    row: Row | None = None

    def make_row(self, seed: int) -> Row:
        """The row that this request is in the batch."""
        generator = torch.Generator()
        generator.manual_seed(seed)
        self.row = Row(
            adapter=self.ask.adapter, prompt=self.ask.prompt, sampling=self.ask.sampling, generator=generator
        )
        return self.row

    def advance(self) -> bool:
        """Tell the newest token of the row; True when it was the last."""
        row = self.row
        if row is None or row.chosen is None:
            return False
        token = row.chosen.token
        ended = token in self.ask.stop_ids
        text = "" if ended else self.stream.push(token)
        full = len(row.ids) - len(row.prompt) >= self.ask.max_tokens
        stopped_by: str | int | None = self.stream.stopped_by
        reason = "stop" if ended or stopped_by is not None else "length" if full else None
        if reason is not None:
            text += self.stream.finish()
        if self.stream.stopped_by is not None and reason == "length":
            reason, stopped_by = "stop", self.stream.stopped_by
        if ended and token not in self.end_ids:
            stopped_by = token
        self.tell(Piece(chosen=row.chosen, text=text, reason=reason, stopped_by=stopped_by, reused=row.reused))
        return reason is not None
