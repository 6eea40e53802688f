"""The report's schema: frozen models that are the JSON of paired_eval_report.json, versioned."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from harness.values import Metrics, Outcome, ParityLevel, Terminal

SCHEMA_VERSION: Literal[1] = 1

Probability = Annotated[float, Field(ge=0, le=1)]
Limits = tuple[float, float]  # [low, high], at `run.level`
Count = Annotated[int, Field(ge=0)]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


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
    """A pair from the tuned arm's side; `invalid` pairs count in no rate and no test."""

    WIN = "win"
    LOSS = "loss"
    TIE = "tie"
    INVALID = "invalid"


class RunSection(_Part):
    """What was run; settings that the manifest did not tell are null."""

    id: str
    started_at: str | None
    finished_at: str | None
    evalh_version: str | None
    engine: str | None
    seed: int | None
    temperature: float | None
    repeats: int | None
    planned_pairs: Count
    level: Probability = Field(description="confidence level of every interval in this report")
    digests: dict[str, str] = Field(description="what identifies the parts: sandbox image, models, template, contracts")


class ArmSection(_Part):
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


class Arms(_Part):
    """Both arms."""

    base: ArmSection
    tuned: ArmSection


class Scoring(_Part):
    """Whether the numbers say anything about a model, and whether they may promote it."""

    mode: ScoringMode
    quality_signal: bool = Field(description="true if a model, not a script, was measured on at least one valid pair")
    promotion_eligible: bool
    notes: tuple[str, ...]


class ParitySection(_Part):
    """What the models read on every turn of the valid trials, compared with the render contract."""

    level: ParityLevel = Field(description="how prompts were compared; the weakest way that any of them was")
    prompts: Count
    agreed: Count
    differed: Count
    unchecked: Count
    rejoined: Count = Field(description="replies whose own token ids do not begin the next prompt")
    differences: tuple[str, ...] = Field(description="the first difference of the first trials that have one")


class Rate(_Part):
    """How many of the n measured trials met the measure, with intervals."""

    count: Count
    n: Annotated[int, Field(ge=1)]
    rate: Probability
    wilson: Limits
    clopper_pearson: Limits


class PairedCounts(_Part):
    """The pairs in which both arms were measured, by who met the measure."""

    n: Count
    both: Count
    tuned_only: Count
    base_only: Count
    neither: Count


class Difference(_Part):
    """Tuned rate minus base rate over the counted pairs."""

    estimate: Annotated[float, Field(ge=-1, le=1)]
    tango: Limits
    newcombe: Limits


class PairedTestName(StrEnum):
    """The test behind `p`."""

    MCNEMAR_EXACT = "mcnemar_exact"
    SIGN_FLIP = "sign_flip"


class PairedTest(_Part):
    """The two-sided test of no difference; the McNemar values are null where pairs are repeats of a scenario."""

    name: PairedTestName
    p: Probability
    mcnemar_exact_p: Probability | None
    mcnemar_midp: Probability | None
    clusters: Count
    smallest_detectable: Probability | None = Field(
        description="smallest difference that this many pairs would find with power 0.8 at the observed rate of losses"
    )


class ArchetypeRow(_Part):
    """One metric on the scenarios of one archetype."""

    archetype: str
    base: Rate | None
    tuned: Rate | None
    pairs: PairedCounts


class Metric(_Part):
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


class TrialSummary(_Part):
    """One arm of a pair: the last attempt's record in short."""

    outcome: Outcome
    reason: str
    terminal: Terminal | None
    exit_status: int | None
    panic_reason: str
    attempt: int
    turns: int
    seconds: float
    prompt_tokens: int | None
    completion_tokens: int | None
    failed_part: str | None = Field(description="where an INVALID trial failed: sandbox, endpoint, checker, ...")
    metrics: Metrics


class Pair(_Part):
    """The two trials of one scenario and repeat; what no record tells is null."""

    scenario: str
    repeat: Count
    archetype: str | None
    critical: bool | None
    expected_terminal: Terminal | None
    result: PairResult
    base: TrialSummary | None
    tuned: TrialSummary | None


class ExclusionKind(StrEnum):
    """Why a pair counts in no rate and no test."""

    INVALID = "invalid"
    MISSING = "missing"
    MISMATCH = "mismatch"


class Cause(_Part):
    """What was wrong with one arm of an excluded pair."""

    arm: Literal["base", "tuned", "both"]
    kind: ExclusionKind
    failed_part: str | None
    reason: str


class Exclusion(_Part):
    """A pair that was left out, and why."""

    scenario: str
    repeat: Count
    causes: Annotated[tuple[Cause, ...], Field(min_length=1)]


class Pairwise(_Part):
    """The pairs by result on success, from the tuned arm's side; they sum to the number of pairs."""

    wins: Count
    losses: Count
    ties: Count
    invalid: Count


class Report(_Part):
    """The paired report of one run."""

    schema_version: Literal[1] = SCHEMA_VERSION
    run: RunSection
    arms: Arms
    scoring: Scoring
    parity: ParitySection | None = Field(None, description="null if no valid trial came to a prompt")
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
