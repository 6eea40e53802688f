"""`evalh stats`: the report's own statistics from the shell, so that anyone can check a table."""

from __future__ import annotations

from dataclasses import asdict
from math import isnan

import click

from harness.cli.stats_answers import JSON, LEVEL, Answers, answer, inside
from harness.cli.stats_clustered import clustered
from harness.errors import BadInputError
from reports.statistics.difference import bonett_price, newcombe, noninferiority_p, tango, wald
from reports.statistics.mcnemar import mcnemar_exact, mcnemar_midp
from reports.statistics.odds import win_odds
from reports.statistics.power import mcnemar_power, smallest_detectable
from reports.statistics.proportion import clopper_pearson, jeffreys, wilson
from reports.statistics.unconditional import MOST_EXACT, noninferiority_exact_p
from reports.statistics.values import PairedTable

COUNT = click.IntRange(min=0, max=1_000_000)
SHARE = click.FloatRange(0, 1)


@click.group()
def stats() -> None:
    """Compute the report's statistics from counts."""


@stats.command()
@click.argument("both", type=COUNT)
@click.argument("tuned_only", type=COUNT)
@click.argument("base_only", type=COUNT)
@click.argument("neither", type=COUNT)
@click.option("--margin", type=inside, metavar="0<X<1", help="test that tuned is less than this worse")
@LEVEL
@JSON
def paired(
    *, both: int, tuned_only: int, base_only: int, neither: int, margin: float | None, level: float, as_json: bool
) -> None:
    """Compare two arms on the same pairs, counted by who met the measure; the difference is tuned minus base."""
    if both + tuned_only + base_only + neither == 0:
        raise BadInputError("there is no pair: all four counts are 0", hint="give at least one pair")
    table = PairedTable(both=both, tuned_only=tuned_only, base_only=base_only, neither=neither)
    n = both + tuned_only + base_only + neither
    answers: Answers = {
        "difference": table.difference,
        "mcnemar_exact_p": mcnemar_exact(tuned_only, base_only),
        "mcnemar_midp": mcnemar_midp(tuned_only, base_only),
        "tango": tango(table, level),
        "newcombe": newcombe(table, level),
        "newcombe_method_8": newcombe(table, level, method=8),
        "bonett_price": bonett_price(table, level),
        "wald": wald(table, level),
        "win_odds": asdict(win_odds(tuned_only, base_only, level)),
        "noninferiority_p": None if margin is None else noninferiority_p(table, margin),
        "noninferiority_exact_p": None if margin is None or n > MOST_EXACT else noninferiority_exact_p(table, margin),
        "smallest_detectable": smallest_detectable(n, base_only / n, alpha=1 - level),
    }
    answer(answers, as_json=as_json)


@stats.command()
@click.argument("x", type=COUNT)
@click.argument("n", type=click.IntRange(min=1, max=1_000_000))
@LEVEL
@JSON
def proportion(*, x: int, n: int, level: float, as_json: bool) -> None:
    """Give intervals for one rate: X successes of N."""
    if x > n:
        raise BadInputError(f"{x} of {n} is no proportion: X is larger than N", hint="the order is X N")
    answers: Answers = {
        "rate": x / n,
        "wilson": wilson(x, n, level),
        "clopper_pearson": clopper_pearson(x, n, level),
        "jeffreys": jeffreys(x, n, level),
    }
    answer(answers, as_json=as_json)


@stats.command()
@click.argument("p10", type=SHARE)
@click.argument("p01", type=SHARE)
@click.argument("n", type=click.IntRange(min=1, max=1_000_000))
@click.option(
    "--alpha", type=inside, metavar="0<X<1", default=0.05, show_default=True, help="two-sided level of the test"
)
@JSON
def power(*, p10: float, p01: float, n: int, alpha: float, as_json: bool) -> None:
    """Give the power of McNemar's test of N pairs when tuned alone is right in P10 and base alone in P01 of them."""
    if isnan(p10 + p01):
        raise BadInputError("P10 and P01 are numbers from 0 to 1", hint="they are shares of the pairs")
    if p10 + p01 > 1 + 1e-12:
        raise BadInputError(f"P10 + P01 is {p10 + p01:g}, more than 1", hint="they are shares of the same pairs")
    answers: Answers = {
        "exact": mcnemar_power(p10, p01, n, alpha=alpha),
        "midp": mcnemar_power(p10, p01, n, alpha=alpha, midp=True),
    }
    answer(answers, as_json=as_json)


stats.add_command(clustered)
