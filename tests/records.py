"""Small builders of records, so that a test says only what matters to it."""

from __future__ import annotations

from dataclasses import replace

from harness.store import ModelRef, RunManifest, Sampling, ScenarioRef
from harness.values import Arm, Failure, Metrics, Outcome, ParityLevel, ParityTally, Terminal, TrialRecord

DIGEST = "sha256:" + "0" * 64


def record(
    scenario: str = "stock-01", arm: Arm = Arm.BASE, *, success: bool | None = True, repeat: int = 0, attempt: int = 1
) -> TrialRecord:
    """A finished trial that passed or failed in every metric, or with `success=None` an INVALID one."""
    valid = success is not None
    outcome = Outcome.INVALID if success is None else Outcome.PASS if success else Outcome.FAIL
    return TrialRecord(
        scenario=scenario,
        scenario_digest=DIGEST,
        archetype=scenario.rsplit("-", 1)[0],
        tags=(("announcement", "motd"),),
        critical=False,
        expected_terminal=Terminal.EXIT,
        arm=arm,
        repeat=repeat,
        attempt=attempt,
        seed=7,
        model=arm.value,
        outcome=outcome,
        reason="as expected" if valid else "sandbox: the engine is gone",
        terminal=Terminal.EXIT if valid else None,
        exit_status=0 if valid else None,
        panic_reason="",
        metrics=_metrics(success=success),
        checks=(),
        failure=None if valid else Failure(address="sandbox", message="the engine is gone"),
        turns=3 if valid else 0,
        prompt_tokens=300 if valid else None,
        completion_tokens=30 if valid else None,
        started_at="2026-01-01T00:00:00.000+00:00",
        seconds=1.5,
        engine="crun",
        parity=compared(3) if valid else None,
    )


def _metrics(*, success: bool | None) -> Metrics:
    return Metrics(
        any_command=success,
        first_command_turn=1 if success else None,
        clean=success,
        operate=success,
        command_mode=success,
        terminated=success,
        right_terminal=success,
        false_panic=None if success is None else False,
        directives_retrieved=success,
        task=success,
        success=success,
    )


def compared(
    prompts: int, *, level: ParityLevel = ParityLevel.REPLY_IDS, differed: int = 0, first: str = ""
) -> ParityTally:
    """A trial's prompts, all of them compared with the render contract."""
    return ParityTally(
        level=level,
        prompts=prompts,
        agreed=prompts - differed,
        differed=differed,
        rejoined=0,
        first_difference=first,
    )


def with_metrics(trial: TrialRecord, **changes: bool | None) -> TrialRecord:
    """The same trial with some metrics changed."""
    return replace(trial, metrics=replace(trial.metrics, **changes))


def manifest(*scenarios: str, seed: int = 0, repeats: int = 1, scripted: bool = False) -> RunManifest:
    """A manifest of a small local run."""
    return RunManifest(
        run="test",
        created_at="2026-01-01T00:00:00.000+00:00",
        argv=("evalh", "run"),
        versions={"evalh": "0"},
        settings={},
        seed=seed,
        repeats=repeats,
        scenarios=tuple(ScenarioRef(id=name, digest=DIGEST) for name in scenarios),
        engine="crun",
        sandbox_image=DIGEST,
        base=ModelRef(name="base"),
        tuned=ModelRef(name="tuned"),
        chat_template_sha256=None,
        endpoint="http://127.0.0.1:1/v1",
        endpoint_scripted=scripted,
        endpoint_notes=(),
        sampling=Sampling(temperature=0.0, top_p=1.0, max_tokens=128, deterministic=True),
        session_contract="1",
        render_contract="1",
    )
