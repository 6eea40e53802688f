"""The decision: one value from which text, JSON, JUnit and the exit code all derive."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from harness.errors import InfrastructureError
from harness.values import Outcome
from reports.claims import Finding, Status, find, pairs_needed, title
from reports.parity import parity_doubts
from reports.policy import Policy, Tier
from reports.schema import (
    Exclusion,
    GateResult,
    Pair,
    PairResult,
    ParitySection,
    Recommendation,
    Report,
    Scoring,
    ScoringMode,
)
from reports.tally import Imputation
from reports.wording import percent, plural


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What the policy says of a run; `infrastructure` marks one that the machine, not the model, left undecided."""

    policy: str
    gate_result: GateResult
    rationale: tuple[str, ...]
    findings: tuple[Finding, ...]
    infrastructure: bool = False

    @property
    def promotion_recommendation(self) -> Recommendation:
        """What to do: a pass promotes, a fail holds, all else waits for a better run."""
        return {
            GateResult.PASS: Recommendation.PROMOTE,
            GateResult.FAIL: Recommendation.HOLD,
            GateResult.INCONCLUSIVE: Recommendation.AWAIT,
        }[self.gate_result]

    @property
    def exit_code(self) -> int:
        """0 promote, 10 inconclusive, 20 gate failed, 40 infrastructure."""
        if self.infrastructure:
            return InfrastructureError.exit_code
        return {GateResult.PASS: 0, GateResult.INCONCLUSIVE: 10, GateResult.FAIL: 20}[self.gate_result]


def gate(report: Report, policy: Policy) -> Decision:
    """Decide over a report by any policy, from its pairs alone."""
    return decide(report.pairs, report.exclusions, report.scoring, report.parity, policy)


def decide(
    pairs: Sequence[Pair],
    exclusions: Sequence[Exclusion],
    scoring: Scoring,
    parity: ParitySection | None,
    policy: Policy,
) -> Decision:
    """Hold every claim against the pairs, then ask whether anything but the model decided."""
    findings = tuple(find(claim, pairs) for claim in policy.claims)
    result, why = _by_claims(findings)
    infrastructure, doubts = False, list[str]()
    excluded = [pair for pair in pairs if pair.result is PairResult.INVALID]
    broken = sum(_broken(pair) for pair in excluded)
    if not pairs or len(excluded) == len(pairs):
        result, why = GateResult.INCONCLUSIVE, "there is no valid pair."
        infrastructure = broken > 0
    elif broken > policy.max_invalid_share * len(pairs):
        share = f"{percent(broken / len(pairs))} of the pairs are INVALID"
        result, why = GateResult.INCONCLUSIVE, f"{share}, the policy bears {percent(policy.max_invalid_share)}."
        infrastructure = True
    elif excluded:
        result, why, doubt = _with_excluded(pairs, policy, result, why)
        doubts.append(doubt)
    obstacles = ineligible(scoring, parity, policy)
    if result is GateResult.PASS and obstacles:
        result, why = GateResult.INCONCLUSIVE, "every critical claim is met, but this run may not promote: see below."
    if excluded:
        doubts.insert(0, _exclusion_sentence(len(pairs), exclusions))
    return Decision(
        policy=policy.name,
        gate_result=result,
        rationale=(
            f"{_HEADLINES[result]} by the policy {policy.name}: {why}",
            *(f"[{finding.claim.tier}, {finding.status.replace('_', ' ')}] {finding.sentence}" for finding in findings),
            *doubts,
            *obstacles,
        ),
        findings=findings,
        infrastructure=infrastructure,
    )


_HEADLINES = {
    GateResult.PASS: "Promote to stage",
    GateResult.FAIL: "Hold",
    GateResult.INCONCLUSIVE: "Inconclusive",
}


def undecidable(policy: Policy, scenarios: int) -> tuple[str, ...]:
    """What the policy's claims ask for that no run of so many scenarios can show; to be said before the run."""
    return tuple(
        f"{title(claim)} needs at least {plural(pairs_needed(claim), 'scenario')}, this run has {scenarios}"
        for claim in policy.claims
        if claim.tier is not Tier.ADVISORY and claim.subset.archetype is None and pairs_needed(claim) > scenarios
    )


def _by_claims(findings: Sequence[Finding]) -> tuple[GateResult, str]:
    critical = [finding for finding in findings if finding.claim.tier is Tier.CRITICAL]
    unmet = [f for f in critical if f.status in {Status.NOT_MET, Status.REFUTED}]
    if unmet:
        return GateResult.FAIL, f"{plural(len(unmet), 'critical claim')} of {len(critical)} not met."
    if open_ := [f for f in critical if f.status is Status.UNDECIDABLE]:
        return GateResult.INCONCLUSIVE, f"{plural(len(open_), 'critical claim')} cannot be decided on these pairs."
    if any(f.claim.tier is Tier.SUPPORTING and f.status is Status.REFUTED for f in findings):
        return GateResult.INCONCLUSIVE, "a supporting claim is refuted although every critical one is met."
    return GateResult.PASS, "every critical claim is met."


def _with_excluded(pairs: Sequence[Pair], policy: Policy, result: GateResult, why: str) -> tuple[GateResult, str, str]:
    """The result again with all excluded pairs counted against, and for, the tuned arm."""
    against, for_ = (
        _by_claims([find(claim, pairs, imputation) for claim in policy.claims])[0]
        for imputation in (Imputation.AGAINST, Imputation.FOR)
    )
    if against is for_ is result:
        return result, why, f"Counting the excluded pairs all against or all for the tuned arm also gives {result}."
    doubt = f"Counting the excluded pairs against the tuned arm gives {against}, for it {for_}, without them {result}."
    return GateResult.INCONCLUSIVE, "the decision hangs on excluded pairs.", doubt


def _broken(pair: Pair) -> bool:
    return any(trial is not None and trial.outcome is Outcome.INVALID for trial in (pair.base, pair.tuned))


def _exclusion_sentence(pairs: int, exclusions: Sequence[Exclusion]) -> str:
    kinds = Counter(
        f"{cause.kind} ({cause.failed_part})" if cause.failed_part else str(cause.kind)
        for exclusion in exclusions
        for cause in exclusion.causes[:1]
    )
    listed = ", ".join(f"{count} {kind}" for kind, count in sorted(kinds.items()))
    return f"{len(exclusions)} of {plural(pairs, 'pair')} excluded: {listed}."


def ineligible(scoring: Scoring, parity: ParitySection | None, policy: Policy) -> tuple[str, ...]:
    """Why a run may promote nothing, whatever its numbers are; empty if it may. Each begins with "not eligible:"."""
    if scoring.mode is ScoringMode.FIXTURE:
        reasons = ["not eligible: a script answered, not a model (scoring mode fixture)"]
    else:
        reasons = [f"not eligible: {doubt}" for doubt in parity_doubts(parity, policy.parity)]
    return (*reasons, *(note for note in scoring.notes if note.startswith("not eligible")))
