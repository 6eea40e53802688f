"""The report's schema: frozen models that are the JSON of paired_eval_report.json, versioned.

The models of its numbers are in `schema_numbers`, and are named here too.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field

from harness.values import Metrics, Outcome, ParityLevel, Terminal
from reports.schema_numbers import (
    LARGEST,
    ArchetypeRow,
    ArmRepeats,
    AxisRow,
    CalibrationRate,
    CalibrationRow,
    ClusteredTests,
    Count,
    Difference,
    EarlyStop,
    Limits,
    Measure,
    Metric,
    PairedCounts,
    PairedTest,
    PairedTestName,
    Part,
    PassK,
    Probability,
    Rate,
    Repeats,
    Whole,
    WinOdds,
)
from reports.words import ClaimKind, Status, Tier

__all__ = [
    "SCHEMA_VERSION",
    "ArchetypeRow",
    "ArmRepeats",
    "ArmSection",
    "Arms",
    "AxisRow",
    "CalibrationRate",
    "CalibrationRow",
    "Cause",
    "ClaimFinding",
    "ClaimKind",
    "ClusteredTests",
    "Count",
    "Difference",
    "EarlyStop",
    "Exclusion",
    "ExclusionKind",
    "GateResult",
    "Limits",
    "Measure",
    "Metric",
    "Pair",
    "PairResult",
    "PairedCounts",
    "PairedTest",
    "PairedTestName",
    "Pairwise",
    "ParitySection",
    "PassK",
    "Rate",
    "Recommendation",
    "Repeats",
    "Report",
    "RunSection",
    "Scoring",
    "ScoringMode",
    "Status",
    "Tier",
    "TrialSummary",
    "WinOdds",
]

SCHEMA_VERSION: Literal[2] = 2


class ScoringMode(StrEnum):
    """Who answered: a model, or a script that stands in for one."""

    LIVE = "live"
    FIXTURE = "fixture"


class GateResult(StrEnum):
    """What the policy's claims came to."""

    PASS = "pass"  # noqa: S105 - a result, not a password
    FAIL = "fail"
    INCONCLUSIVE = "inconclusive"


class Recommendation(StrEnum):
    """What to do with the tuned model."""

    PROMOTE = "promote_to_stage"
    HOLD = "hold"
    AWAIT = "await_paired_eval"


class PairResult(StrEnum):
    """A pair from the tuned arm's side; `invalid` and `stopped` pairs count in no rate and no test."""

    WIN = "win"
    LOSS = "loss"
    TIE = "tie"
    INVALID = "invalid"
    STOPPED = "stopped"  # not run, since a stopping rule had decided before its turn came


class RunSection(Part):
    """What was run; settings that the manifest did not tell are null."""

    id: str
    started_at: str | None
    finished_at: str | None
    evalh_version: str | None
    engine: str | None
    seed: int | None
    temperature: float | None
    top_p: float | None = None
    max_tokens: int | None = None
    deterministic: bool | None = None
    repeats: int | None
    planned_pairs: Count
    level: Probability = Field(description="confidence level of every interval in this report")
    digests: dict[str, str] = Field(description="what identifies the parts: sandbox image, models, template, contracts")


class ArmSection(Part):
    """One arm: its trials by outcome (last attempts), and medians over the trials of valid pairs."""

    model: str | None
    trials: Count
    passed: Count
    failed: Count
    invalid: Count
    median_turns: float | None
    median_seconds: float | None
    median_prompt_tokens: float | None
    median_completion_tokens: float | None


class Arms(Part):
    """Both arms."""

    base: ArmSection
    tuned: ArmSection


class Scoring(Part):
    """Whether the numbers say anything about a model, and whether they may promote it."""

    mode: ScoringMode
    quality_signal: bool = Field(description="true if a model, not a script, was measured on at least one valid pair")
    promotion_eligible: bool
    notes: tuple[str, ...]


class ParitySection(Part):
    """What the models read on every turn of the valid trials, compared with the render contract."""

    level: ParityLevel = Field(description="how prompts were compared; the weakest way that any of them was")
    prompts: Count
    agreed: Count
    differed: Count
    unchecked: Count
    rejoined: Count = Field(description="replies whose own token ids do not begin the next prompt")
    differences: tuple[str, ...] = Field(description="the first difference of the first trials that have one")


class TrialSummary(Part):
    """One arm of a pair: the last attempt's record in short."""

    outcome: Outcome
    reason: str
    terminal: Terminal | None
    exit_status: int | None
    panic_reason: str
    attempt: Annotated[int, Field(ge=1, le=LARGEST)]
    turns: Whole
    seconds: Annotated[float, Field(ge=0, le=LARGEST)]
    prompt_tokens: Whole | None
    completion_tokens: Whole | None
    failed_part: str | None = Field(description="where an INVALID trial failed: sandbox, endpoint, checker, ...")
    metrics: Metrics
    seed: int | None = None


class Pair(Part):
    """The two trials of one scenario and repeat; what no record tells is null."""

    scenario: str
    repeat: Count
    archetype: str | None
    critical: bool | None
    expected_terminal: Terminal | None
    result: PairResult
    base: TrialSummary | None
    tuned: TrialSummary | None
    scenario_digest: str | None = Field(
        default=None, description="of the version that ran; the tuned arm's if they differ"
    )
    tags: dict[str, str] = Field(default={}, description="the scenario's axes")
    position: int | None = Field(default=None, description="its place, from 0, in the preset order of a stopping rule")


class ExclusionKind(StrEnum):
    """Why a pair counts in no rate and no test."""

    INVALID = "invalid"
    MISSING = "missing"
    MISMATCH = "mismatch"


class Cause(Part):
    """What was wrong with one arm of an excluded pair."""

    arm: Literal["base", "tuned", "both"]
    kind: ExclusionKind
    failed_part: str | None
    reason: str


class Exclusion(Part):
    """A pair that was left out, and why."""

    scenario: str
    repeat: Count
    causes: Annotated[tuple[Cause, ...], Field(min_length=1)]


class Pairwise(Part):
    """The pairs by result on success, from the tuned arm's side; they sum to the pairs that a stopping rule left in."""

    wins: Count
    losses: Count
    ties: Count
    invalid: Count


class ClaimFinding(Part):
    """A claim of the policy, with its thresholds, and what the pairs say of it."""

    metric: str
    kind: ClaimKind
    tier: Tier
    alpha: float | None
    margin: float | None
    threshold: float | None
    minimum_effect: float | None
    ratio: float | None
    archetype: str | None
    critical: bool | None
    status: Status
    sentence: str
    p: Probability | None = Field(description="what the claim's alpha is held against; null where there is no test")
    p_holm: Probability | None = Field(description="p after Holm over all claims of the policy that have one")


class Report(Part):
    """The paired report of one run."""

    schema_version: Literal[2] = SCHEMA_VERSION
    run: RunSection
    arms: Arms
    scoring: Scoring
    parity: ParitySection | None = Field(default=None, description="null if no valid trial came to a prompt")
    metrics: tuple[Metric, ...]
    pairs: tuple[Pair, ...]
    exclusions: tuple[Exclusion, ...]
    critical_pass_rate: Probability | None = Field(
        description="the tuned arm's success rate on valid pairs of critical scenarios; null if there is none"
    )
    pairwise: Pairwise
    aggregate_score: Probability | None = Field(
        description="the tuned arm's success rate over all valid pairs; null if there is none"
    )
    gate_result: GateResult
    promotion_recommendation: Recommendation
    rationale: Annotated[tuple[str, ...], Field(min_length=1)]
    policy: str | None = Field(default=None, description="the policy that decided; null in a report of schema 1")
    findings: tuple[ClaimFinding, ...] = ()
    measures: tuple[Measure, ...] = ()
    repeats: Repeats | None = Field(default=None, description="null if no scenario was run more than once")
    calibration: tuple[CalibrationRow, ...] = Field(default=(), description="empty if it was not run")
    stopped: EarlyStop | None = Field(default=None, description="null if the run had no stopping rule")

    @property
    def not_needed(self) -> int:
        """How many pairs an early stop made unnecessary."""
        return self.stopped.pairs_not_run if self.stopped else 0

    @property
    def valid_pairs(self) -> int:
        """How many pairs have a verdict that counts in both arms."""
        return self.pairwise.wins + self.pairwise.losses + self.pairwise.ties
