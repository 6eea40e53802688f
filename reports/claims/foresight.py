"""What a policy asks for that no run of these scenarios can show: to be said before the run."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from reports.claims.find import title
from reports.claims.needs import pairs_needed
from reports.facts import ScenarioFacts
from reports.policy import Claim, Policy
from reports.tally import METRICS
from reports.wording import plural
from reports.words import ClaimKind, Tier


def undecidable(
    policy: Policy,
    scenarios: int | Sequence[ScenarioFacts],
    *,
    sequential: bool = False,
    repeats: bool = False,
) -> tuple[str, ...]:
    """A sentence for each claim, advisory ones aside, that these scenarios can never meet, or meet without proof.

    With a bare number, claims about subsets are taken to be about any of the scenarios except those about one
    archetype; `sequential` if the run may stop early, `repeats` if it runs scenarios more than once.
    """
    facts = [ScenarioFacts(id=str(i)) for i in range(scenarios)] if isinstance(scenarios, int) else scenarios
    known = not isinstance(scenarios, int)
    return tuple(
        sentence
        for claim in policy.claims
        if claim.tier is not Tier.ADVISORY and (known or claim.subset.archetype is None)
        for sentence in _lacks(claim, facts, sequential=sequential, repeats=repeats)
    )


def _lacks(claim: Claim, facts: Sequence[ScenarioFacts], *, sequential: bool, repeats: bool) -> Iterator[str]:
    chosen = [fact for fact in facts if _fits(claim, fact)]
    whole = len(chosen) == len(facts)
    needed = pairs_needed(claim, sequential=sequential, repeats=repeats)
    has = (
        f"this run has {len(chosen)}" if whole else f"{len(chosen)} of this run's {plural(len(facts), 'scenario')} fit"
    )
    if claim.kind is ClaimKind.ZERO_VIOLATIONS and not chosen and claim.subset.archetype is None:
        yield f"{title(claim)}: this run has no such scenario, so it will be met and prove nothing"
    elif needed > len(chosen):
        yield f"{title(claim)} needs at least {plural(needed, 'scenario')}, {has}"
    elif sequential and _needs_fixed_n(claim):
        yield f"{title(claim)} needs a number of pairs fixed beforehand, and this run may stop early"


def _fits(claim: Claim, fact: ScenarioFacts) -> bool:
    subset = claim.subset
    if subset.archetype is not None and fact.archetype not in {None, subset.archetype}:
        return False
    if subset.critical is not None and fact.critical not in {None, subset.critical}:
        return False
    return claim.metric not in METRICS or METRICS[claim.metric].applies(fact.expected_terminal)


def _needs_fixed_n(claim: Claim) -> bool:
    """Whether the claim rests on a test that is only valid where the number of pairs was fixed."""
    if claim.kind is ClaimKind.SUPERIORITY:
        return claim.minimum_effect is not None
    return claim.alpha is not None
