"""Picks n scenarios, spread evenly over archetypes, in an order fixed by a seed."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from itertools import zip_longest

from harness.errors import BadInputError
from scenarios.loader import LoadedScenario


def select(loaded: Sequence[LoadedScenario], n: int | None, seed: int) -> tuple[LoadedScenario, ...]:
    """`n` of the scenarios (None: all), the counts of any two archetypes at most one apart while both last.

    Archetypes, and the scenarios in each, are ranked by a hash of the seed and their names; the choice
    goes round the archetypes, taking the next of each. So a larger `n` only adds to a smaller one, the
    order in which `loaded` lies does not matter, and a new scenario moves none of another archetype ahead
    of one of its own kin. Raises BadInputError when there are fewer than `n`, or `n` is below 1.
    """
    wanted = len(loaded) if n is None else n
    if wanted < 1:
        raise BadInputError(f"at least 1 scenario must be chosen, not {wanted}")
    if wanted > len(loaded):
        message = f"{wanted} scenarios are asked for, and there are {len(loaded)}"
        raise BadInputError(message, hint=f"ask for at most {len(loaded)}, for all, or repeat each with --repeats")
    kin: dict[str, list[LoadedScenario]] = {}
    for item in sorted(loaded, key=lambda one: _rank(seed, "scenario", one.scenario.id)):
        kin.setdefault(item.scenario.archetype, []).append(item)
    rows = [kin[name] for name in sorted(kin, key=lambda name: _rank(seed, "archetype", name))]
    rounds = (item for row in zip_longest(*rows) for item in row if item is not None)
    return tuple(item for item, _ in zip(rounds, range(wanted), strict=False))


def _rank(seed: int, kind: str, name: str) -> bytes:
    return hashlib.sha256(f"evalh-select-1\x1f{seed}\x1f{kind}\x1f{name}".encode()).digest()
