"""Puts training examples of like length together, so that little of a batch is padding."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence

from render import TrainingExample

Batch = tuple[TrainingExample, ...]

_WINDOW = 64  # examples that are shuffled together before they are sorted by length


def batches(examples: Sequence[TrainingExample], *, tokens: int, steps: int, seed: int) -> Iterator[Batch]:
    """Exactly `steps` batches of about `tokens` tokens, padding counted; every example once an epoch, then again.

    Deterministic in its arguments. A batch holds at least one example, however long that is.
    """
    order = random.Random(seed)  # noqa: S311 - a shuffle, not a secret
    made = 0
    while made < steps:
        for batch in _epoch(examples, tokens, order):
            if made == steps:
                return
            yield batch
            made += 1


def passes(examples: Sequence[TrainingExample], *, tokens: int, epochs: int, seed: int) -> Iterator[Batch]:
    """The batches of `epochs` whole passes over the examples; as `batches`, the same for the same arguments."""
    order = random.Random(seed)  # noqa: S311 - a shuffle, not a secret
    for _ in range(epochs):
        yield from _epoch(examples, tokens, order)


def _epoch(examples: Sequence[TrainingExample], tokens: int, order: random.Random) -> list[Batch]:
    pool = list(examples)
    order.shuffle(pool)
    made: list[Batch] = []
    while pool:
        window, pool = pool[:_WINDOW], pool[_WINDOW:]
        current: list[TrainingExample] = []
        for example in sorted(window, key=lambda one: len(one.ids)):
            if current and (len(current) + 1) * len(example.ids) > tokens:
                made.append(tuple(current))
                current = []
            current.append(example)
        if pool and 2 * len(current) * len(current[-1].ids) < tokens and len(current) < len(window):
            pool = [*current, *pool]  # too little for a batch: with the next ones
        else:
            made.append(tuple(current))
    order.shuffle(made)
    return made
