"""The numbers of a report: rates, paired counts, intervals and tests, as frozen models."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

Probability = Annotated[float, Field(ge=0, le=1)]
Limits = tuple[float, float]  # [low, high], at `run.level`
LARGEST = 2**53 - 1  # every JSON reader holds a whole number up to this one exactly
Count = Annotated[int, Field(ge=0)]
Whole = Annotated[int, Field(ge=0, le=LARGEST)]  # of one trial: what sums and medians are made of
NotNegative = Annotated[float, Field(ge=0)]


class Part(BaseModel):
    """What all parts of the report have in common: nothing unknown, nothing changed, nothing infinite."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Rate(Part):
    """How many of the n measured trials met the measure, with intervals."""

    count: Count
    n: Annotated[int, Field(ge=1)]
    rate: Probability
    wilson: Limits
    clopper_pearson: Limits


class PairedCounts(Part):
    """The pairs in which both arms were measured, by who met the measure."""

    n: Count
    both: Count
    tuned_only: Count
    base_only: Count
    neither: Count


class Difference(Part):
    """Tuned rate minus base rate over the counted pairs."""

    estimate: Annotated[float, Field(ge=-1, le=1)]
    tango: Limits
    newcombe: Limits


class WinOdds(Part):
    """The odds that a pair which tells the arms apart is won by the tuned one; posterior Beta(wins + 1, losses + 1)."""

    wins: Count = Field(description="pairs that only tuned gets right (where lower is better: that only base shows)")
    losses: Count
    odds: NotNegative | None = Field(description="wins to losses; null without a loss")
    median: NotNegative = Field(description="of the odds under a uniform prior")
    interval: Limits
    probability_better: Probability = Field(description="that the true odds are above 1")


class PairedTestName(StrEnum):
    """The test behind `p`."""

    MCNEMAR_EXACT = "mcnemar_exact"
    SIGN_FLIP = "sign_flip"


class PairedTest(Part):
    """The two-sided test of no difference; the McNemar values are null where pairs are repeats of a scenario."""

    name: PairedTestName
    p: Probability
    mcnemar_exact_p: Probability | None
    mcnemar_midp: Probability | None
    clusters: Count
    smallest_detectable: Probability | None = Field(
        description="smallest difference that this many pairs (of repeats: as if these added nothing) would find "
        "with power 0.8 at the observed rate of losses; null if none"
    )
    p_bh: Probability | None = Field(
        default=None,
        description="p after Benjamini and Hochberg over all metrics of the table: for exploring, not deciding",
    )


class ClusteredTests(Part):
    """The comparison once more, with whole scenarios or whole archetypes as the units that chance draws."""

    by: Literal["scenario", "archetype"]
    clusters: Count
    pairs: Count
    difference: Annotated[float, Field(ge=-1, le=1)]
    standard_error: NotNegative | None = Field(description="cluster-robust, with K / (K - 1)")
    cluster_robust: Limits | None
    signflip_p: Probability
    yang_z: float | None
    yang_p: Probability | None
    durkalski_chi2: float | None
    durkalski_p: Probability | None
    conclusion: Literal["different", "not_shown", "inconclusive"]
    reason: str


class ArchetypeRow(Part):
    """One metric on the scenarios of one archetype."""

    archetype: str
    base: Rate | None
    tuned: Rate | None
    pairs: PairedCounts


class AxisRow(Part):
    """One metric on the scenarios with one value of an axis; the rarest values are pooled as "(other)"."""

    axis: str
    value: str
    base: Rate | None
    tuned: Rate | None
    pairs: PairedCounts


class Metric(Part):
    """One metric compared between the arms; null with a reason where nothing was measured."""

    name: str
    question: str
    better: Literal["higher", "lower"]
    base: Rate | None
    tuned: Rate | None
    pairs: PairedCounts
    difference: Difference | None
    test: PairedTest | None
    unmeasured_reason: str | None
    by_archetype: tuple[ArchetypeRow, ...]
    win_odds: WinOdds | None = Field(
        default=None, description="null where nothing was measured, or scenarios have repeats"
    )
    by_axis: tuple[AxisRow, ...] = ()
    clustered: tuple[ClusteredTests, ...] = ()


class Measure(Part):
    """One cost compared between the arms, over the valid pairs in which both arms measured it."""

    name: str
    unit: str
    question: str
    n: Count = Field(description="pairs measured in both arms")
    units: Count = Field(description="scenarios among them; the repeats of one are averaged first")
    base_median: float | None
    tuned_median: float | None
    shift: float | None = Field(description="Hodges-Lehmann estimate of tuned minus base")
    interval: Limits | None = Field(description="of the shift; null where this many units allow none")
    p: Probability | None = Field(description="two-sided, paired sign flip")
    p_standard_error: NotNegative = Field(
        default=0.0, description="of a p that was drawn at random; 0 where it is exact"
    )
    unmeasured_reason: str | None


class PassK(Part):
    """Of the scenarios with at least k repeats: success in at least one of k runs, and in all k."""

    k: Annotated[int, Field(ge=1)]
    scenarios: Count
    pass_at: Probability
    pass_hat: Probability


class ArmRepeats(Part):
    """How steady one arm is: pass@k, pass^k, and the variance of success between and within scenarios."""

    pass_k: tuple[PassK, ...]
    between: NotNegative | None
    within: NotNegative | None
    icc: Probability | None = Field(description="between / (between + within); null where nothing varies")


class Repeats(Part):
    """The repeats of the scenarios, over the valid pairs; of the metric `success`."""

    scenarios: Count
    least: Count = Field(description="fewest valid repeats of a scenario")
    most: Count
    base: ArmRepeats | None
    tuned: ArmRepeats | None


class CalibrationRate(Part):
    """How many of n measured trials met a metric."""

    count: Count
    n: Annotated[int, Field(ge=1)]


class CalibrationRow(Part):
    """What every metric gives to a player that cannot think, on the same scenarios."""

    player: str
    trials: Count
    invalid: Count
    rates: dict[str, CalibrationRate] = Field(description="by metric; one that was never measured is absent")
    note: str | None = None


class EarlyStop(Part):
    """Where a run with a stopping rule stopped, recomputed from its pairs in their preset order.

    The unit is a scenario with all its repeats: one win, loss or tie by the sign of its wins minus losses.
    """

    metric: str
    alpha: Annotated[float, Field(gt=0, lt=1)]
    first: Count = Field(description="scenarios at the front of the order that are all run before a stop for success")
    planned: Count = Field(description="scenarios")
    looked_at: Count = Field(description="scenarios that were finished one after the other, up to the decision")
    pairs_not_run: Count = Field(description="pairs that the decision made unnecessary")
    decision: Literal["better", "worse", "hopeless"] | None = Field(description="null if nothing was decided early")
    wins: Count
    losses: Count
    log_e: float = Field(description="natural logarithm of the e-value at the last scenario looked at")
    log_e_max: NotNegative = Field(description="of the largest e-value on the way; the start counts as 1")
    p: Probability = Field(description="1 / largest e-value: valid wherever the run stops")
    sentences: tuple[str, ...]
