"""How often the gate's tests and the report's intervals are wrong: tables that anyone can make.

    python -m harness.bench.errors [--n 8 16 32] [--write docs/statistics.md]

Prints the tables of docs/statistics.md, section "Exact error rates"; with --write, exchanges them there.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from scipy.stats import norm

from harness.bench.repeats import LIKENESS, REPEATS, repeats_row
from harness.errors import BadInputError
from harness.store import write_atomically
from reports.statistics.enumeration import (
    INTERVALS,
    Worst,
    worst_coverage,
    worst_noninferiority,
    worst_promotion,
    worst_size,
)
from reports.statistics.unconditional import critical_score, largest_error

SIZES = (8, 16, 32)
MARGIN, ALPHA = 0.10, 0.05
MARGINS, LARGER = (0.05, 0.10, 0.20), (64, 100, 200, 500)  # of the table of non-inferiority
BEGIN, END = "<!-- made by python -m harness.bench.errors -->", "<!-- end -->"


def main(argv: Sequence[str] | None = None) -> None:
    """Print the tables, or write them into a page."""
    parser = argparse.ArgumentParser(prog="python -m harness.bench.errors", description="Exact error rates.")
    parser.add_argument("--n", type=int, nargs="+", default=list(SIZES), choices=range(1, 65), metavar="1..64")
    parser.add_argument("--write", type=Path, help="the page whose tables are to be exchanged")
    chosen = parser.parse_args(argv)
    made = tables(chosen.n)
    if chosen.write is None:
        print(made)
    else:
        write_atomically(chosen.write, exchanged(chosen.write.read_text(encoding="utf-8"), made))


def tables(sizes: Sequence[int]) -> str:
    """The tables as Markdown: errors of the tests, coverage of intervals, and (simulated) coverage with repeats."""
    return "\n".join(
        (
            "| pairs | exact McNemar | the gate promotes | mid-p | the gate's non-inferiority, 10 points |",
            "|---|---|---|---|---|",
            *(test_row(n) for n in sizes),
            "",
            f"| pairs | {' | '.join(f'score, {100 * m:g} points | exact, {100 * m:g} points' for m in MARGINS)} |",
            f"|---|{'---|' * 2 * len(MARGINS)}",
            *(noninferiority_row(n) for n in (*sizes, *LARGER)),
            "",
            f"| pairs | {' | '.join(INTERVALS)} |",
            f"|---|{'---|' * len(INTERVALS)}",
            *(interval_row(n) for n in sizes),
            "",
            f"| scenarios of {REPEATS} repeats | {' | '.join(f'likeness {each:g}' for each in LIKENESS)} |",
            f"|---|{'---|' * len(LIKENESS)}",
            *(repeats_row(n) for n in sizes),
        )
    )


def test_row(n: int) -> str:
    """The largest error of each test of n pairs."""
    cells = (worst_size(n), worst_promotion(n), worst_size(n, midp=True))
    noninferiority = worst_noninferiority(n, MARGIN, exact=True)
    return f"| {n} | {' | '.join(map(_cell, (*cells, noninferiority)))} |"


def noninferiority_row(n: int) -> str:
    """How often Tango's score test and the exact one rule a loss of each margin out that is the true one, at most."""
    cells = []
    for margin in MARGINS:
        least = float(norm.isf(ALPHA)), critical_score(n, margin, ALPHA)
        cells += [f"{largest_error(n, margin, each):.4f}" for each in least]
    return f"| {n} | {' | '.join(cells)} |"


def interval_row(n: int) -> str:
    """The smallest coverage of each interval of n pairs."""
    return f"| {n} | {' | '.join(_cell(worst_coverage(n, interval)) for interval in INTERVALS.values())} |"


def exchanged(page: str, made: str) -> str:
    """The page with these tables between its marks.

    Raises:
        BadInputError: the page lacks the marks.
    """
    head, begin, rest = page.partition(BEGIN)
    _, end, tail = rest.partition(END)
    if not (begin and end):
        raise BadInputError(f"the page has no {BEGIN} … {END}", hint="put both marks where the tables should stand")
    return f"{head}{BEGIN}\n{made}\n{END}{tail}"


def _cell(worst: Worst) -> str:
    won, lost = worst.rates
    return f"{worst.value:.4f} ({won:.3g}, {lost:.3g})"


if __name__ == "__main__":
    main()
