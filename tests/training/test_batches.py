"""Batches hold every example once an epoch, little padding, and are the same for the same seed."""

from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from harness.training.batches import batches, passes
from render import TrainingExample


def example(length: int, mark: int) -> TrainingExample:
    return TrainingExample(ids=(mark, *[0] * (length - 1)), labels=(mark, *[-100] * (length - 1)))


LENGTHS = st.lists(st.integers(1, 300), min_size=1, max_size=200)


@given(LENGTHS, st.integers(1, 1000), st.integers(1, 60), st.integers(0, 3))
def test_there_are_as_many_batches_as_steps_and_none_is_larger_than_asked(
    lengths: list[int], tokens: int, steps: int, seed: int
) -> None:
    examples = [example(length, mark) for mark, length in enumerate(lengths)]
    made = list(batches(examples, tokens=tokens, steps=steps, seed=seed))
    assert len(made) == steps
    assert made == list(batches(examples, tokens=tokens, steps=steps, seed=seed))
    for batch in made:
        assert batch
        assert len(batch) == 1 or len(batch) * max(len(one.ids) for one in batch) <= tokens


def test_every_example_comes_once_before_any_comes_again() -> None:
    examples = [example(20 + mark % 80, mark) for mark in range(300)]
    seen: list[int] = []
    for batch in batches(examples, tokens=1000, steps=200, seed=0):
        seen += [one.ids[0] for one in batch]
    for epoch in range(len(seen) // 300):
        assert Counter(seen[epoch * 300 : (epoch + 1) * 300]) == Counter(range(300))


def test_passes_hold_every_example_as_often_as_there_are_epochs() -> None:
    examples = [example(20 + mark % 80, mark) for mark in range(300)]
    made = list(passes(examples, tokens=1000, epochs=2, seed=0))
    assert Counter(one.ids[0] for batch in made for one in batch) == Counter(dict.fromkeys(range(300), 2))
    assert made == list(batches(examples, tokens=1000, steps=len(made), seed=0))
    assert made != list(passes(examples, tokens=1000, epochs=2, seed=1))


def test_little_of_a_batch_is_padding() -> None:
    examples = [example(20 + (mark * 37) % 180, mark) for mark in range(300)]
    real = padded = 0
    for batch in batches(examples, tokens=1000, steps=40, seed=0):
        real += sum(len(one.ids) for one in batch)
        padded += len(batch) * max(len(one.ids) for one in batch)
    assert real / padded > 0.85
