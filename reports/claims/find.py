"""One claim of a policy held against the pairs, with the p that Holm's adjustment is made of."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType

from reports.claims.compare import non_inferiority, superiority
from reports.claims.cost import maximum_cost
from reports.claims.judged import Judged, Question, fits
from reports.claims.level import minimum_rate, zero_violations
from reports.plain import plain
from reports.policy import Claim
from reports.schema import ClaimFinding, Pair
from reports.statistics.multiplicity import holm
from reports.tally import Imputation
from reports.words import ClaimKind, Status

_TESTS: Mapping[ClaimKind, Callable[[Question], Judged]] = MappingProxyType(
    {
        ClaimKind.SUPERIORITY: superiority,
        ClaimKind.NON_INFERIORITY: non_inferiority,
        ClaimKind.MINIMUM_RATE: minimum_rate,
        ClaimKind.ZERO_VIOLATIONS: zero_violations,
        ClaimKind.MAXIMUM_COST: maximum_cost,
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """A claim's status, with the sentence that explains it, its p, and that p after Holm over all claims."""

    claim: Claim
    status: Status
    sentence: str
    p: float | None = None
    p_holm: float | None = None


def find(
    claim: Claim, pairs: Sequence[Pair], imputation: Imputation = Imputation.OBSERVED, *, sequential: bool = False
) -> Finding:
    """Hold one claim against the pairs of its subset; `sequential` if the run had a stopping rule."""
    chosen = [pair for pair in pairs if fits(pair, claim.subset)]
    judged = _TESTS[claim.kind](Question(claim=claim, pairs=chosen, imputation=imputation, sequential=sequential))
    return Finding(claim=claim, status=judged.status, sentence=f"{title(claim)}: {judged.text}", p=judged.p)


def with_holm(findings: Sequence[Finding]) -> tuple[Finding, ...]:
    """The findings with every p adjusted for how many claims have one."""
    adjusted = iter(holm([found.p for found in findings if found.p is not None]))
    return tuple(replace(found, p_holm=next(adjusted)) if found.p is not None else found for found in findings)


def title(claim: Claim) -> str:
    """The claim in few words: superiority on success (critical scenarios)."""
    parts = []
    if claim.subset.archetype is not None:
        parts.append(f"archetype {plain(claim.subset.archetype, 60)}")
    if claim.subset.critical is not None:
        parts.append("critical scenarios" if claim.subset.critical else "scenarios that are not critical")
    where = f" ({', '.join(parts)})" if parts else ""
    return f"{claim.kind.replace('_', ' ')} on {claim.metric}{where}"


def finding_rows(findings: Sequence[Finding]) -> tuple[ClaimFinding, ...]:
    """The findings as they stand in the report."""
    return tuple(
        ClaimFinding(
            metric=found.claim.metric,
            kind=found.claim.kind,
            tier=found.claim.tier,
            alpha=found.claim.alpha,
            margin=found.claim.margin,
            threshold=found.claim.threshold,
            minimum_effect=found.claim.minimum_effect,
            ratio=found.claim.ratio,
            archetype=None if found.claim.subset.archetype is None else plain(found.claim.subset.archetype),
            critical=found.claim.subset.critical,
            status=found.status,
            sentence=found.sentence,
            p=found.p,
            p_holm=found.p_holm,
        )
        for found in findings
    )
