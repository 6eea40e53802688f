"""What a test of a claim comes to, and the few words that all of them share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from reports.policy import Claim, Subset
from reports.schema import Pair, PairResult
from reports.tally import METRICS, Better, Imputation, Tally
from reports.wording import plural
from reports.words import Status


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """A status, the sentence behind it, and the p that alpha was held against (None: there was no test)."""

    status: Status
    text: str
    p: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """A claim, the pairs of its subset, how excluded ones count, and whether the run had a stopping rule."""

    claim: Claim
    pairs: Sequence[Pair]
    imputation: Imputation
    sequential: bool


def fits(pair: Pair, subset: Subset) -> bool:
    """Whether a pair is in a subset; one of which no record tells may be in any."""
    archetype = subset.archetype is None or pair.archetype in {None, subset.archetype}
    return archetype and (subset.critical is None or pair.critical in {None, subset.critical})


def within(p: float, alpha: float) -> bool:
    """Whether p is at most alpha, rounding in its last digits aside."""
    return p <= alpha * (1 + 1e-9)


def wins_and_losses(claim: Claim, counted: Tally) -> tuple[int, int]:
    """Pairs that only the tuned arm gets right, and that only the base does."""
    if METRICS[claim.metric].better is Better.HIGHER:
        return counted.tuned_only, counted.base_only
    return counted.base_only, counted.tuned_only


def nothing(pairs: Sequence[Pair]) -> Judged:
    """There is no measured pair: the claim cannot be decided."""
    if not pairs:
        return Judged(status=Status.UNDECIDABLE, text="this run has no such pair.")
    if all(pair.result is PairResult.STOPPED for pair in pairs):
        return Judged(status=Status.UNDECIDABLE, text="the run stopped before any such pair was run.")
    return Judged(
        status=Status.UNDECIDABLE, text=f"none of its {plural(len(pairs), 'pair')} was measured in both arms."
    )


def needs_fixed_n(seen: str) -> Judged:
    """The run may stop when it likes, and this test's p is only valid at a number of pairs that was fixed before."""
    text = f"{seen}; its test needs a number of pairs fixed beforehand, and this run could stop early."
    return Judged(status=Status.UNDECIDABLE, text=text)
