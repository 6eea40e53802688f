"""The suites that evalh ships: where they lie, and their two fixed subsets."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

from harness.errors import BadInputError
from scenarios.bundle import Split
from scenarios.loader import LoadedScenario
from scenarios.select import select

# Chosen once, and kept: results that name a subset stay comparable when the suite grows.
SUBSETS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "smoke": (
            "note-lamp-three",
            "copy-second-vintage",
            "count-refused-entries",
            "extract-berth-six",
            "move-lost-parcel",
            "archive-press-strikes",
            "config-missing-setting",
            "users-quota-lines",
        ),
        "standard-16": (
            "archive-press-strikes",
            "archive-truncated-reel",
            "config-relay-section",
            "config-valve-limit",
            "copy-galena-sheet",
            "count-stray-keys",
            "extract-frost-warnings",
            "ledger-market-bill",
            "move-two-choirs",
            "note-berth-answer",
            "note-tide-book",
            "schedule-fog-horn",
            "schedule-locked-quay",
            "symlinks-real-portraits",
            "translations-renamed-greeting",
            "users-quota-lines",
        ),
    }
)
_STANDARD = "standard-16"


def shipped(split: Split | str) -> Path:
    """The folder of the shipped suite: `holdout` to evaluate on, `train` to train on.

    Raises ValueError for any other word.
    """
    return Path(__file__).resolve().parent / Split(split).value


def subset(name: str) -> tuple[str, ...]:
    """The ids of a fixed subset of the held-out suite, `smoke` or `standard-16`; raises BadInputError."""
    found = SUBSETS.get(name)
    if found is None:
        near = difflib.get_close_matches(name, SUBSETS, n=1)
        hint = f"did you mean {near[0]}?" if near else f"the subsets are {', '.join(SUBSETS)}"
        raise BadInputError(f"there is no subset {name!r}", hint=hint)
    return found


def pick(loaded: Sequence[LoadedScenario], n: int | str | None, seed: int | None) -> tuple[LoadedScenario, ...]:
    """The scenarios to run: a subset by its name, `n` by `select`, or all (None).

    Without a seed, 16 of the shipped held-out suite are its `standard-16`; of any other suite, and for
    any other number, no seed means seed 0. Raises BadInputError for an unknown subset, for one whose
    scenarios are not among `loaded`, and for a number that cannot be met.
    """
    if isinstance(n, str):
        return _members(loaded, n, subset(n))
    if seed is None and n == len(SUBSETS[_STANDARD]) and not _absent(loaded, SUBSETS[_STANDARD]):
        return _members(loaded, _STANDARD, SUBSETS[_STANDARD])
    return select(loaded, n, seed or 0)


def _absent(loaded: Sequence[LoadedScenario], ids: tuple[str, ...]) -> tuple[str, ...]:
    held = shipped(Split.HOLDOUT)
    there = {item.scenario.id for item in loaded if item.path.resolve().is_relative_to(held)}
    return tuple(sorted(set(ids) - there))


def _members(loaded: Sequence[LoadedScenario], name: str, ids: tuple[str, ...]) -> tuple[LoadedScenario, ...]:
    absent = _absent(loaded, ids)
    if absent:
        message = f"the subset {name} belongs to the shipped held-out suite, and {absent[0]} is not among the scenarios"
        raise BadInputError(message, hint="leave the folder of scenarios away, or ask for a number")
    by_id = {item.scenario.id: item for item in loaded}
    return tuple(by_id[one] for one in ids)
