"""What the bases say about the comparison: drift between the runs, and the gain over one's own base."""

from __future__ import annotations

from collections import Counter

from harness.values import Arm
from reports.compare.arms import changes_in, differing
from reports.compare.rows import Rows, match_rows
from reports.compare.schema import ArmComparison, Drift, Fact, Gain, Status
from reports.compare.side import Side
from reports.statistics.clusters import sign_flip
from reports.tally import cell_of
from reports.wording import p_text, plural


def drift(rows: Rows, base: ArmComparison, facts: tuple[Fact, ...], metric: str, level: float) -> Drift:
    """Whether the base of both runs did the same: if it is one model, any difference is drift or sampling."""
    same = {Status.SAME: True, Status.DIFFERS: False, Status.UNKNOWN: None}[_fact(facts, "base").status]
    count, within = differing(rows), changes_in(rows.compared, metric)
    test = next(found.test for found in base.metrics if found.name == metric)
    p = test.p if test else None
    greedy = {_fact(facts, "temperature").a, _fact(facts, "temperature").b} == {"0"}
    drifted = same is True and ((greedy and count > 0) or (p is not None and p <= 1 - level))
    return Drift(
        same_base=same,
        compared=base.compared,
        differ=count,
        differ_in_metric=within,
        p=p,
        drifted=drifted,
        sentence=_sentence(_seen(base.compared, count, within, p, metric), same=same, count=count, drifted=drifted)
        if base.compared
        else "the bases have no row in common: there is no control of drift",
    )


def gain(a: Side, b: Side, metric: str) -> Gain | None:
    """The difference of the differences, over rows whose four trials all measured the metric; None without one.

    In a row it is (tuned - base) of B less (tuned - base) of A, one of -2 .. 2; under no difference each
    scenario's sum is as likely with the opposite sign (the sign-flip test of `reports.statistics.clusters`).
    """
    tuned = {(pair.scenario, pair.repeat): cell_of(pair, metric) for pair in match_rows(a, b, Arm.TUNED).compared}
    base = {(pair.scenario, pair.repeat): cell_of(pair, metric) for pair in match_rows(a, b, Arm.BASE).compared}
    sums: Counter[str] = Counter()
    rows = gain_a = gain_b = 0
    for key, cell in tuned.items():
        own = base.get(key)
        if cell is None or own is None:
            continue
        rows += 1
        gain_a += cell[0] - own[0]
        gain_b += cell[1] - own[1]
        sums[key[0]] += (cell[1] - own[1]) - (cell[0] - own[0])
    if rows == 0:
        return None
    return Gain(
        rows=rows,
        scenarios=len(sums),
        a=gain_a / rows,
        b=gain_b / rows,
        difference=(gain_b - gain_a) / rows,
        p=sign_flip(sums.values()),
    )


def _fact(facts: tuple[Fact, ...], name: str) -> Fact:
    return next(fact for fact in facts if fact.name == name)


def _seen(compared: int, count: int, within: int, p: float | None, metric: str) -> str:
    seen = f"{count} of {plural(compared, 'row')} of the base ended otherwise in B than in A"
    if count == 0:
        return seen
    return f"{seen} ({within} in {metric}" + ("" if p is None else f", p = {p_text(p)}") + ")"


def _sentence(seen: str, *, same: bool | None, count: int, drifted: bool) -> str:
    if same is False:
        return f"{seen}; the bases are different models, so that this controls nothing"
    if same is None:
        return f"{seen}; whether they are the same base is not known"
    if drifted:
        return f"{seen}, although it is the same model: the runs drifted, and the tuned arms may have too"
    return f"{seen}: no more than sampling explains" if count else f"{seen}, as the same model should"
