"""The decision: one value from which text, JSON, JUnit and the exit code all derive."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from harness.errors import InfrastructureError
from harness.values import Outcome, ParityLevel
from reports.claims import Finding, Status, find, with_holm
from reports.claims.judged import fits
from reports.parity import parity_doubts
from reports.policy import Policy
from reports.schema import (
    EarlyStop,
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
from reports.words import Tier


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
    return decide(report.pairs, report.exclusions, report.scoring, report.parity, policy, stopped=report.stopped)


def decide(
    pairs: Sequence[Pair],
    exclusions: Sequence[Exclusion],
    scoring: Scoring,
    parity: ParitySection | None,
    policy: Policy,
    *,
    stopped: EarlyStop | None = None,
) -> Decision:
    """Hold every claim against the pairs, then ask whether anything but the model decided.

    Where the pairs have places in a preset order, the run had a stopping rule: then only tests that are valid at any
    time may decide. `stopped` tells where that rule stopped.
    """
    findings = with_holm(_find_all(pairs, policy))
    held = _guarded(pairs, exclusions, policy, findings)
    result, why = held.result, held.why
    obstacles = ineligible(scoring, parity, policy)
    if result is GateResult.PASS and obstacles:
        result, why = GateResult.INCONCLUSIVE, "every critical claim is met, but this run may not promote: see below."
    return Decision(
        policy=policy.name,
        gate_result=result,
        rationale=(
            f"{_HEADLINES[result]} by the policy {policy.name}: {why}",
            *(f"[{finding.claim.tier}, {finding.status.replace('_', ' ')}] {finding.sentence}" for finding in findings),
            *(stopped.sentences if stopped else ()),
            *held.doubts,
            *obstacles,
        ),
        findings=findings,
        infrastructure=held.infrastructure,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Held:
    """What the claims come to once the excluded pairs are taken into account."""

    result: GateResult
    why: str
    doubts: tuple[str, ...] = ()
    infrastructure: bool = False


def _guarded(
    pairs: Sequence[Pair], exclusions: Sequence[Exclusion], policy: Policy, findings: Sequence[Finding]
) -> _Held:
    """The result of the claims, unless too many pairs are excluded, or it hangs on those that are."""
    result, why = _by_claims(findings)
    count = sum(pair.result is not PairResult.STOPPED for pair in pairs)
    excluded = [pair for pair in pairs if pair.result is PairResult.INVALID]
    broken = sum(_broken(pair) for pair in excluded)
    told = (_exclusion_sentence(count, exclusions),) if excluded else ()
    if count == len(excluded):
        why = "there is no valid pair."
        return _Held(result=GateResult.INCONCLUSIVE, why=why, doubts=told, infrastructure=broken > 0)
    if broken > policy.max_invalid_share * count:
        why = (
            f"{percent(broken / count)} of the pairs are INVALID, the policy bears {percent(policy.max_invalid_share)}."
        )
        return _Held(result=GateResult.INCONCLUSIVE, why=why, doubts=told, infrastructure=True)
    if result is GateResult.PASS and not _about_something(pairs, policy):
        why = "no critical claim is about any pair of this run."
        return _Held(result=GateResult.INCONCLUSIVE, why=why, doubts=told)
    if not excluded:
        return _Held(result=result, why=why)
    result, why, doubt = _with_excluded(pairs, policy, result, why)
    return _Held(result=result, why=why, doubts=(*told, doubt))


def _about_something(pairs: Sequence[Pair], policy: Policy) -> bool:
    critical = [claim.subset for claim in policy.claims if claim.tier is Tier.CRITICAL]
    return any(fits(pair, subset) for subset in critical for pair in pairs)


def _find_all(
    pairs: Sequence[Pair], policy: Policy, imputation: Imputation = Imputation.OBSERVED
) -> tuple[Finding, ...]:
    sequential = any(pair.position is not None for pair in pairs)
    return tuple(find(claim, pairs, imputation, sequential=sequential) for claim in policy.claims)


_HEADLINES = {
    GateResult.PASS: "Promote to stage",
    GateResult.FAIL: "Hold",
    GateResult.INCONCLUSIVE: "Inconclusive",
}


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
        _by_claims(_find_all(pairs, policy, imputation))[0] for imputation in (Imputation.AGAINST, Imputation.FOR)
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
    told = [note for note in scoring.notes if note.startswith("not eligible")]
    if not (scoring.promotion_eligible or reasons or told or parity_doubts(parity, ParityLevel.REPLY_IDS)):
        reasons = ["not eligible: the report itself says so, without a reason"]  # whoever wrote that into it
    return (*reasons, *told)
