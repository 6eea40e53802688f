"""A report whose parts contradict each other: what its pairs say of themselves must follow from their trials."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterable, Iterator

from harness.values import Outcome
from reports.plain import plain
from reports.schema import ExclusionKind, Pair, PairResult, Report

VERDICTS = {-1: PairResult.LOSS, 0: PairResult.TIE, 1: PairResult.WIN}


def contradictions(report: Report) -> Iterator[str]:
    """One sentence for each contradiction, those that would move a decision; empty for a report as it was written."""
    yield from _twice(report)
    excluded = {(e.scenario, e.repeat): {cause.kind for cause in e.causes} for e in report.exclusions}
    for pair in report.pairs:
        if said := _pair(pair, excluded.get((pair.scenario, pair.repeat)), report):
            yield f"pair {plain(pair.scenario)}.{pair.repeat}: its result is {pair.result}, but {said}"
    counts = Counter(pair.result for pair in report.pairs)
    told = report.pairwise
    if (told.wins, told.losses, told.ties, told.invalid) != tuple(counts[result] for result in tuple(PairResult)[:4]):
        yield "pairwise: it does not count the pairs"
    if excluded.keys() - {(pair.scenario, pair.repeat) for pair in report.pairs}:
        yield "exclusions: one is of no pair"
    if report.pairs and any(pair.position is not None for pair in report.pairs) != (report.stopped is not None):
        yield "stopped: a stopping rule without places in an order, or the reverse"
    yield from _parity(report)


def _twice(report: Report) -> Iterator[str]:
    if again := _repeated((pair.scenario, pair.repeat) for pair in report.pairs):
        yield f"pairs: {plain(str(again[0]))}.{again[1]} is there twice"
    if _repeated((e.scenario, e.repeat) for e in report.exclusions):
        yield "exclusions: a pair is there twice"
    if _repeated((pair.position, 0) for pair in report.pairs if pair.position is not None):
        yield "pairs: two have the same position"


def _repeated(keys: Iterable[tuple[Hashable, int]]) -> tuple[Hashable, int] | None:
    return next((key for key, count in Counter(keys).items() if count > 1), None)


def _pair(pair: Pair, causes: set[ExclusionKind] | None, report: Report) -> str | None:
    """What speaks against a pair's result; None if it follows from its trials."""
    trials = [trial.outcome for trial in (pair.base, pair.tuned) if trial is not None]
    valid = len(trials) == 2 and Outcome.INVALID not in trials
    if (causes is not None) != (pair.result is PairResult.INVALID):
        return "exclusions tell something else"
    if pair.result is PairResult.INVALID:
        return "both arms have a verdict" if valid and ExclusionKind.MISMATCH not in (causes or ()) else None
    if pair.result is PairResult.STOPPED:
        decided = report.stopped is not None and report.stopped.decision is not None
        return None if decided and len(trials) < 2 and pair.position is not None else "nothing made it unnecessary"
    if not valid:
        return "an arm has no verdict"
    base, tuned = (outcome is Outcome.PASS for outcome in trials)
    return None if pair.result is VERDICTS[tuned - base] else "its trials say something else"


def _parity(report: Report) -> Iterator[str]:
    parity = report.parity
    if parity is not None:
        trials = (trial for pair in report.pairs for trial in (pair.base, pair.tuned) if trial)
        turns = sum(trial.turns for trial in trials if trial.outcome is not Outcome.INVALID)
        if parity.agreed + parity.differed + parity.unchecked != parity.prompts or parity.prompts < turns:
            yield "parity: it does not count the prompts"
