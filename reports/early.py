"""Pairs that an early stop made unnecessary, and the section of the report that tells of it."""

from __future__ import annotations

from collections.abc import Sequence

from reports.run_info import StopRule
from reports.schema import EarlyStop, Exclusion, Pair, PairResult
from reports.sequential import stopping, stopping_sentences


def settle(
    pairs: Sequence[Pair], exclusions: Sequence[Exclusion], rule: StopRule
) -> tuple[tuple[Pair, ...], tuple[Exclusion, ...], EarlyStop]:
    """The pairs with `stopped` for those that were not needed, the exclusions without them, and what was decided.

    Only a pair that lacks a record can be one of them, and only where the rule, told again from the pairs, decided.
    """
    told = stopping(pairs, rule.metric, rule.alpha, rule.first)
    unneeded: set[tuple[str, int]] = set()
    if told.decision is not None:
        unneeded = {(pair.scenario, pair.repeat) for pair in pairs if _unrun(pair)}
    settled = tuple(
        pair.model_copy(update={"result": PairResult.STOPPED}) if (pair.scenario, pair.repeat) in unneeded else pair
        for pair in pairs
    )
    course = told.course
    section = EarlyStop(
        metric=rule.metric,
        alpha=rule.alpha,
        first=rule.first,
        planned=told.planned,
        looked_at=told.after,
        pairs_not_run=len(unneeded),
        decision=told.decision.value if told.decision else None,
        wins=course.wins,
        losses=course.losses,
        log_e=course.log_e,
        log_e_max=course.log_e_max,
        p=course.p,
        sentences=stopping_sentences(told),
    )
    return settled, tuple(e for e in exclusions if (e.scenario, e.repeat) not in unneeded), section


def _unrun(pair: Pair) -> bool:
    return pair.position is not None and (pair.base is None or pair.tuned is None)
