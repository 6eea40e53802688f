"""`--stop-when decided`: the rule that a policy asks for, and who watches a running campaign for its decision."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from harness.attempts import open_attempts
from harness.errors import BadInputError
from harness.store import StopRule
from harness.values import Arm, TrialKey, TrialRecord
from reports.pairing import pair_up
from reports.policy import Claim, Policy
from reports.sequential import Decided, Rule, Stopping, preset_order
from reports.words import ClaimKind, Tier
from scenarios import LoadedScenario


def stop_rule(policy: Policy, scenarios: Sequence[LoadedScenario], seed: int) -> StopRule:
    """The rule by which a run of these scenarios may stop once its policy's superiority claim is decided.

    The scenarios of critical zero-violations claims come first, and a stop for success waits for all of them.

    Raises:
        BadInputError: a critical claim of the policy needs a number of pairs that is fixed beforehand.
    """
    critical = [claim for claim in policy.claims if claim.tier is Tier.CRITICAL]
    claims = [claim for claim in critical if _is_watched(claim)]
    for claim in critical:
        if claim not in claims and not _needs_no_fixed_size(claim):
            raise _undecided(policy, f"its critical claim {claim.kind.replace('_', ' ')} on {claim.metric}")
    if len(claims) != 1 or claims[0].alpha is None:
        raise _undecided(policy, f"it has {len(claims)} critical claims of superiority over all scenarios, not one")
    vetoes = [claim for claim in critical if claim.kind is ClaimKind.ZERO_VIOLATIONS]
    first = [each.scenario.id for each in scenarios if any(_is_about(claim, each) for claim in vetoes)]
    order = preset_order((each.scenario.id for each in scenarios), first, seed)
    return StopRule(metric=claims[0].metric, alpha=claims[0].alpha, order=order, first=order[: len(first)])


def _is_watched(claim: Claim) -> bool:
    plain = claim.minimum_effect is None and claim.subset.archetype is None and claim.subset.critical is None
    return claim.kind is ClaimKind.SUPERIORITY and plain


def _needs_no_fixed_size(claim: Claim) -> bool:
    return claim.kind is not ClaimKind.SUPERIORITY and claim.alpha is None


def _is_about(claim: Claim, loaded: LoadedScenario) -> bool:
    archetype, critical = claim.subset.archetype, claim.subset.critical
    return archetype in {None, loaded.scenario.archetype} and critical in {None, loaded.scenario.critical}


def _undecided(policy: Policy, why: str) -> BadInputError:
    return BadInputError(
        f"--stop-when decided cannot follow the policy {policy.name}: {why}",
        hint="only superiority has a test here that is valid at any time; leave --stop-when out",
    )


class Watch:
    """Follows a campaign's records for the stopping rule: complete scenarios of the preset order, none before its turn.

    A scenario is complete once no arm of any of its repeats has an attempt before it.
    """

    def __init__(self, rule: StopRule, *, repeats: int, attempts: int) -> None:
        self._rule = Rule(metric=rule.metric, alpha=rule.alpha, planned=len(rule.order), first=len(rule.first))
        self._order, self._repeats, self._attempts = rule.order, repeats, attempts
        self._next = 0

    def look(self, latest: Mapping[TrialKey, TrialRecord]) -> Decided | None:
        """The decision that the last records of the trials come to."""
        while self._rule.decision is None and self._next < len(self._order):
            records = self._complete(self._order[self._next], latest)
            if not records:
                break
            self._rule.add(pair_up(records)[0])
            self._next += 1
        return self._rule.decision

    def told(self) -> Stopping:
        """What the rule says now, for the audit log."""
        return self._rule.told()

    def _complete(self, scenario: str, latest: Mapping[TrialKey, TrialRecord]) -> list[TrialRecord]:
        records: list[TrialRecord] = []
        for repeat in range(self._repeats):
            pair = [latest.get(TrialKey(scenario=scenario, arm=arm, repeat=repeat)) for arm in Arm]
            if any(open_attempts(pair, self._attempts)):
                return []
            records += [record for record in pair if record]
        return records
