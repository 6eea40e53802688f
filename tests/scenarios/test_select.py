"""A selection is even over archetypes, fixed by its seed, and moves as little as can be."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.errors import BadInputError
from scenarios.bundle import Scenario
from scenarios.loader import LoadedScenario
from scenarios.select import select

BASE = {
    "schema_version": 1,
    "split": "holdout",
    "provenance": "made for a test",
    "tags": {"task": "t", "provider": "p", "announcement": "motd"},
    "checks": [{"kind": "file_absent", "path": "/tmp/x"}],
    "reference": {"replies": ["exit"]},
    "directives": {"retrieved_when": "x"},
}


def suite(sizes: list[int]) -> list[LoadedScenario]:
    """A suite with so many scenarios in each of its archetypes."""
    return [
        LoadedScenario(
            scenario=Scenario.model_validate({**BASE, "id": f"a{kin}-{number}", "archetype": f"a{kin}"}),
            digest="sha256:0",
            path=Path("x"),
            files=(),
        )
        for kin, size in enumerate(sizes)
        for number in range(size)
    ]


def ids(chosen: tuple[LoadedScenario, ...]) -> list[str]:
    return [item.scenario.id for item in chosen]


SIZES = st.lists(st.integers(1, 6), min_size=1, max_size=6)


@settings(deadline=None)
@given(SIZES, st.integers(0, 1000), st.data())
def test_archetypes_are_at_most_one_apart_while_they_last(sizes: list[int], seed: int, data: st.DataObject) -> None:
    loaded = suite(sizes)
    n = data.draw(st.integers(1, len(loaded)))
    chosen = select(loaded, n, seed)
    counts = Counter(item.scenario.archetype for item in chosen)
    assert len(set(ids(chosen))) == n
    for kin, size in enumerate(sizes):
        count = counts[f"a{kin}"]
        assert count == size or count >= max(counts.values()) - 1


@settings(deadline=None)
@given(SIZES, st.integers(0, 1000), st.data())
def test_the_order_of_the_suite_does_not_matter_and_more_only_adds(
    sizes: list[int], seed: int, data: st.DataObject
) -> None:
    loaded = suite(sizes)
    n = data.draw(st.integers(1, len(loaded)))
    whole = ids(select(loaded, None, seed))
    assert ids(select(data.draw(st.permutations(loaded)), n, seed)) == whole[:n]


@settings(deadline=None)
@given(SIZES, st.integers(0, 1000))
def test_a_new_archetype_leaves_the_order_inside_the_others_alone(sizes: list[int], seed: int) -> None:
    loaded = suite(sizes)
    before, after = ids(select(loaded, None, seed)), ids(select(suite([*sizes, 4]), None, seed))
    for kin in range(len(sizes)):
        own = f"a{kin}-"
        assert [name for name in before if name.startswith(own)] == [name for name in after if name.startswith(own)]


def test_seeds_choose_differently_and_the_choice_is_a_known_one() -> None:
    loaded = suite([5, 5, 5])
    assert ids(select(loaded, 4, 0)) == ["a1-2", "a2-4", "a0-2", "a1-4"]
    assert len({tuple(ids(select(loaded, 6, seed))) for seed in range(20)}) > 10


@pytest.mark.parametrize(
    ("n", "said"), [(7, "7 scenarios are asked for, and there are 6"), (0, "at least 1"), (-1, "-1")]
)
def test_a_number_that_cannot_be_had_is_refused(n: int, said: str) -> None:
    with pytest.raises(BadInputError, match=said):
        select(suite([3, 3]), n, 0)


def test_nothing_to_choose_from_is_refused() -> None:
    with pytest.raises(BadInputError, match="at least 1"):
        select([], None, 0)
