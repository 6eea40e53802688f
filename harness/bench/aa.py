"""A/A and planted improvement: how often the gate promotes what is no better, and how often it finds what is.

    python -m harness.bench.aa [--runs 200] [--pairs 32] [--rate 0.5] [--effect 0.4] [--seed 0]
    python -m harness.bench.aa --containers 200 --pairs 16 --rate 0.5 --effect 0.5    by `evalh run`, scripted server
    python -m harness.bench.aa --adapter DIR [--base DIR]    one adapter against itself, temperature 0.7, three seeds

Every line is one kind of run, repeated under seeds of its own. Outcomes are drawn; the report and the gate are the
real ones. With containers what is counted are superiority claims that are met, since a script is never eligible, and
the claim about critical scenarios could only hold promotions back. The exit code is 1 if arms that are alike are
promoted in more than 5 % of the runs.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import mean

from harness.bench.drawn import ALPHA, drawn_run
from harness.errors import EvalhError
from harness.values import Arm
from reports import load_policy
from reports.statistics.power import mcnemar_power
from reports.statistics.proportion import clopper_pearson
from reports.statistics.sequential_power import sequential_power

HEAD = ("arms", "test", "runs", "promoted", "95 % interval", "expected", "pairs run")


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One kind of run, repeated: how often it promoted, and what theory says of that."""

    arms: str
    test: str
    runs: int
    promoted: int
    expected: float | None
    pairs: float  # run on average
    alike: bool  # the arms are: then promotion is an error

    @property
    def too_often(self) -> bool:
        """Whether arms that are alike were promoted in more than alpha of the runs."""
        return self.alike and self.promoted > ALPHA * self.runs

    @property
    def cells(self) -> tuple[str, ...]:
        """The row of a table."""
        low, high = clopper_pearson(self.promoted, self.runs)
        return (
            self.arms,
            self.test,
            str(self.runs),
            f"{self.promoted} ({self.promoted / self.runs:.3f})",
            f"[{low:.3f}, {high:.3f}]",
            "-" if self.expected is None else f"{self.expected:.3f}",
            f"{self.pairs:.1f}",
        )


def main(argv: Sequence[str] | None = None) -> int:
    """Draw or stage the runs and print the table; 1 if arms that are alike are promoted too often."""
    chosen = arguments(argv)
    try:
        if chosen.adapter is not None:
            rows = [_adapter(chosen)]
        else:
            rows = [row for effect in (0.0, chosen.effect) for row in rows_of(chosen, effect)]
    except EvalhError as error:
        print(f"{error}", file=sys.stderr)
        return error.exit_code
    print(table(rows))
    return int(any(row.too_often for row in rows))


def rows_of(chosen: argparse.Namespace, effect: float) -> list[Row]:
    """Both tests on arms with this effect."""
    rates = {Arm.BASE: chosen.rate, Arm.TUNED: chosen.rate + effect}
    named = f"{rates[Arm.BASE]:.2f} and {rates[Arm.TUNED]:.2f}"
    if chosen.containers:
        return [_staged(chosen, rates, named, stops=stops) for stops in (False, True)]
    return [_drawn(chosen, rates, named, stops=stops) for stops in (False, True)]


def _drawn(chosen: argparse.Namespace, rates: Mapping[Arm, float], named: str, *, stops: bool) -> Row:
    policy = load_policy("promote")
    first = chosen.seed * chosen.runs
    found = [drawn_run(first + i, chosen.pairs, rates, policy, stops=stops) for i in range(chosen.runs)]
    return Row(
        arms=named,
        test=_test(stops=stops),
        runs=len(found),
        promoted=sum(each.promoted for each in found),
        expected=expected(rates, chosen.pairs, stops=stops),
        pairs=sum(each.pairs for each in found) / len(found),
        alike=rates[Arm.BASE] == rates[Arm.TUNED],
    )


def _staged(chosen: argparse.Namespace, rates: Mapping[Arm, float], named: str, *, stops: bool) -> Row:
    from harness.bench.staged import scripted_run  # needs a server and an engine

    policy, found = load_policy("promote"), []
    with tempfile.TemporaryDirectory(prefix="evalh-aa-") as folder:
        for i in range(chosen.containers):
            seed, run = 1 + chosen.seed * chosen.containers + i, Path(folder) / str(i)
            found.append(scripted_run(seed, chosen.pairs, rates, policy, run, engine=chosen.engine, stops=stops))
    return Row(
        arms=named,
        test=f"{_test(stops=stops)}, containers",
        runs=len(found),
        promoted=sum(each.claimed for each in found),
        expected=mean(expected(rates, each.told_apart, stops=stops) for each in found),
        pairs=sum(each.pairs for each in found) / len(found),
        alike=rates[Arm.BASE] == rates[Arm.TUNED],
    )


def _adapter(chosen: argparse.Namespace) -> Row:
    from harness.bench.staged import adapter_runs  # needs a model server and an engine

    with tempfile.TemporaryDirectory(prefix="evalh-aa-") as folder:
        found = adapter_runs(
            chosen.adapter,
            chosen.base,
            chosen.seeds,
            chosen.pairs,
            load_policy("promote"),
            Path(folder),
            engine=chosen.engine,
            temperature=chosen.temperature,
        )
    return Row(
        arms=f"{chosen.adapter.name} and itself",
        test=f"{_test(stops=False)}, containers",
        runs=len(found),
        promoted=sum(each.claimed for each in found),
        expected=None,
        pairs=sum(each.pairs for each in found) / len(found),
        alike=True,
    )


def expected(rates: Mapping[Arm, float], pairs: int, *, stops: bool) -> float:
    """The exact probability that the claim holds, for arms that succeed independently at these rates."""
    won, lost = rates[Arm.TUNED] * (1 - rates[Arm.BASE]), rates[Arm.BASE] * (1 - rates[Arm.TUNED])
    if stops:
        return sequential_power(won, lost, pairs, alpha=ALPHA).power
    both = mcnemar_power(won, lost, pairs, alpha=ALPHA)
    return both / 2 if won == lost else both  # the wrong direction is negligible where there is an effect


def table(rows: Sequence[Row]) -> str:
    """The rows as a Markdown table."""
    lines = [HEAD, tuple("---" for _ in HEAD), *(row.cells for row in rows)]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def _test(*, stops: bool) -> str:
    return "e-process, may stop" if stops else "exact McNemar"


def arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    """What was asked for on the command line."""
    parser = argparse.ArgumentParser(prog="python -m harness.bench.aa", description="A/A and planted improvement.")
    parser.add_argument("--runs", type=int, default=200)
    parser.add_argument("--pairs", type=int, default=32)
    parser.add_argument("--rate", type=float, default=0.5, help="of success in the base arm")
    parser.add_argument("--effect", type=float, default=0.4, help="of the planted improvement")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--containers", type=int, default=0, help="so many whole runs with real containers instead")
    parser.add_argument("--engine", default="auto", choices=["auto", "docker", "crun"])
    parser.add_argument("--adapter", type=Path, help="run this adapter against itself instead")
    parser.add_argument("--base", type=Path)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--temperature", type=float, default=0.7)
    chosen = parser.parse_args(argv)
    if not (0 <= chosen.rate <= 1 and 0 <= chosen.rate + chosen.effect <= 1 and chosen.runs > 0 and chosen.pairs > 0):
        parser.error("rates lie between 0 and 1, and runs and pairs are counts")
    return chosen


if __name__ == "__main__":
    sys.exit(main())
