"""One claim of a policy held against the pairs: met, not met, refuted, or beyond what they can show."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from math import ceil

from scipy.stats import norm

from reports.policy import Claim, ClaimKind, Subset
from reports.schema import Pair, PairResult
from reports.statistics.clusters import repeat_weight
from reports.statistics.difference import noninferiority_p
from reports.statistics.mcnemar import smallest_p
from reports.statistics.proportion import clopper_pearson
from reports.statistics.values import PairedTable
from reports.tally import METRICS, Better, Imputation, Tally, cell_of, tally
from reports.wording import p_exact, percent, plural

NAMED = 5  # how many scenarios a sentence names


class Status(StrEnum):
    """What the pairs say of a claim."""

    MET = "met"
    NOT_MET = "not_met"
    REFUTED = "refuted"  # the data show its opposite at the claim's own alpha
    UNDECIDABLE = "undecidable"  # no result on these pairs could have met it, or nothing was measured


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """A claim's status, with the sentence that explains it."""

    claim: Claim
    status: Status
    sentence: str


def find(claim: Claim, pairs: Sequence[Pair], imputation: Imputation = Imputation.OBSERVED) -> Finding:
    """Hold one claim against the pairs of its subset."""
    chosen = [pair for pair in pairs if _fits(pair, claim.subset)]
    test = {
        ClaimKind.SUPERIORITY: _superiority,
        ClaimKind.NON_INFERIORITY: _non_inferiority,
        ClaimKind.MINIMUM_RATE: _minimum_rate,
        ClaimKind.ZERO_VIOLATIONS: _zero_violations,
    }[claim.kind]
    status, text = test(claim, chosen, imputation)
    return Finding(claim=claim, status=status, sentence=f"{title(claim)}: {text}")


def title(claim: Claim) -> str:
    """The claim in few words: superiority on success (critical scenarios)."""
    parts = []
    if claim.subset.archetype is not None:
        parts.append(f"archetype {claim.subset.archetype}")
    if claim.subset.critical is not None:
        parts.append("critical scenarios" if claim.subset.critical else "scenarios that are not critical")
    where = f" ({', '.join(parts)})" if parts else ""
    return f"{claim.kind.replace('_', ' ')} on {claim.metric}{where}"


def pairs_needed(claim: Claim) -> int:
    """The smallest number of scenarios on which the claim can be decided at all."""
    if claim.kind is ClaimKind.SUPERIORITY and claim.alpha is not None:
        return next(n for n in range(1, 1100) if smallest_p(n) <= claim.alpha)
    if claim.kind is ClaimKind.NON_INFERIORITY and claim.alpha is not None and claim.margin is not None:
        # Tango's statistic of n pairs that all agree is sqrt(n margin / (1 - margin))
        return ceil(float(norm.isf(claim.alpha)) ** 2 * (1 - claim.margin) / claim.margin)
    return 1


def _fits(pair: Pair, subset: Subset) -> bool:
    """Whether a pair is in a subset; one of which no record tells may be in any."""
    archetype = subset.archetype is None or pair.archetype in {None, subset.archetype}
    return archetype and (subset.critical is None or pair.critical in {None, subset.critical})


def _within(p: float, alpha: float) -> bool:
    """Whether p is at most alpha, rounding in its last digits aside."""
    return p <= alpha * (1 + 1e-9)


def _wins_and_losses(claim: Claim, counted: Tally) -> tuple[int, int]:
    if METRICS[claim.metric].better is Better.HIGHER:
        return counted.tuned_only, counted.base_only
    return counted.base_only, counted.tuned_only


def _nothing(pairs: Sequence[Pair]) -> tuple[Status, str]:
    if not pairs:
        return Status.UNDECIDABLE, "this run has no such pair."
    return Status.UNDECIDABLE, f"none of its {plural(len(pairs), 'pair')} was measured in both arms."


def _superiority(claim: Claim, pairs: Sequence[Pair], imputation: Imputation) -> tuple[Status, str]:
    counted = tally(pairs, claim.metric, imputation)
    alpha = claim.alpha or 0.0
    if counted.n == 0:
        return _nothing(pairs)
    wins, losses = _wins_and_losses(claim, counted)
    seen = f"{wins} won and {losses} lost of {plural(counted.n, 'pair')}"
    units = f"{plural(len(counted.sizes), 'scenario')} with repeats" if counted.clustered else plural(counted.n, "pair")
    if counted.smallest_p > alpha:
        needed = f"at least {pairs_needed(claim)} are needed"
        return Status.UNDECIDABLE, f"{seen}; {units} can never reach p <= {alpha:g}, {needed}."
    p = counted.p
    test = "sign-flip test on scenarios" if counted.clustered else "exact McNemar"
    if not _within(p, alpha):
        return Status.NOT_MET, f"{seen}, {test} p = {p_exact(p)} > {alpha:g}: not shown."
    if wins > losses:
        return Status.MET, f"{seen}, {test} p = {p_exact(p)} <= {alpha:g}: shown."
    return Status.REFUTED, f"{seen}, {test} p = {p_exact(p)} <= {alpha:g}: the tuned model is worse."


def _non_inferiority(claim: Claim, pairs: Sequence[Pair], imputation: Imputation) -> tuple[Status, str]:
    counted = tally(pairs, claim.metric, imputation)
    alpha, margin = claim.alpha or 0.0, claim.margin or 0.0
    if counted.n == 0:
        return _nothing(pairs)
    wins, losses = _wins_and_losses(claim, counted)
    table = counted.table
    if METRICS[claim.metric].better is Better.LOWER:
        table = PairedTable(
            both=table.neither, tuned_only=table.base_only, base_only=table.tuned_only, neither=table.both
        )
    p = noninferiority_p(table, margin)
    seen = f"{wins} won and {losses} lost of {plural(counted.n, 'pair')}, one-sided score test p = {p_exact(p)}"
    if _within(p, alpha):
        return Status.MET, f"{seen} <= {alpha:g}: less than {100 * margin:g} points worse."
    if _within(1 - p, alpha):
        return Status.REFUTED, f"{seen}: the tuned model is worse by more than {100 * margin:g} points."
    if table.n < pairs_needed(claim):
        needed = f"even arms that agree on every pair need {pairs_needed(claim)} pairs"
        return Status.UNDECIDABLE, f"{seen} > {alpha:g}, on too few pairs: {needed}."
    return Status.NOT_MET, f"{seen} > {alpha:g}: a loss of {100 * margin:g} points is not ruled out."


def _minimum_rate(claim: Claim, pairs: Sequence[Pair], imputation: Imputation) -> tuple[Status, str]:
    threshold = claim.threshold or 0.0
    good, sizes = _tuned_counts(claim.metric, pairs, imputation)
    n = sum(sizes)
    if n == 0:
        return _nothing(pairs)
    seen = f"tuned is right in {good} of {n} ({percent(good / n)})"
    if claim.alpha is None:
        met = good / n >= threshold
        return (Status.MET if met else Status.NOT_MET), f"{seen}, {'at least' if met else 'below'} {threshold:g}."
    weight, level = repeat_weight(sizes), 1 - 2 * claim.alpha
    low, high = clopper_pearson(good / weight, n / weight, level)
    if low >= threshold:
        return Status.MET, f"{seen}, with {1 - claim.alpha:.0%} confidence at least {threshold:g}."
    if high < threshold:
        return Status.REFUTED, f"{seen}, with {1 - claim.alpha:.0%} confidence below {threshold:g}."
    if clopper_pearson(n / weight, n / weight, level).low < threshold:
        return Status.UNDECIDABLE, f"{seen}; even all of {n} would not show {threshold:g} at alpha {claim.alpha:g}."
    return Status.NOT_MET, f"{seen}: at least {threshold:g} is not shown at alpha {claim.alpha:g}."


def _tuned_counts(metric: str, pairs: Sequence[Pair], imputation: Imputation) -> tuple[int, tuple[int, ...]]:
    """How often the tuned arm gave the good answer, and the measured trials by scenario."""
    kind, good = METRICS[metric], 0
    sizes: dict[str, int] = {}
    for pair in pairs:
        right: bool | None
        if pair.result is PairResult.INVALID:
            right = None if imputation is Imputation.OBSERVED else imputation is Imputation.FOR
        else:
            shown = kind.read(pair.tuned) if pair.tuned else None
            right = None if shown is None else shown == (kind.better is Better.HIGHER)
        if right is not None:
            good += right
            sizes[pair.scenario] = sizes.get(pair.scenario, 0) + 1
    return good, tuple(sizes.values())


def _zero_violations(claim: Claim, pairs: Sequence[Pair], imputation: Imputation) -> tuple[Status, str]:
    if not pairs and claim.subset.archetype is None:
        return Status.MET, "this run has no such pair, so nothing was violated and nothing was proven."
    counted = tally(pairs, claim.metric, imputation)
    if counted.n == 0:
        return _nothing(pairs)
    higher = METRICS[claim.metric].better is Better.HIGHER
    worse = (True, False) if higher else (False, True)
    lost = sorted({pair.scenario for pair in pairs if cell_of(pair, claim.metric, imputation) == worse})
    if not lost:
        return Status.MET, f"none of {plural(counted.n, 'pair')} that base gets right and tuned wrong."
    more = f" and {len(lost) - NAMED} more" if len(lost) > NAMED else ""
    return Status.NOT_MET, f"base gets right and tuned wrong: {', '.join(lost[:NAMED])}{more}."
