"""Claims about what the tuned arm costs: at most so much, or at most so many times what the base does."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf
from statistics import median

from scipy.stats import binom

from reports.claims.judged import Judged, Question, needs_fixed_n, nothing, within
from reports.claims.needs import pairs_needed
from reports.measures import MEASURES, Costs, costs_of
from reports.schema import PairResult
from reports.statistics.continuous import hodges_lehmann
from reports.tally import Imputation
from reports.wording import p_exact, plural
from reports.words import Status


def maximum_cost(asked: Question) -> Judged:
    """Tuned costs at most `threshold` (its median), or at most `ratio` times what base does (Hodges-Lehmann).

    The unit is a scenario, its repeats averaged. With alpha the claim must be shown at that level: for a threshold by
    the sign test, for a ratio by the one-sided limit of the Hodges-Lehmann estimate of tuned minus ratio times base.
    An excluded pair that counts against the tuned arm costs more than anything seen, one for it less.
    """
    costs = costs_of(asked.pairs, asked.claim.metric)
    excluded = _excluded(asked)
    if not costs.n and not excluded:
        return nothing(asked.pairs)
    if asked.claim.alpha is not None and asked.sequential:
        return needs_fixed_n(f"measured in {plural(costs.n, 'pair')}")
    return _threshold(asked, costs, excluded) if asked.claim.threshold is not None else _ratio(asked, costs, excluded)


def _excluded(asked: Question) -> set[str]:
    """The scenarios with a pair that the imputation makes count."""
    if asked.imputation is Imputation.OBSERVED:
        return set()
    return {pair.scenario for pair in asked.pairs if pair.result is PairResult.INVALID}


def _threshold(asked: Question, costs: Costs, excluded: set[str]) -> Judged:
    claim = asked.claim
    limit, unit = claim.threshold or 0.0, MEASURES[claim.metric].unit
    extreme = inf if asked.imputation is Imputation.AGAINST else 0.0
    values = {**costs.tuned, **dict.fromkeys(excluded, extreme)}.values()
    middle, n = median(values), len(values)
    seen = f"tuned's median is {middle:.4g} {unit} over {plural(n, 'scenario')}"
    if claim.alpha is None:
        met = middle <= limit
        side = "at most" if met else "above"
        return Judged(status=Status.MET if met else Status.NOT_MET, text=f"{seen}, {side} {limit:g}.")
    # the sign test: under the null at most half of all scenarios lie at or below the limit
    low = sum(value <= limit for value in values)
    p, opposite = (float(binom.sf(count - 1, n, 0.5)) for count in (low, n - low))
    seen += f", {low} of them at most {limit:g}, sign test p = {p_exact(p)}"
    return _decided(_Shown(seen=seen, met=within(p, claim.alpha), opposite=within(opposite, claim.alpha)), asked, n, p)


def _ratio(asked: Question, costs: Costs, excluded: set[str]) -> Judged:
    claim = asked.claim
    ratio, unit = claim.ratio or 0.0, MEASURES[claim.metric].unit
    over = {name: tuned - ratio * costs.base[name] for name, tuned in costs.tuned.items()}
    beyond = 4 * max(map(abs, over.values()), default=1.0) + 1
    over |= dict.fromkeys(excluded, beyond if asked.imputation is Imputation.AGAINST else -beyond)
    n, alpha = len(over), claim.alpha
    found = hodges_lehmann(list(over.values()), 0.95 if alpha is None else 1 - 2 * alpha)
    if found is None:
        return nothing(asked.pairs)
    what = f"Hodges-Lehmann over {plural(n, 'scenario')}"
    seen = f"{_medians(costs, unit)}tuned - {ratio:g} x base is {found.estimate:+.4g} {unit} ({what})"
    if alpha is None:
        met = found.estimate <= 0
        side = "at most" if met else "above"
        return Judged(status=Status.MET if met else Status.NOT_MET, text=f"{seen}, {side} 0.")
    if found.interval is None:
        return _decided(_Shown(seen=seen, met=False, opposite=False), asked, n, None)
    low, high = found.interval
    seen += f", {1 - 2 * alpha:.0%} interval [{low:+.4g}, {high:+.4g}]"
    return _decided(_Shown(seen=seen, met=high <= 0, opposite=low > 0), asked, n, None)


def _medians(costs: Costs, unit: str) -> str:
    if not costs.n:
        return ""
    return f"medians {median(costs.base.values()):.4g} (base) and {median(costs.tuned.values()):.4g} (tuned) {unit}; "


@dataclass(frozen=True, slots=True, kw_only=True)
class _Shown:
    """What was seen, and whether it shows the claim or its opposite at the claim's alpha."""

    seen: str
    met: bool
    opposite: bool


def _decided(shown: _Shown, asked: Question, n: int, p: float | None) -> Judged:
    seen, needed = shown.seen, pairs_needed(asked.claim)
    if n < needed:
        return Judged(status=Status.UNDECIDABLE, text=f"{seen}; at least {needed} scenarios are needed.", p=p)
    if shown.met:
        return Judged(status=Status.MET, text=f"{seen}: shown.", p=p)
    if shown.opposite:
        return Judged(status=Status.REFUTED, text=f"{seen}: the opposite is shown.", p=p)
    return Judged(status=Status.NOT_MET, text=f"{seen}: not shown.", p=p)
