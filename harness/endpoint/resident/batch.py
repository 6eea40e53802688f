"""The running batch: rows join with one prefill, decode together a token at a time, and leave when they are done."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
import torch

from harness.endpoint.resident.prefixes import WORTHWHILE, Kept, PrefixStore
from harness.endpoint.resident.sampling import Chosen, Sampling, choose
from harness.endpoint.resident.slots import GROWTH, Slots

CHUNK = 1024  # prompt tokens computed in one forward pass
SMALL = 32  # new tokens; prompts that need no more are computed together whatever their lengths


class Forward(Protocol):
    """One pass of the model over some rows, each under its own adapter."""

    def __call__(
        self,
        tokens: torch.Tensor,
        *,
        mask: torch.Tensor,
        positions: torch.Tensor,
        slots: Slots,
        adapters: Sequence[str],
    ) -> torch.Tensor:
        """Logits (rows, vocabulary) after the last of `tokens` (rows, new tokens)."""
        ...


@dataclass(slots=True, eq=False)
class Row:
    """One request in the batch: its tokens so far and where they lie."""

    adapter: str
    prompt: tuple[int, ...]
    sampling: Sampling
    generator: torch.Generator
    ids: list[int] = field(default_factory=list)  # prompt and reply
    start: int = 0  # its first column
    reused: int = 0  # prompt tokens that a kept sequence gave
    kept: Kept | None = None
    chosen: Chosen | None = None  # the newest token
    error: Exception | None = None


class Batch:
    """Rows that decode together.

    Every row's tokens end at the same column; the newest token of each is not computed yet. So a row
    of n ids occupies the n - 1 columns before `end`.
    """

    def __init__(self, forward: Forward, slots: Slots, store: PrefixStore, device: torch.device) -> None:
        self._forward = forward
        self._slots = slots
        self._store = store
        self._device = device
        self._end = 0
        self.rows: list[Row] = []
        self.torn = False  # a piece of work on the running rows failed half way: they cannot go on

    def bytes_with(self, rows: int, columns: int) -> int:
        """What the buffers would take with so many rows and columns."""
        return self._slots.bytes_per_token() * rows * columns

    def plan(self, rows: Sequence[Row]) -> Iterator[tuple[Row, ...]]:
        """Split joining rows into groups that one prefill serves without much waste.

        A group computes as many tokens for each row as its neediest row needs, so no row in it may be
        shorter than that: no padding is ever computed, and no row sees any.
        """
        for row in rows:
            row.ids = list(row.prompt)
            row.reused, row.kept = self._store.longest(row.adapter, row.ids)
        left = sorted(rows, key=_new_tokens, reverse=True)
        while left:
            width = _new_tokens(left[0])
            fits = [row for row in left if len(row.ids) >= width and (width <= SMALL or 2 * _new_tokens(row) > width)]
            yield tuple(fits)
            left = [row for row in left if not any(row is other for other in fits)]

    def admit(self, group: Sequence[Row]) -> None:
        """Compute a group's prompts, choose each row's first token, and let the rows in."""
        width = max(_new_tokens(row) for row in group)
        self.torn = True
        self._make_room(max(len(row.ids) for row in group), len(self.rows) + len(group))
        self.torn = False
        base = len(self.rows)
        for index, row in enumerate(group, start=base):
            row.start = self._end - len(row.ids)
            row.reused = len(row.ids) - width
            if row.reused and row.kept is not None:
                self._slots.load(index, row.start, row.reused, row.kept.layers)
            row.kept = None
        for begin in range(self._end - width, self._end, CHUNK):
            logits = self._run(group, base, begin, min(begin + CHUNK, self._end))
        self._choose(group, logits)
        self.rows.extend(group)

    def step(self) -> None:
        """Compute every row's newest token and choose the next one."""
        self.torn = True
        self._slots.reserve(len(self.rows), self._end + 1)
        logits = self._run(self.rows, 0, self._end, self._end + 1)
        self._end += 1
        self._choose(self.rows, logits)
        self.torn = False

    def remove(self, row: Row, *, keep: bool) -> None:
        """Let a row go; keep its keys and values for the session's next prompt if wanted."""
        index = next(i for i, other in enumerate(self.rows) if other is row)
        if keep and self._store.enabled and self._end - row.start >= WORTHWHILE:
            self._keep(row, index)
        last = self.rows.pop()
        if last is not row:
            self._slots.move(len(self.rows), index, last.start, self._end)
            self.rows[index] = last

    def _keep(self, row: Row, index: int) -> None:
        try:
            layers = self._slots.copy_out(index, row.start, self._end)
        except (torch.OutOfMemoryError, MemoryError):
            self._store.clear()
            return
        ids = np.asarray(row.ids[: self._end - row.start], dtype=np.int64)
        self._store.put(Kept(adapter=row.adapter, ids=ids, layers=layers))

    def clear(self) -> None:
        """Drop every row and all room, after a failure."""
        self.rows.clear()
        self._slots.clear()
        self._end = 0

    def _make_room(self, tokens: int, rows: int) -> None:
        """Move the running rows so that a row of `tokens` fits before the common end."""
        if not self.rows:
            self._end = tokens
        first = min((row.start for row in self.rows), default=0)
        if tokens > self._end:
            self._shift(first, tokens - self._end)
        elif first >= GROWTH:  # columns that nobody uses any more
            self._shift(first, max(tokens, self._end - first) - self._end)
        self._slots.reserve(rows, self._end)

    def _shift(self, first: int, by: int) -> None:
        self._slots.reserve(len(self.rows), self._end + max(by, 0))
        self._slots.shift(len(self.rows), first, self._end, by)
        self._end += by
        for row in self.rows:
            row.start += by

    def _run(self, rows: Sequence[Row], base: int, begin: int, end: int) -> torch.Tensor:
        """One pass over the columns [begin, end) of `rows`, which lie from row `base` on."""
        window = self._slots.window
        window.first_row, window.end_row = base, base + len(rows)
        window.first, window.at = min(row.start for row in rows), begin
        tokens = torch.tensor([row.ids[begin - row.start : end - row.start] for row in rows], device=self._device)
        starts = torch.tensor([row.start for row in rows], device=self._device)[:, None]
        columns = torch.arange(window.first, end, device=self._device)[None, :]
        return self._forward(
            tokens,
            mask=(columns >= starts).long(),
            positions=columns[:, begin - window.first :] - starts,
            slots=self._slots,
            adapters=[row.adapter for row in rows],
        )

    def _choose(self, rows: Sequence[Row], logits: torch.Tensor) -> None:
        for row, row_logits in zip(rows, logits, strict=True):
            try:
                row.chosen = choose(row_logits, row.sampling, row.generator)
            except Exception as error:  # noqa: BLE001 - one row's trouble is not its neighbours'
                row.error = error
            else:
                row.ids.append(row.chosen.token)


def _new_tokens(row: Row) -> int:
    return len(row.ids) - row.reused
