"""`evalh plan`: how many pairs a run needs, and what a run of so many pairs can see."""

from __future__ import annotations

import json
from dataclasses import dataclass
from math import isnan
from typing import TypeAlias

import click

from harness.errors import BadInputError
from reports.statistics.planning import (
    MOST,
    noninferiority_power,
    pairs_for_noninferiority,
    pairs_for_superiority,
    smallest_margin,
)
from reports.statistics.power import mcnemar_power, smallest_detectable
from reports.statistics.sequential_power import MOST as MOST_SEQUENTIAL
from reports.statistics.sequential_power import pairs_for_sequential, sequential_power
from reports.statistics.unconditional import MOST_EXACT

Answer: TypeAlias = "str | float | dict[str, float | None] | None"

SUPERIORITY, NON_INFERIORITY = "superiority", "non-inferiority"
INSIDE = click.FloatRange(0, 1, min_open=True, max_open=True)
BELOW_ONE = click.FloatRange(0, 1, max_open=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What is planned: a test, the true rates it is to meet, and how often it shall find them."""

    kind: str
    effect: float | None
    losses: float
    power: float
    alpha: float
    margin: float


@click.command()
@click.option(
    "--effect", type=click.FloatRange(-1, 1), help="true gain: tuned's rate minus base's (0.25 for 25 points)"
)
@click.option("--power", type=INSIDE, default=0.8, show_default=True, help="how often the effect shall be found")
@click.option("--alpha", type=INSIDE, default=0.05, show_default=True, help="of the test; two-sided for superiority")
@click.option(
    "--losses", type=BELOW_ONE, default=0.05, show_default=True, help="share of pairs that base alone gets right"
)
@click.option(
    "--kind", type=click.Choice([SUPERIORITY, NON_INFERIORITY]), default=SUPERIORITY, show_default=True, help="of claim"
)
@click.option("--margin", type=INSIDE, help="what must be ruled out, for non-inferiority")
@click.option("--n", type=click.IntRange(1, MOST), help="what a run of so many pairs can see, instead")
@click.option("--json", "as_json", is_flag=True, help="print JSON")
def plan(
    *,
    effect: float | None,
    power: float,
    alpha: float,
    losses: float,
    kind: str,
    margin: float | None,
    n: int | None,
    as_json: bool,
) -> None:
    """Say how many pairs find an effect of a given size, or with --n what so many pairs can find.

    Powers are exact. A pair is one scenario run by both arms; repeats of a scenario are not further pairs.
    """
    asked = _question(effect, power, alpha, losses, kind, margin, n)
    answers = _superiority(asked, n) if kind == SUPERIORITY else _noninferiority(asked, n)
    if as_json:
        click.echo(json.dumps(answers, indent=2))
        return
    lines: dict[str, str | float | None] = {}
    for name, value in answers.items():
        lines |= (
            {f"{name}.{part}": inner for part, inner in value.items()} if isinstance(value, dict) else {name: value}
        )
    width = max(len(name) for name in lines)
    for name, shown in lines.items():
        click.echo(f"{name:<{width}}  {_text(shown)}")


def _question(
    effect: float | None,
    power: float,
    alpha: float,
    losses: float,
    kind: str,
    margin: float | None,
    n: int | None,
) -> Question:
    """The question, if it can be asked; BadInputError says what is wrong with it."""
    if any(value is not None and isnan(value) for value in (effect, power, alpha, losses, margin)):
        raise BadInputError("a number is nan", hint="give shares between 0 and 1")
    if kind == NON_INFERIORITY:
        effect = 0.0 if effect is None else effect
        if margin is None:
            raise BadInputError("--kind non-inferiority needs a margin", hint="give --margin 0.1 for ten points")
        if effect <= -margin:
            raise BadInputError(
                f"an arm that is truly {-effect:g} worse cannot be shown to be less than {margin:g} worse",
                hint="give a larger --margin, or an --effect above it",
            )
    elif margin is not None:
        raise BadInputError("--margin belongs to --kind non-inferiority", hint="leave it out, or add that")
    elif effect is None and n is None:
        raise BadInputError("nothing to plan for", hint="give --effect 0.25 for a gain of 25 points, or --n PAIRS")
    elif effect is not None and effect <= 0:
        raise BadInputError(f"--effect {effect:g}: superiority asks for a gain above 0", hint="give --effect 0.25")
    if effect is not None and (effect + 2 * losses > 1 + 1e-12 or effect + losses < 0):
        raise BadInputError(
            f"an effect of {effect:g} with losses of {losses:g} is impossible: "
            f"tuned alone would be right in {effect + losses:g} of the pairs",
            hint="--losses is the share of pairs that base alone gets right; both shares together are at most 1",
        )
    return Question(
        kind=kind, effect=effect, losses=losses, power=power, alpha=alpha, margin=0.0 if margin is None else margin
    )


def _superiority(asked: Question, n: int | None) -> dict[str, Answer]:
    effect = asked.effect
    if n is None and effect is not None:
        n = pairs_for_superiority(effect, losses=asked.losses, power=asked.power, alpha=asked.alpha)
    if n is None:
        raise _too_many(asked)
    answers: dict[str, Answer] = {
        "kind": asked.kind,
        "test": "exact McNemar, two-sided",
        "alpha": asked.alpha,
        "losses": asked.losses,
        "effect": effect,
        "n": n,
        "power": None,
        "target_power": asked.power,
        "smallest_detectable": smallest_detectable(n, asked.losses, alpha=asked.alpha, power=asked.power),
    }
    if effect is not None:
        answers["power"] = mcnemar_power(asked.losses + effect, asked.losses, n, alpha=asked.alpha)
        answers["stop_when_decided"] = _sequential(asked, effect, n)
    return answers


def _sequential(asked: Question, effect: float, n: int) -> dict[str, float | None]:
    """The same with early stopping: on as many pairs, and how many to plan for the same power."""
    same = sequential_power(asked.losses + effect, asked.losses, n, alpha=asked.alpha) if n <= MOST_SEQUENTIAL else None
    enough = pairs_for_sequential(effect, losses=asked.losses, power=asked.power, alpha=asked.alpha)
    return {
        "power_at_n": same.power if same else None,
        "expected_at_n": same.expected if same else None,
        "n_for_target": enough[0] if enough else None,
        "expected_for_target": enough[1].expected if enough else None,
    }


def _noninferiority(asked: Question, n: int | None) -> dict[str, Answer]:
    effect, losses, alpha, margin = asked.effect or 0.0, asked.losses, asked.alpha, asked.margin
    if n is None:
        n = pairs_for_noninferiority(effect, margin, losses=losses, power=asked.power, alpha=alpha)
    if n is None:
        raise _too_many(asked)
    return {
        "kind": asked.kind,
        "test": "exact, one-sided" if n <= MOST_EXACT else "Tango's score test, one-sided",
        "alpha": alpha,
        "losses": losses,
        "effect": effect,
        "margin": margin,
        "n": n,
        "power": noninferiority_power(losses + effect, losses, n, margin, alpha=alpha),
        "target_power": asked.power,
        "smallest_margin": smallest_margin(effect, n, losses=losses, power=asked.power, alpha=alpha),
    }


def _too_many(asked: Question) -> BadInputError:
    return BadInputError(
        f"more than {MOST} pairs are needed to find this in {100 * asked.power:g} of 100 runs",
        hint="plan for a larger --effect or --margin, or less --power",
    )


def _text(value: str | float | None) -> str:
    if isinstance(value, str):
        return value
    return "not computed" if value is None else f"{value:.6g}"
