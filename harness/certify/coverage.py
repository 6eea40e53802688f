"""How a suite is spread over the axes of its scenarios."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Final

from harness.values import Terminal
from scenarios import LoadedScenario
from scenarios.bundle import Announcement

DEPTHS: Final = (1, 2, 3)
DIFFICULTIES: Final = (1, 2, 3, 4, 5)
COLUMNS: Final[tuple[tuple[str, str], ...]] = (
    ("", "all"),
    *(("ends", name) for name in ("exit", "panic")),
    *(("announced", each.value) for each in Announcement),
    *(("pages", str(depth)) for depth in DEPTHS),
    *(("difficulty", str(level)) for level in DIFFICULTIES),
)
Row = dict[str, int]


def coverage(loaded: Sequence[LoadedScenario]) -> dict[str, Row]:
    """How many scenarios each archetype has in each of COLUMNS (`group.name`); the last row, `all`, is the sum."""
    rows: dict[str, Counter[str]] = {}
    for item in loaded:
        scenario = item.scenario
        marks = (
            ".all",
            f"ends.{Terminal(scenario.expected_terminal).value}",
            f"announced.{scenario.tags.announcement.value}",
            f"pages.{scenario.tags.doc_depth}",
            f"difficulty.{scenario.tags.difficulty}",
        )
        rows.setdefault(scenario.archetype, Counter()).update(marks)
    total: Counter[str] = sum(rows.values(), Counter())
    keys = [f"{group}.{name}" for group, name in COLUMNS]
    named = [*((name, rows[name]) for name in sorted(rows)), ("all", total)]
    return {name: {key: counts[key] for key in keys} for name, counts in named}


def coverage_text(loaded: Sequence[LoadedScenario]) -> str:
    """The coverage as a table; a dot stands for none."""
    rows = coverage(loaded)
    names = max(len("archetype"), *map(len, rows))
    cells = {name: {key: str(count) if count else "." for key, count in row.items()} for name, row in rows.items()}
    lines = [" " * names, "archetype".ljust(names), *(name.ljust(names) for name in rows)]
    last = ""
    for group, name in COLUMNS:
        key = f"{group}.{name}"
        column = [name, *(row[key] for row in cells.values())]
        width = max(map(len, column))
        gap = " " if group == last else "   "
        lines = [lines[0], *(line + gap + cell.rjust(width) for line, cell in zip(lines[1:], column, strict=True))]
        if group != last:
            lines[0] = lines[0].ljust(len(lines[1]) - width) + group
        last = group
    return "\n".join(line.rstrip() for line in lines)
