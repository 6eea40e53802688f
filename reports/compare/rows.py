"""The rows of one arm in two runs: which are compared, and why each other one is not."""

from __future__ import annotations

from dataclasses import dataclass

from harness.values import Arm, Outcome
from reports.compare.schema import LeftOut, Why
from reports.compare.side import Side
from reports.plain import plain
from reports.schema import ExclusionKind, Pair, PairResult, TrialSummary

Key = tuple[str, int]  # scenario, repeat


@dataclass(frozen=True, slots=True, kw_only=True)
class Rows:
    """Every row that either run has, in one of two places.

    A compared row is a pair whose `base` is run A's trial and whose `tuned` is run B's.
    """

    compared: tuple[Pair, ...]
    left_out: tuple[LeftOut, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Held:
    """One run's rows: its pairs by key, and those whose own arms ran different versions of the scenario."""

    pairs: dict[Key, Pair]
    mixed: frozenset[Key]


def match_rows(a: Side, b: Side, arm: Arm) -> Rows:
    """The rows of `arm` in both runs, sorted by scenario and repeat; every key is compared or left out, never both."""
    held = _held(a), _held(b)
    compared, left_out = list[Pair](), list[LeftOut]()
    for key in sorted(held[0].pairs.keys() | held[1].pairs.keys()):
        obstacle = _obstacle(key, *held, arm)
        if obstacle is None:
            compared.append(_across(held[0].pairs[key], held[1].pairs[key], arm))
        else:
            left_out.append(LeftOut(scenario=plain(key[0]), repeat=key[1], why=obstacle[0], reason=obstacle[1]))
    return Rows(compared=tuple(compared), left_out=tuple(left_out))


def trial_of(pair: Pair, arm: Arm) -> TrialSummary | None:
    """The pair's trial of one arm."""
    return pair.base if arm is Arm.BASE else pair.tuned


def _held(side: Side) -> _Held:
    mixed = {
        (exclusion.scenario, exclusion.repeat)
        for exclusion in side.report.exclusions
        if any(cause.kind is ExclusionKind.MISMATCH for cause in exclusion.causes)
    }
    return _Held(
        pairs={(pair.scenario, pair.repeat): pair for pair in side.report.pairs},
        mixed=frozenset(mixed),
    )


def _obstacle(key: Key, a: _Held, b: _Held, arm: Arm) -> tuple[Why, str] | None:
    """Why a row cannot be compared; None if it can."""
    if key not in b.pairs:
        return Why.ONLY_A, "run B has no such row"
    if key not in a.pairs:
        return Why.ONLY_B, "run A has no such row"
    if mixed := [name for name, held in (("A", a), ("B", b)) if key in held.mixed]:
        return Why.OTHER_VERSION, f"the arms of run {' and '.join(mixed)} ran different versions of the scenario"
    pairs = a.pairs[key], b.pairs[key]
    digests = {pair.scenario_digest for pair in pairs} - {None}
    if len(digests) > 1:
        return Why.OTHER_VERSION, "the runs ran different versions of the scenario (digests differ)"
    trials = [trial_of(pair, arm) for pair in pairs]
    if absent := [name for name, trial in zip("AB", trials, strict=True) if trial is None]:
        return Why.NOT_RUN, f"it has not run in {' and '.join(absent)}"
    broken = [
        f"INVALID in {name} ({plain(trial.failed_part or 'unknown')}): {plain(trial.reason)}"
        for name, trial in zip("AB", trials, strict=True)
        if trial is not None and trial.outcome is Outcome.INVALID
    ]
    return (Why.INVALID, "; ".join(broken)) if broken else None


def _across(a: Pair, b: Pair, arm: Arm) -> Pair:
    """One arm of both runs as a pair: run A in the place of the base, run B in that of the tuned arm."""
    trials = trial_of(a, arm), trial_of(b, arm)
    passed = [trial is not None and trial.outcome is Outcome.PASS for trial in trials]
    result = (PairResult.LOSS, PairResult.TIE, PairResult.WIN)[passed[1] - passed[0] + 1]
    return b.model_copy(update={"base": trials[0], "tuned": trials[1], "result": result, "position": None, "tags": {}})
