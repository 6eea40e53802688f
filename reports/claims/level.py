"""Claims about the tuned arm's level on a yes/no metric: a minimum rate, and no scenario lost."""

from __future__ import annotations

from scipy.stats import beta

from reports.claims.judged import Judged, Question, needs_fixed_n, nothing
from reports.schema import PairResult
from reports.statistics.clusters import repeat_weight
from reports.statistics.proportion import clopper_pearson
from reports.tally import METRICS, Better, Imputation, cell_of, tally
from reports.wording import percent, plural
from reports.words import Status

NAMED = 5  # how many scenarios a sentence names


def minimum_rate(asked: Question) -> Judged:
    """Tuned gives the good answer in at least `threshold` of its trials; with alpha, its one-sided exact limit does."""
    claim = asked.claim
    threshold = claim.threshold or 0.0
    good, sizes = _tuned_counts(asked)
    n = sum(sizes)
    if n == 0:
        return nothing(asked.pairs)
    seen = f"tuned is right in {good} of {n} ({percent(good / n)})"
    if claim.alpha is None:
        met = good / n >= threshold
        side = "at least" if met else "below"
        return Judged(status=Status.MET if met else Status.NOT_MET, text=f"{seen}, {side} {threshold:g}.")
    if asked.sequential:
        return needs_fixed_n(seen)
    weight, level = repeat_weight(sizes), 1 - 2 * claim.alpha
    x, size = good / weight, n / weight
    low, high = clopper_pearson(x, size, level)
    # the exact one-sided test of Clopper and Pearson 1934: p <= alpha exactly where the limit reaches the threshold
    p = float(beta.cdf(threshold, x, size - x + 1)) if x > 0 else 1.0
    if low >= threshold:
        text = f"{seen}, with {1 - claim.alpha:.0%} confidence at least {threshold:g}."
        return Judged(status=Status.MET, text=text, p=p)
    if high < threshold:
        text = f"{seen}, with {1 - claim.alpha:.0%} confidence below {threshold:g}."
        return Judged(status=Status.REFUTED, text=text, p=p)
    if clopper_pearson(size, size, level).low < threshold:
        text = f"{seen}; even all of {n} would not show {threshold:g} at alpha {claim.alpha:g}."
        return Judged(status=Status.UNDECIDABLE, text=text, p=p)
    text = f"{seen}: at least {threshold:g} is not shown at alpha {claim.alpha:g}."
    return Judged(status=Status.NOT_MET, text=text, p=p)


def _tuned_counts(asked: Question) -> tuple[int, tuple[int, ...]]:
    """How often the tuned arm gave the good answer, and the measured trials by scenario."""
    kind, good = METRICS[asked.claim.metric], 0
    sizes: dict[str, int] = {}
    for pair in asked.pairs:
        right: bool | None = None
        if pair.result is PairResult.INVALID:
            if asked.imputation is not Imputation.OBSERVED and kind.applies(pair.expected_terminal):
                right = asked.imputation is Imputation.FOR
        elif pair.result is not PairResult.STOPPED:
            shown = kind.read(pair.tuned) if pair.tuned else None
            right = None if shown is None else shown == (kind.better is Better.HIGHER)
        if right is not None:
            good += right
            sizes[pair.scenario] = sizes.get(pair.scenario, 0) + 1
    return good, tuple(sizes.values())


def zero_violations(asked: Question) -> Judged:
    """There is no pair that base gets right and tuned wrong; pairs that an early stop left out might be some."""
    claim, pairs = asked.claim, asked.pairs
    if not pairs and claim.subset.archetype is None:
        return Judged(
            status=Status.MET, text="this run has no such pair, so nothing was violated and nothing was proven."
        )
    counted = tally(pairs, claim.metric, asked.imputation)
    if counted.n == 0:
        return nothing(pairs)
    higher = METRICS[claim.metric].better is Better.HIGHER
    worse = (True, False) if higher else (False, True)
    lost = sorted({pair.scenario for pair in pairs if cell_of(pair, claim.metric, asked.imputation) == worse})
    if lost:
        more = f" and {len(lost) - NAMED} more" if len(lost) > NAMED else ""
        text = f"base gets right and tuned wrong: {', '.join(lost[:NAMED])}{more}."
        return Judged(status=Status.NOT_MET, text=text)
    seen = f"none of {plural(counted.n, 'pair')} that base gets right and tuned wrong"
    unseen = sum(pair.result is PairResult.STOPPED for pair in pairs)
    if unseen:
        text = f"{seen}, but the run stopped before {plural(unseen, 'such pair')} had run."
        return Judged(status=Status.UNDECIDABLE, text=text)
    return Judged(status=Status.MET, text=f"{seen}.")
