"""What a session costs, compared between the arms: turns, seconds and tokens."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean, median
from types import MappingProxyType

from reports.schema import Measure, Pair, PairResult, TrialSummary
from reports.statistics.continuous import hodges_lehmann, sign_flip_mean


@dataclass(frozen=True, slots=True, kw_only=True)
class MeasureKind:
    """A cost: its unit, the question that it answers, and how to read it off a trial."""

    unit: str
    question: str
    read: Callable[[TrialSummary], float | None]


MEASURES: Mapping[str, MeasureKind] = MappingProxyType(
    {
        "turns": MeasureKind(unit="turns", question="How many turns did a session take?", read=lambda t: t.turns),
        "seconds": MeasureKind(unit="s", question="How long did a trial take?", read=lambda t: t.seconds),
        "prompt_tokens": MeasureKind(
            unit="tokens",
            question="How many tokens did the model read, all turns together?",
            read=lambda t: t.prompt_tokens,
        ),
        "completion_tokens": MeasureKind(
            unit="tokens", question="How many tokens did the model write?", read=lambda t: t.completion_tokens
        ),
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Costs:
    """One measure over the pairs that hold it in both arms: both arms' means over the repeats of each scenario."""

    n: int  # pairs
    base: Mapping[str, float]
    tuned: Mapping[str, float]


def costs_of(pairs: Iterable[Pair], measure: str) -> Costs:
    """What both arms of the valid pairs cost, one value a scenario."""
    read = MEASURES[measure].read
    base: dict[str, list[float]] = {}
    tuned: dict[str, list[float]] = {}
    for pair in pairs:
        if pair.result in {PairResult.INVALID, PairResult.STOPPED} or pair.base is None or pair.tuned is None:
            continue
        spent, cost = read(pair.base), read(pair.tuned)
        if spent is not None and cost is not None:
            base.setdefault(pair.scenario, []).append(spent)
            tuned.setdefault(pair.scenario, []).append(cost)
    return Costs(
        n=sum(map(len, base.values())),
        base={name: fmean(values) for name, values in base.items()},
        tuned={name: fmean(values) for name, values in tuned.items()},
    )


def compare_measures(valid: Sequence[Pair], level: float) -> tuple[Measure, ...]:
    """Every cost over the valid pairs; null with a reason where it was not measured."""
    return tuple(
        _measure(name, kind, costs_of(valid, name), level, any_valid=bool(valid)) for name, kind in MEASURES.items()
    )


def _measure(name: str, kind: MeasureKind, costs: Costs, level: float, *, any_valid: bool) -> Measure:
    differences = [tuned - costs.base[name] for name, tuned in costs.tuned.items()]
    flipped = sign_flip_mean(differences) if differences else None
    shift = hodges_lehmann(differences, level) if differences else None
    why = None
    if not differences:
        why = "no valid pair measured it in both arms" if any_valid else "there is no valid pair"
    return Measure(
        name=name,
        unit=kind.unit,
        question=kind.question,
        n=costs.n,
        units=len(differences),
        base_median=median(costs.base.values()) if differences else None,
        tuned_median=median(costs.tuned.values()) if differences else None,
        shift=shift.estimate if shift else None,
        interval=shift.interval if shift else None,
        p=flipped.p if flipped else None,
        p_standard_error=flipped.standard_error if flipped else 0.0,
        unmeasured_reason=why,
    )
