"""The early stop: an e-process over scenarios in their preset order, told again from the pairs alone.

The unit is a scenario: it is won, lost or tied by the sign of its wins minus its losses. Under no effect that sign is
a fair coin whatever the others showed, repeats or not, so a bet on it that stops whenever it likes is wrong at most as
often as it says (Ville 1939; Ramdas, Gruenwald, Vovk and Shafer 2023, Statistical Science 38:576-601). The campaign
follows `stopping`, and a report computes it again: nothing that was noted while the run went on is trusted.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import groupby
from math import exp, inf

from reports.schema import Pair
from reports.statistics.sequential import log_e_value_two_sided, threshold_crossed
from reports.statistics.sequential_power import price
from reports.tally import METRICS, Better, Imputation, cell_of
from reports.wording import p_exact, plural


class Decided(StrEnum):
    """Why a run needs no further scenario."""

    BETTER = "better"  # e reached 1/alpha with more scenarios won than lost
    WORSE = "worse"  # e reached 1/alpha with more scenarios lost than won
    HOPELESS = "hopeless"  # e could not reach it even if every scenario still to come were won


@dataclass(frozen=True, slots=True, kw_only=True)
class Course:
    """An e-process over a prefix of the preset order; a win is a scenario on which tuned is better.

    `p` is 1 / the largest e, two-sided and valid whenever the run stopped; `direction` is +1, -1 or 0, where the
    largest e stood. `crossed_at` counts the scenarios at the first e of 1/alpha or more, in the direction `crossed`.
    """

    scenarios: int = 0
    wins: int = 0
    losses: int = 0
    log_e: float = 0.0
    log_e_max: float = 0.0
    direction: int = 0
    crossed_at: int | None = None
    crossed: int = 0

    @property
    def p(self) -> float:
        """The anytime-valid two-sided p."""
        return min(1.0, exp(-self.log_e_max))

    def after(self, sign: int, alpha: float) -> Course:
        """The course one scenario later, which was won (1), lost (-1) or tied (0)."""
        wins, losses = self.wins + (sign > 0), self.losses + (sign < 0)
        log_e = log_e_value_two_sided(wins, losses) if sign else self.log_e
        side = (wins > losses) - (wins < losses)
        higher = log_e > self.log_e_max
        crosses = self.crossed_at is None and threshold_crossed(log_e, alpha)
        return Course(
            scenarios=self.scenarios + 1,
            wins=wins,
            losses=losses,
            log_e=log_e,
            log_e_max=log_e if higher else self.log_e_max,
            direction=side if higher else self.direction,
            crossed_at=self.scenarios + 1 if crosses else self.crossed_at,
            crossed=side if crosses else self.crossed,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Stopping:
    """What the stopping rule says of a run: decided after so many of the planned scenarios, or not at all.

    `first` scenarios at the beginning of the order must be done before a stop for success. `course` is as it stood at
    the decision, else at the last scenario of the complete prefix.
    """

    decision: Decided | None
    course: Course
    planned: int
    first: int
    alpha: float

    @property
    def after(self) -> int:
        """How many scenarios the decision, or the process so far, rests on."""
        return self.course.scenarios


class Rule:
    """The stopping rule, fed with one complete scenario after the other in the preset order."""

    def __init__(self, *, metric: str, alpha: float, planned: int, first: int) -> None:
        self.decision: Decided | None = None
        self._metric, self._alpha, self._planned, self._first = metric, alpha, planned, first
        self._courses = dict.fromkeys(Imputation, Course())

    def add(self, scenario: Sequence[Pair]) -> Decided | None:
        """Take the next scenario's pairs; the decision, which further scenarios no longer change."""
        if self.decision is None:
            for imputation, course in self._courses.items():
                sign = sign_of(scenario, self._metric, imputation)
                self._courses[imputation] = course.after(sign, self._alpha)
            self.decision = self._decide()
        return self.decision

    def told(self) -> Stopping:
        """What the rule says now."""
        return Stopping(
            decision=self.decision,
            course=self._courses[Imputation.OBSERVED],
            planned=self._planned,
            first=self._first,
            alpha=self._alpha,
        )

    def _decide(self) -> Decided | None:
        """Decided only if that holds with excluded pairs counted against it, too: the gate asks for no less."""
        seen, against, for_ = (self._courses[each] for each in Imputation)
        if seen.crossed > 0 and against.crossed > 0:
            return Decided.BETTER if seen.scenarios >= self._first else None
        if seen.crossed < 0 and for_.crossed < 0:
            return Decided.WORSE
        return Decided.HOPELESS if any(self._is_lost(course) for course in (seen, against)) else None

    def _is_lost(self, course: Course) -> bool:
        """Whether this course can no longer be the first to cross upwards, whoever wins what is still to come."""
        if course.crossed:
            return course.crossed < 0
        wins = course.wins + self._planned - course.scenarios
        best = log_e_value_two_sided(wins, course.losses)
        return wins <= course.losses or not threshold_crossed(best, self._alpha)


def course(pairs: Iterable[Pair], metric: str, alpha: float, imputation: Imputation = Imputation.OBSERVED) -> Course:
    """The e-process of a metric over the complete prefix of the preset order; pairs without a position are left out."""
    told = Course()
    for scenario in complete_prefix(pairs):
        told = told.after(sign_of(scenario, metric, imputation), alpha)
    return told


def stopping(pairs: Sequence[Pair], metric: str, alpha: float, first: int = 0) -> Stopping:
    """What the stopping rule says of these pairs, up to its decision."""
    planned = len({pair.scenario for pair in pairs if pair.position is not None})
    rule = Rule(metric=metric, alpha=alpha, planned=planned, first=first)
    for scenario in complete_prefix(pairs):
        if rule.add(scenario) is not None:
            break
    return rule.told()


def complete_prefix(pairs: Iterable[Pair]) -> Iterator[list[Pair]]:
    """The pairs of one scenario after the other in the preset order, up to the first one that lacks a trial."""
    placed = sorted((pair for pair in pairs if pair.position is not None), key=lambda pair: pair.position or 0)
    for _, group in groupby(placed, key=lambda pair: pair.scenario):
        scenario = list(group)
        if any(pair.base is None or pair.tuned is None for pair in scenario):
            return
        yield scenario


def sign_of(scenario: Iterable[Pair], metric: str, imputation: Imputation = Imputation.OBSERVED) -> int:
    """1 if tuned is better on more of a scenario's pairs than base, -1 if base is, else 0."""
    cells = [cell for pair in scenario if (cell := cell_of(pair, metric, imputation)) is not None]
    total = sum(tuned - base for base, tuned in cells)
    if METRICS[metric].better is Better.LOWER:
        total = -total
    return (total > 0) - (total < 0)


def needed(alpha: float) -> int:
    """The fewest scenarios, all of them won, with which e reaches 1/alpha: 8 at 0.05."""
    return next(n for n in range(1, 2000) if threshold_crossed(log_e_value_two_sided(n, 0), alpha))


def preset_order(names: Iterable[str], first: Iterable[str], seed: int) -> tuple[str, ...]:
    """The order in which a run that may stop early goes through its scenarios: drawn by its seed, `first` ones first.

    It depends on the names, not on the order in which they are given.
    """
    everything, early = set(names), set(first)
    draw = random.Random(f"early stop:{seed}")  # noqa: S311 - an order, not a secret
    front, rest = sorted(everything & early), sorted(everything - early)
    draw.shuffle(front)
    draw.shuffle(rest)
    return (*front, *rest)


def stopping_sentences(told: Stopping) -> tuple[str, ...]:
    """Where a run stopped and why, and what being allowed to cost it."""
    seen = told.course
    counts = f"{seen.wins} won and {seen.losses} lost"
    e = f"e = {e_text(seen.log_e)}, at most {e_text(seen.log_e_max)}, anytime-valid p = {p_exact(seen.p)}"
    where = f"after {seen.scenarios} of {plural(told.planned, 'scenario')} in the preset order ({counts}; {e})"
    sentences = [
        {
            None: f"The stopping rule has decided nothing {where}.",
            Decided.BETTER: f"Decided {where}: e reached {1 / told.alpha:g}, the tuned model is better.",
            Decided.WORSE: f"Decided {where}: e reached {1 / told.alpha:g}, the tuned model is worse.",
            Decided.HOPELESS: f"Stopped {where}: even if all further scenarios were won, "
            f"e could not reach {1 / told.alpha:g}. Stopping here makes no error of the first kind more likely.",
        }[told.decision]
    ]
    if told.decision is not None and seen.scenarios < told.planned:
        sentences.append("Rates and intervals of a run that stopped early are not adjusted for it: they lean outwards.")
    if cost := price(told.planned, alpha=told.alpha, at_least=min(told.first, told.planned)):
        sentences.append(
            f"What this costs: a gain of {100 * cost.effect:.0f} points with losses of {100 * cost.losses:.0f} %, "
            f"which exact McNemar on all {told.planned} scenarios finds in {100 * cost.fixed:.0f} of 100 runs, a run "
            f"that may stop early finds in {100 * cost.sequential.power:.0f}, after {cost.sequential.expected:.0f} "
            "scenarios on average."
        )
    return tuple(sentences)


def e_text(log_e: float) -> str:
    """An e-value of three significant digits from its logarithm."""
    value = exp(log_e) if log_e < 700 else inf
    return f"{value:.3g}" if value < inf else "above 1e304"
