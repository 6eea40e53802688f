"""Keeps the keys and values of finished replies, so that a session's next prompt costs only its new tokens."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import count

import numpy as np
import numpy.typing as npt

from harness.endpoint.resident.slots import KeysAndValues

WORTHWHILE = 8  # tokens; shorter common beginnings are computed again


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """One token sequence under one adapter and, for every layer, its keys and values."""

    adapter: str
    ids: npt.NDArray[np.int64]
    layers: tuple[KeysAndValues, ...]

    @property
    def bytes(self) -> int:
        """What the keys and values take."""
        return sum(t.numel() * t.element_size() for pair in self.layers for t in pair)


class PrefixStore:
    """Kept sequences, the least recently used dropped first, never more than `limit` bytes."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._kept: OrderedDict[int, Kept] = OrderedDict()
        self._keys = count()
        self.bytes = 0

    @property
    def enabled(self) -> bool:
        """Whether anything is ever kept."""
        return self._limit > 0

    def put(self, kept: Kept) -> None:
        """Keep a sequence; sequences of the same adapter that it begins with are dropped, it serves for them."""
        size = kept.bytes
        if size > self._limit:
            return
        for key, old in list(self._kept.items()):
            if old.adapter == kept.adapter and _common(old.ids, kept.ids) == len(old.ids):
                self._drop(key)
        self._kept[next(self._keys)] = kept
        self.bytes += size
        while self.bytes > self._limit:
            self._drop(next(iter(self._kept)))

    def longest(self, adapter: str, ids: Sequence[int]) -> tuple[int, Kept | None]:
        """How many of the first tokens are kept, and where; at most all but the last, which must be computed."""
        wanted = np.asarray(ids, dtype=np.int64)
        best, best_key = 0, None
        for key, kept in self._kept.items():
            if kept.adapter == adapter and (length := _common(kept.ids, wanted)) > best:
                best, best_key = length, key
        best = min(best, len(ids) - 1)
        if best_key is None or best < WORTHWHILE:
            return 0, None
        self._kept.move_to_end(best_key)
        return best, self._kept[best_key]

    def forget(self, adapter: str) -> None:
        """Drop everything of an adapter."""
        for key, kept in list(self._kept.items()):
            if kept.adapter == adapter:
                self._drop(key)

    def clear(self) -> None:
        """Drop everything."""
        self._kept.clear()
        self.bytes = 0

    def _drop(self, key: int) -> None:
        self.bytes -= self._kept.pop(key).bytes


def _common(left: npt.NDArray[np.int64], right: npt.NDArray[np.int64]) -> int:
    shorter = min(len(left), len(right))
    differ = np.nonzero(left[:shorter] != right[:shorter])[0]
    return int(differ[0]) if len(differ) else shorter
