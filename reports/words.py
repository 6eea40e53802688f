"""The words that a policy, a claim's finding and the report share."""

from __future__ import annotations

from enum import StrEnum


class ClaimKind(StrEnum):
    """What a claim says of its metric."""

    SUPERIORITY = "superiority"  # tuned is better than base: exact two-sided p <= alpha, in the good direction
    NON_INFERIORITY = "non_inferiority"  # tuned is less than `margin` worse: one-sided exact p <= alpha
    MINIMUM_RATE = "minimum_rate"  # tuned's rate of the good answer is at least `threshold`
    ZERO_VIOLATIONS = "zero_violations"  # no pair that base gets right and tuned wrong
    MAXIMUM_COST = "maximum_cost"  # tuned's median is at most `threshold`, or at most `ratio` times base's cost


class Tier(StrEnum):
    """How much a claim weighs in the decision."""

    CRITICAL = "critical"  # the gate passes only if it is met
    SUPPORTING = "supporting"  # reported; a pass becomes inconclusive if the data show its opposite
    ADVISORY = "advisory"  # reported only


class Status(StrEnum):
    """What the pairs say of a claim."""

    MET = "met"
    NOT_MET = "not_met"
    REFUTED = "refuted"  # the data show its opposite at the claim's own alpha
    UNDECIDABLE = "undecidable"  # no result on these pairs could have met it, or nothing was measured
