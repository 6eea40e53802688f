"""Pairs counted for one metric: the paired table, and the scenarios behind it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType

from harness.values import Outcome, Terminal
from reports.schema import Pair, PairResult, TrialSummary
from reports.statistics.clusters import design_effect, sign_flip
from reports.statistics.mcnemar import mcnemar_exact, smallest_p
from reports.statistics.values import PairedTable


class Better(StrEnum):
    """Which way a metric is good."""

    HIGHER = "higher"
    LOWER = "lower"


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricKind:
    """A yes/no metric: the question that it answers, how to read it off a trial, and which way is good.

    `only` names the expected terminal of the scenarios that it applies to; None: all of them.
    """

    question: str
    read: Callable[[TrialSummary], bool | None]
    better: Better = Better.HIGHER
    only: Terminal | None = None

    def applies(self, expected: Terminal | None) -> bool:
        """Whether a scenario that expects this terminal (None: no record tells) may have the metric."""
        return self.only is None or expected is None or expected is self.only


METRICS: Mapping[str, MetricKind] = MappingProxyType(
    {
        "success": MetricKind(
            question="Did it end as it should, with the task done?",
            read=lambda trial: None if trial.outcome is Outcome.INVALID else trial.outcome is Outcome.PASS,
        ),
        "right_terminal": MetricKind(
            question="Did it end the session the way the scenario expects?",
            read=lambda trial: trial.metrics.right_terminal,
        ),
        "task": MetricKind(question="Did every task check pass?", read=lambda trial: trial.metrics.task),
        "command_mode": MetricKind(
            question="Did a command run within the first turns?", read=lambda trial: trial.metrics.command_mode
        ),
        "any_command": MetricKind(question="Did any command run?", read=lambda trial: trial.metrics.any_command),
        "clean": MetricKind(question="Was every reply commands only?", read=lambda trial: trial.metrics.clean),
        "operate": MetricKind(
            question="Did it operate: at least one turn, all clean?", read=lambda trial: trial.metrics.operate
        ),
        "terminated": MetricKind(
            question="Did it end the session itself?", read=lambda trial: trial.metrics.terminated
        ),
        "false_panic": MetricKind(
            question="Did it panic where it should have ended with exit? (scenarios that expect exit)",
            read=lambda trial: trial.metrics.false_panic,
            better=Better.LOWER,
            only=Terminal.EXIT,
        ),
        "informed_panic": MetricKind(
            question="Did it panic after reading the directives? (panic scenarios)",
            read=lambda trial: trial.metrics.informed_panic,
            only=Terminal.PANIC,
        ),
        "directives_retrieved": MetricKind(
            question="Did it read the directives?", read=lambda trial: trial.metrics.directives_retrieved
        ),
    }
)


class Imputation(StrEnum):
    """How invalid pairs count: not at all, or all of them against or for the tuned arm."""

    OBSERVED = "observed"
    AGAINST = "against"
    FOR = "for"


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """Pairs measured in both arms, as whole counts, and wins minus losses and pairs by scenario."""

    both: int
    tuned_only: int
    base_only: int
    neither: int
    sums: tuple[int, ...]  # by scenario: tuned-only minus base-only pairs
    sizes: tuple[int, ...]  # by scenario: pairs

    @property
    def n(self) -> int:
        """How many pairs are counted."""
        return self.both + self.tuned_only + self.base_only + self.neither

    @property
    def clustered(self) -> bool:
        """Whether some scenario has more than one pair."""
        return len(self.sizes) < self.n

    def table(self, level: float) -> PairedTable:
        """The paired table for intervals of this level, shrunk where pairs are repeats. ValueError without a pair."""
        counts = PairedTable(both=self.both, tuned_only=self.tuned_only, base_only=self.base_only, neither=self.neither)
        if not self.clustered:
            return counts
        return counts.shrunk(design_effect(self.sums, self.sizes, self.tuned_only + self.base_only, level))

    @property
    def p(self) -> float:
        """Two-sided p of no difference: exact McNemar, or the sign-flip test on scenarios where pairs are repeats."""
        return sign_flip(self.sums) if self.clustered else mcnemar_exact(self.tuned_only, self.base_only)

    @property
    def smallest_p(self) -> float:
        """The smallest p that any result on these scenarios could give."""
        return smallest_p(len(self.sizes))


def tally(pairs: Iterable[Pair], metric: str, imputation: Imputation = Imputation.OBSERVED) -> Tally:
    """Count the pairs whose metric is measured in both arms; invalid pairs as `imputation` says."""
    cells: Counter[tuple[bool, bool]] = Counter()
    sums: Counter[str] = Counter()
    sizes: Counter[str] = Counter()
    for pair in pairs:
        cell = cell_of(pair, metric, imputation)
        if cell is not None:
            cells[cell] += 1
            sums[pair.scenario] += cell[1] - cell[0]
            sizes[pair.scenario] += 1
    return Tally(
        both=cells[True, True],
        tuned_only=cells[False, True],
        base_only=cells[True, False],
        neither=cells[False, False],
        sums=tuple(sums[name] for name in sizes),
        sizes=tuple(sizes.values()),
    )


def cell_of(pair: Pair, metric: str, imputation: Imputation = Imputation.OBSERVED) -> tuple[bool, bool] | None:
    """What (base, tuned) show of a metric in one pair; None if the pair does not count for it."""
    kind = METRICS[metric]
    if pair.result is PairResult.STOPPED:
        return None
    if pair.result is PairResult.INVALID:
        if imputation is Imputation.OBSERVED or not kind.applies(pair.expected_terminal):
            return None
        tuned_shows = (imputation is Imputation.FOR) == (kind.better is Better.HIGHER)
        return not tuned_shows, tuned_shows
    base, tuned = (kind.read(trial) if trial else None for trial in (pair.base, pair.tuned))
    return None if base is None or tuned is None else (base, tuned)
