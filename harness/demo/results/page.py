"""docs/results.md from its evidence: rates with intervals, and the two adapters compared scenario by scenario."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Final

from harness.demo.results.outcomes import MODELS, Model, Results, Row, Shown
from reports.statistics.difference import tango
from reports.statistics.mcnemar import mcnemar_exact
from reports.statistics.proportion import wilson
from reports.statistics.values import Interval, PairedTable
from scenarios import subset

LEVEL: Final = 0.95
MEASURES: Final[Mapping[str, Callable[[Shown], bool | None]]] = MappingProxyType(
    {
        "ends the session itself": lambda shown: shown.terminated,
        "ends it itself, every reply a command": lambda shown: _both(shown.terminated, shown.clean),
        "reads the directives": lambda shown: shown.directives_retrieved,
        "right termination": lambda shown: shown.right_terminal,
        "panics where exit is right": lambda shown: shown.false_panic,
        "success": lambda shown: shown.success,
    }
)
_HEAD: Final = "| | base | trained on the first split | trained on this split | difference of the two | exact p |\n"


def page(results: Results) -> str:
    """The whole page, Markdown."""
    unseen = [row for row in results.rows if row.archetype in results.unseen]
    seen = [row for row in results.rows if row.archetype not in results.unseen]
    sixteen = [row for row in results.rows if row.scenario in subset("standard-16")]
    return "\n".join(
        (
            _introduction(results),
            f"## The {len(results.unseen)} archetypes that no trajectory shows\n",
            f"{', '.join(sorted(results.unseen))}: {len(unseen)} scenarios.\n",
            _table(unseen),
            "## The archetypes that training shows too, in other words\n",
            f"{', '.join(sorted({row.archetype for row in seen}))}: {len(seen)} scenarios.\n",
            _table(seen),
            "## `--n 16`\n",
            "The fixed subset `standard-16` of the same runs.\n",
            _table(sixteen),
            "## By archetype\n",
            "Successes, and right terminations in brackets.\n",
            _by_archetype(results),
            _reading(),
        )
    )


def _introduction(results: Results) -> str:
    conditions = results.conditions
    first, now = (results.trainings[name] for name in ("first", "now"))
    recipe = ", ".join(f"{name.replace('_', ' ')} {value:g}" for name, value in conditions.recipe.items())
    processors = f"{conditions.processors} processors ({conditions.machine})"
    limits = f"at most {conditions.max_turns} turns of {conditions.max_tokens} tokens"
    versions = ", ".join(f"{name} {version}" for name, version in conditions.versions.items())
    return f"""# Results: what breadth of training is worth

Two adapters of SmolLM2-135M-Instruct by one recipe. One learnt from the first training split that evalh had
({first.scenarios} scenarios, {len(first.archetypes)} archetypes), the other from the one that it ships now
({now.scenarios} scenarios, {len(now.archetypes)} archetypes). Both, and the base, ran {len(results.rows)} held-out
scenarios.

    make results

makes this page, and docs/results.json with every single outcome behind it; it takes the first split from the
repository's history.

| condition | |
|---|---|
| recipe of both trainings | {recipe} |
| machine | {processors}; trained on {conditions.device} in {conditions.trained_in} |
| sessions | {conditions.engine}, dtype {conditions.served_in}, temperature {conditions.temperature:g}, {limits} |
| versions | {versions} |

Rates are counts of valid trials with Wilson's interval at {100 * LEVEL:.0f} %; the difference is this split's rate
minus the first's, with Tango's interval and McNemar's exact test over the same scenarios.
"""


def _table(rows: Sequence[Row]) -> str:
    lines = [_HEAD + "|---|---|---|---|---|---|"]
    for name, measure in MEASURES.items():
        rates = " | ".join(_rate([measure(_of(row, model)) for row in rows]) for model in MODELS)
        lines.append(f"| {name} | {rates} | {_difference(rows, measure)} |")
    return "\n".join(lines) + "\n"


def _by_archetype(results: Results) -> str:
    lines = ["| archetype | base | trained on the first split | trained on this split |", "|---|---|---|---|"]
    for archetype in sorted({row.archetype for row in results.rows}):
        rows = [row for row in results.rows if row.archetype == archetype]
        cells = [
            f"{sum(bool(_of(row, model).success) for row in rows)} "
            f"({sum(bool(_of(row, model).right_terminal) for row in rows)}) of {len(rows)}"
            for model in MODELS
        ]
        mark = "" if archetype in results.unseen else " (in training)"
        lines.append(f"| {archetype}{mark} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def _reading() -> str:
    return """## How to read this

- One training each, with one seed, of a very small model: another seed moves every figure by some scenarios. What the
  intervals cover is the choice of scenarios, not the choice of seed.
- Ending a session is learnt by example alone, and shows on archetypes that were never seen. Success asks for commands
  that no trajectory shows; where it is above zero there, it comes from steps that other archetypes share
  (docs/suite.md names what training never shows).
- A model that panics at everything ends rightly in every panic scenario. Hence the row of panics where exit is right,
  and success, which asks a panic to come after the directives were read.
- The ancestor of this harness, sekft, reported 9 of 16 clean terminations of a tuned 7B model, on scenarios of its
  own: a mark to know, not a comparison.
"""


def _of(row: Row, model: Model) -> Shown:
    return {"base": row.base, "first": row.first, "now": row.now}[model]


def _both(one: bool | None, other: bool | None) -> bool | None:  # noqa: FBT001 - two values alike
    return None if one is None or other is None else one and other


def _rate(values: Sequence[bool | None]) -> str:
    known = [value for value in values if value is not None]
    if not known:
        return "not measured"
    return f"{sum(known)} of {len(known)} ({_interval(wilson(sum(known), len(known), LEVEL))})"


def _difference(rows: Sequence[Row], measure: Callable[[Shown], bool | None]) -> str:
    pairs = [(measure(row.first), measure(row.now)) for row in rows]
    cells = [(before, after) for before, after in pairs if before is not None and after is not None]
    if not cells:
        return "not measured | "
    gained, lost = cells.count((False, True)), cells.count((True, False))
    table = PairedTable(
        both=cells.count((True, True)), tuned_only=gained, base_only=lost, neither=cells.count((False, False))
    )
    low, high = tango(table, LEVEL)
    change = 100 * (gained - lost) / len(cells)
    return f"{change:+.0f} points [{100 * low:+.0f}, {100 * high:+.0f}] | {mcnemar_exact(gained, lost):.2g}"


def _interval(limits: Interval) -> str:
    return f"{100 * limits.low:.0f} to {100 * limits.high:.0f} %"
