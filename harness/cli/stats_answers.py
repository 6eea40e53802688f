"""What the commands of `evalh stats` share: their options, and how they print what they computed."""

from __future__ import annotations

import json
from collections.abc import Mapping
from math import nan
from typing import TypeAlias

import click

Answer: TypeAlias = "float | str | tuple[float, float] | Mapping[str, Answer] | None"
Answers: TypeAlias = Mapping[str, Answer]


def inside(value: str) -> float:
    """A number strictly between 0 and 1 that stays so when it is subtracted from 1; a usage error for any other."""
    try:
        number = float(value)
    except ValueError:
        number = nan
    if not 0 < 1 - number < 1:
        raise click.BadParameter(f"{value!r} is no number strictly between 0 and 1.")
    return number


LEVEL = click.option("--level", type=inside, metavar="0<X<1", default=0.95, show_default=True, help="confidence level")
JSON = click.option("--json", "as_json", is_flag=True, help="print JSON")


def answer(answers: Answers, *, as_json: bool) -> None:
    """Print every digit as JSON, or six significant ones as a list."""
    if as_json:
        click.echo(json.dumps(answers, indent=2, allow_nan=False))
        return
    width = max(len(name) for name in answers)
    for name, value in answers.items():
        click.echo(f"{name:<{width}}  {_text(value)}")


def _text(value: Answer) -> str:
    if value is None:
        return "not computed"
    if isinstance(value, tuple):
        return f"[{value[0]:.6g}, {value[1]:.6g}]"
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {_text(part)}" for name, part in value.items())
    return f"{value:.6g}" if isinstance(value, float) else str(value)
