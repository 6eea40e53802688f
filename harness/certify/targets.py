"""The paths that a bundle's checks read, which are what an attack on them would change."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from harness.world import WRITABLE_ROOTS
from scenarios.bundle import Scenario, Script, TreeEquals

MOST: Final = 40  # paths that an attack handles; more would say nothing new
_ROOTS = "|".join(re.escape(root) for root in WRITABLE_ROOTS)
_NAMED: Final = re.compile(rf"(?<![\w./-])(?:{_ROOTS})(?:/[\w.@%+=,-]+)+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Targets:
    """What the checks read, sorted, at most MOST paths each.

    `paths`: every path that a check names; `leaves`: those of them that hold no other.
    """

    paths: tuple[str, ...]
    leaves: tuple[str, ...]


def targets(scenario: Scenario) -> Targets:
    """The paths that the scenario's checks name, those in the text of scripts and in trees included."""
    found: set[str] = set()
    for check in scenario.checks:
        if isinstance(check, Script):
            found.update(match.group() for match in _NAMED.finditer(check.script))
            continue
        found.add(check.path)
        if isinstance(check, TreeEquals):
            found.update(f"{check.path}/{name}" for name in check.files)
    leaves = [path for path in sorted(found) if not any(other.startswith(path + "/") for other in found)]
    return Targets(paths=tuple(sorted(found)[:MOST]), leaves=tuple(leaves[:MOST]))
