"""What a report needs to know of a run beside its records."""

from __future__ import annotations

from dataclasses import dataclass

from harness.store import RunManifest
from reports.calibration import CalibrationFile, calibration_notes
from reports.facts import ScenarioFacts
from reports.schema import CalibrationRow, ScoringMode
from reports.sequential import preset_order

ONE_AT_A_TIME = "the server mixes the arms up where both are asked at once: they ran one after the other"
OTHER_ORDER = "the order of its early stop is not the one that its seed gives"


@dataclass(frozen=True, slots=True, kw_only=True)
class StopRule:
    """What an early stop follows: a superiority claim's metric and alpha, over pairs in an order fixed before the run.

    `first` counts the scenarios at its beginning that must be done before a stop for success.
    """

    metric: str
    alpha: float
    order: tuple[tuple[str, int], ...]  # (scenario, repeat), the repeats of a scenario side by side
    first: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class RunInfo:
    """A run's identity and settings.

    `planned` names every pair that the run set out to do, so that one that never ran is seen;
    `blockers` are reasons, besides the scoring mode, why this run may promote nothing.
    """

    id: str
    mode: ScoringMode
    started_at: str | None = None
    evalh_version: str | None = None
    engine: str | None = None
    seed: int | None = None
    temperature: float | None = None
    top_p: float | None = None
    max_tokens: int | None = None
    deterministic: bool | None = None
    repeats: int | None = None
    planned: tuple[tuple[str, int], ...] = ()  # (scenario, repeat)
    scenarios: tuple[ScenarioFacts, ...] = ()
    models: tuple[tuple[str, str], ...] = ()  # (arm, the name that it is served under)
    digests: tuple[tuple[str, str], ...] = ()
    blockers: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    calibration: tuple[CalibrationRow, ...] = ()
    stop_rule: StopRule | None = None


def run_info(manifest: RunManifest, calibration: CalibrationFile | None = None) -> RunInfo:
    """The part of a run's manifest that its report is made of, with its calibration if there is one."""
    sampling = manifest.sampling
    return RunInfo(
        id=manifest.run,
        mode=ScoringMode.FIXTURE if manifest.endpoint_scripted else ScoringMode.LIVE,
        started_at=manifest.created_at,
        evalh_version=manifest.versions.get("evalh"),
        engine=manifest.engine,
        seed=manifest.seed,
        temperature=sampling.temperature,
        top_p=sampling.top_p,
        max_tokens=sampling.max_tokens,
        deterministic=sampling.deterministic,
        repeats=manifest.repeats,
        planned=tuple((s.id, r) for r in range(manifest.repeats) for s in manifest.scenarios),
        scenarios=_scenarios(manifest),
        models=(("base", manifest.base.name), ("tuned", manifest.tuned.name)),
        digests=_digests(manifest),
        blockers=manifest.blockers + _order_blockers(manifest),
        notes=(
            *manifest.endpoint_notes,
            *((ONE_AT_A_TIME,) if manifest.one_arm_at_a_time else ()),
            *(
                f"{finding.check}: {finding.said}"
                for finding in manifest.preflight
                if finding.result != "ok" and finding.said not in manifest.blockers
            ),
            *(calibration_notes(calibration) if calibration else ()),
        ),
        calibration=calibration.rows if calibration else (),
        stop_rule=_stop_rule(manifest),
    )


def _digests(manifest: RunManifest) -> tuple[tuple[str, str], ...]:
    digests = {
        "sandbox_image": manifest.sandbox_image,
        "base": manifest.base.digest,
        "tuned": manifest.tuned.digest,
        "tokenizer": manifest.tokenizer_sha256,
        "chat_template": manifest.chat_template_sha256,
        "session_contract": manifest.session_contract,
        "render_contract": manifest.render_contract,
    }
    return tuple((name, digest) for name, digest in digests.items() if digest)


def _scenarios(manifest: RunManifest) -> tuple[ScenarioFacts, ...]:
    return tuple(
        ScenarioFacts(
            id=ref.id,
            digest=ref.digest,
            archetype=ref.archetype,
            critical=ref.critical,
            expected_terminal=ref.expected_terminal,
            tags=ref.tags,
        )
        for ref in manifest.scenarios
    )


def _stop_rule(manifest: RunManifest) -> StopRule | None:
    rule = manifest.stop_rule
    if rule is None:
        return None
    return StopRule(
        metric=rule.metric,
        alpha=rule.alpha,
        order=tuple((name, repeat) for name in rule.order for repeat in range(manifest.repeats)),
        first=len(rule.first),
    )


def _order_blockers(manifest: RunManifest) -> tuple[str, ...]:
    rule = manifest.stop_rule
    if rule is None:
        return ()
    drawn = preset_order((ref.id for ref in manifest.scenarios), rule.first, manifest.seed)
    return () if rule.order == drawn else (OTHER_ORDER,)
