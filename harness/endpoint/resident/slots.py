"""The running batch's keys and values: rows by columns in buffers that are written in place, never concatenated.

All rows share one time axis: a row's tokens occupy the columns from its start up to the common end,
so that every architecture that takes left-padded batches runs on it unchanged.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import torch
from transformers.cache_utils import (
    Cache,
    CacheLayerMixin,
    DummyLayer,
    DynamicCache,
    DynamicLayer,
    DynamicSlidingWindowLayer,
)

from harness.errors import BadInputError

GROWTH = 256  # columns; buffers grow by at least so many at once

KeysAndValues = tuple[torch.Tensor, torch.Tensor]  # each heads x tokens x dim


@dataclass(slots=True)
class Window:
    """Which part of the buffers the next forward pass reads and writes."""

    first_row: int = 0
    end_row: int = 0
    first: int = 0  # first column that is visible
    at: int = 0  # column that the next token is written to


class SlotLayer(CacheLayerMixin):  # type: ignore[misc] # transformers is not type-checked here
    """One layer's buffers; made at the first write, whose shapes say what the layer stores."""

    is_sliding = False  # windows are a matter of the mask: every column is kept

    def __init__(self, window: Window) -> None:
        super().__init__()
        self._window = window

    def lazy_initialization(self, key_states: torch.Tensor, value_states: torch.Tensor) -> None:
        """Make empty buffers of the right shape; `reserve` gives them room."""
        self.keys = key_states.new_zeros((0, key_states.shape[1], 0, key_states.shape[3]))
        self.values = value_states.new_zeros((0, value_states.shape[1], 0, value_states.shape[3]))
        self.is_initialized = True

    def reserve(self, rows: int, columns: int) -> None:
        """Make room for so many rows and columns at least; what is there stays, the rest is zero."""
        if self.is_initialized and (rows > self.keys.shape[0] or columns > self.keys.shape[2]):
            self.resize(max(rows, self.keys.shape[0]), max(columns, self.keys.shape[2]))

    def resize(self, rows: int, columns: int) -> None:
        """Make the buffers exactly so large."""
        if self.is_initialized:
            self.keys = _resized(self.keys, rows, columns)
            self.values = _resized(self.values, rows, columns)

    def update(
        self, key_states: torch.Tensor, value_states: torch.Tensor, *_args: object, **_kwargs: object
    ) -> KeysAndValues:
        """Write the new columns, return everything visible."""
        if not self.is_initialized:
            self.lazy_initialization(key_states, value_states)
        window = self._window
        end = window.at + key_states.shape[2]
        self.reserve(window.end_row, end)
        rows = slice(window.first_row, window.end_row)
        self.keys[rows, :, window.at : end] = key_states
        self.values[rows, :, window.at : end] = value_states
        return self.keys[rows, :, window.first : end], self.values[rows, :, window.first : end]

    def get_seq_length(self) -> int:
        """Visible columns that are already written."""
        return self._window.at - self._window.first

    def get_mask_sizes(self, query_length: int | torch.Tensor) -> tuple[int, int]:
        """Length and offset of the mask; older transformers pass the positions instead of their number."""
        new = query_length if isinstance(query_length, int) else int(query_length.shape[0])
        return self.get_seq_length() + new, 0

    def get_max_length(self) -> int:
        """No limit of its own."""
        return -1

    def get_max_cache_shape(self) -> int:
        """No limit of its own (the name in older transformers)."""
        return -1

    def shift(self, rows: int, start: int, end: int, by: int) -> None:
        """Move the columns [start, end) of the first rows by `by` columns."""
        if not self.is_initialized:
            return
        self.reserve(rows, end + by)
        for buffer in (self.keys, self.values):
            buffer[:rows, :, start + by : end + by] = buffer[:rows, :, start:end].clone()

    def move(self, source: int, target: int, start: int, end: int) -> None:
        """Copy a row's columns [start, end) to another row."""
        if self.is_initialized:
            for buffer in (self.keys, self.values):
                buffer[target, :, start:end] = buffer[source, :, start:end]

    def load(self, row: int, start: int, tokens: int, source: KeysAndValues) -> None:
        """Write the first `tokens` columns of `source` to a row, beginning at `start`."""
        keys, values = source
        if not self.is_initialized:
            self.lazy_initialization(keys[None], values[None])
        self.reserve(row + 1, start + tokens)
        self.keys[row, :, start : start + tokens] = keys[:, :tokens]
        self.values[row, :, start : start + tokens] = values[:, :tokens]

    def copy_out(self, row: int, start: int, end: int) -> KeysAndValues:
        """A copy of a row's columns [start, end)."""
        return self.keys[row, :, start:end].clone(), self.values[row, :, start:end].clone()


class Slots:
    """The buffers of all layers as one cache that a model's forward pass takes."""

    def __init__(self, layers: Sequence[object], window: Window) -> None:
        self.window = window
        self.cache = Cache(layers=list(layers))

    @classmethod
    def for_config(cls, config: object) -> Slots:
        """Buffers for a model by its configuration.

        Raises:
            BadInputError: its layers keep something else than keys and values (a recurrent state).
        """
        window = Window()
        layers: list[object] = []
        for layer in DynamicCache(config=config).layers:
            if type(layer) in (DynamicLayer, DynamicSlidingWindowLayer):
                layers.append(SlotLayer(window))
            elif type(layer) is DummyLayer:
                layers.append(layer)
            else:
                raise BadInputError(
                    f"the resident server cannot run this architecture: it keeps a {type(layer).__name__}",
                    hint="serve it with another server and use --endpoint",
                )
        return cls(layers, window)

    @property
    def _stores(self) -> Iterable[SlotLayer]:
        return (layer for layer in self.cache.layers if isinstance(layer, SlotLayer))

    def reserve(self, rows: int, columns: int) -> None:
        """Make room for the rows and columns in use, with some to spare; give back room that is far too large."""
        wanted = (1 << (rows - 1).bit_length(), columns + GROWTH)
        for layer in self._stores:
            if not layer.is_initialized:
                continue
            held = (layer.keys.shape[0], layer.keys.shape[2])
            too_small = rows > held[0] or columns > held[1]
            if too_small or held[0] * held[1] > 4 * wanted[0] * wanted[1]:
                layer.resize(*wanted)

    def shift(self, rows: int, start: int, end: int, by: int) -> None:
        """Move columns in every layer."""
        for layer in self._stores:
            layer.shift(rows, start, end, by)

    def move(self, source: int, target: int, start: int, end: int) -> None:
        """Copy a row in every layer."""
        for layer in self._stores:
            layer.move(source, target, start, end)

    def load(self, row: int, start: int, tokens: int, kept: Sequence[KeysAndValues]) -> None:
        """Write kept keys and values into a row of every layer."""
        for layer, source in zip(self._stores, kept, strict=True):
            layer.load(row, start, tokens, source)

    def copy_out(self, row: int, start: int, end: int) -> tuple[KeysAndValues, ...]:
        """A copy of a row's keys and values in every layer."""
        return tuple(layer.copy_out(row, start, end) for layer in self._stores)

    def clear(self) -> None:
        """Give all room back."""
        for layer in self._stores:
            layer.resize(0, 0)

    def bytes_per_token(self) -> int:
        """What one token of one row takes; 0 before the first write."""
        return sum(
            _column_bytes(layer.keys) + _column_bytes(layer.values) for layer in self._stores if layer.is_initialized
        )


def _column_bytes(buffer: torch.Tensor) -> int:
    return buffer.shape[1] * buffer.shape[3] * buffer.element_size()


def _resized(buffer: torch.Tensor, rows: int, columns: int) -> torch.Tensor:
    resized = buffer.new_zeros((rows, buffer.shape[1], columns, buffer.shape[3]))
    kept_rows, kept_columns = min(rows, buffer.shape[0]), min(columns, buffer.shape[2])
    resized[:kept_rows, :, :kept_columns] = buffer[:kept_rows, :, :kept_columns]
    return resized
