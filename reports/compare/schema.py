"""The schema of a comparison of two runs: frozen models that are the JSON of `evalh compare --json`."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field

from harness.values import Outcome, Terminal
from reports.schema import ScoringMode
from reports.schema_numbers import Count, Limits, PairedTest, Part, Probability, Rate

SignedShare = Annotated[float, Field(ge=-1, le=1)]


class Verdict(StrEnum):
    """How far two runs are comparable."""

    COMPARABLE = "comparable"  # everything that identifies a measurement is known and alike, and no row is left out
    QUALIFIED = "qualified"  # compared, with reservations that are listed
    REFUSED = "refused"  # not compared


class Status(StrEnum):
    """What the two runs say of one fact."""

    SAME = "same"
    DIFFERS = "differs"
    UNKNOWN = "unknown"  # at least one run does not tell, so that it was not compared


class Weight(StrEnum):
    """What a difference does to the comparison."""

    REFUSES = "refuses"
    QUALIFIES = "qualifies"
    INFORMS = "informs"


class Fact(Part):
    """One thing that identifies what was measured, in both runs."""

    name: str
    weight: Weight = Field(description="what a difference in it does to the comparison")
    status: Status
    allowed: bool = Field(description="a difference that would refuse, allowed by --allow")
    a: str | None
    b: str | None
    note: str | None = Field(description="why it could not be compared, where that is not simply unknown")


class RunSide(Part):
    """One of the two runs."""

    run: str
    source: Literal["records", "report"] = Field(description="made again from the records, or read from a report file")
    started_at: str | None
    evalh_version: str | None
    mode: ScoringMode
    base_model: str | None
    tuned_model: str | None
    pairs: Count


class Why(StrEnum):
    """Why a row is left out."""

    ONLY_A = "only_in_a"
    ONLY_B = "only_in_b"
    OTHER_VERSION = "other_version"  # the scenario's content differs between the runs
    INVALID = "invalid"
    NOT_RUN = "not_run"


class LeftOut(Part):
    """A row of one arm that one or both runs have, and that is not compared."""

    scenario: str
    repeat: Count
    why: Why
    reason: str


class Counts(Part):
    """The rows measured in both runs, by which run met the measure."""

    n: Count
    both: Count
    b_only: Count
    a_only: Count
    neither: Count


class RunDifference(Part):
    """The rate of run B minus the rate of run A over the counted rows."""

    estimate: SignedShare
    tango: Limits
    newcombe: Limits


class Finding(StrEnum):
    """What the test of one metric shows, at the level of the intervals."""

    B_BETTER = "b_better"
    A_BETTER = "a_better"
    NOT_SHOWN = "not_shown"
    UNDECIDABLE = "undecidable"  # so few scenarios could never reach the level
    UNMEASURED = "unmeasured"


class ComparedMetric(Part):
    """One metric of one arm, compared between the runs; not adjusted for the number of metrics."""

    name: str
    question: str
    better: Literal["higher", "lower"]
    a: Rate | None
    b: Rate | None
    pairs: Counts
    difference: RunDifference | None
    test: PairedTest | None
    finding: Finding


class Ending(Part):
    """How one row ended in one run."""

    outcome: Outcome
    terminal: Terminal | None
    turns: Count
    reason: str


class Change(Part):
    """A row that only one of the runs got right in the metric that was asked for."""

    scenario: str
    repeat: Count
    better: Literal["a", "b"]
    a: Ending
    b: Ending


class ArmComparison(Part):
    """One arm of run A against the same arm of run B; rows = compared + left_out."""

    arm: Literal["base", "tuned"]
    rows: Count
    compared: Count
    metrics: tuple[ComparedMetric, ...]
    changes: tuple[Change, ...]
    left_out: tuple[LeftOut, ...]


class Drift(Part):
    """The base of run A against the base of run B: the same model should have done the same."""

    same_base: bool | None = Field(description="null where a run does not tell which base it had")
    compared: Count
    differ: Count = Field(description="rows that ended otherwise: outcome, terminal, turns or any metric")
    differ_in_metric: Count
    p: Probability | None = Field(description="two-sided p of no difference in the metric")
    drifted: bool = Field(description="true if the same base did other than chance and sampling explain")
    sentence: str


class Gain(Part):
    """How much more the tuned model gains over its own base in run B than in run A (rows with all four trials)."""

    rows: Count
    scenarios: Count
    a: SignedShare
    b: SignedShare
    difference: Annotated[float, Field(ge=-2, le=2)]
    p: Probability = Field(description="exact two-sided sign-flip test over scenarios")


class Comparison(Part):
    """Two runs compared: B minus A."""

    schema_version: Literal[1] = 1
    verdict: Verdict
    metric: str
    arm: Literal["base", "tuned"]
    a: RunSide
    b: RunSide
    facts: tuple[Fact, ...]
    refusals: tuple[str, ...]
    qualifications: tuple[str, ...]
    notes: tuple[str, ...]
    level: Probability
    arms: tuple[ArmComparison, ...] = Field(description="the arm that was asked for first; empty if refused")
    base_control: Drift | None = Field(description="null if refused or if the base is what was asked for")
    gain: Gain | None = Field(description="null if refused, if the base was asked for, or without such rows")
