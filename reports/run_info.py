"""What a report needs to know of a run beside its records."""

from __future__ import annotations

from dataclasses import dataclass

from harness.store import RunManifest
from reports.schema import ScoringMode

ONE_AT_A_TIME = "the server mixes the arms up where both are asked at once: they ran one after the other"


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
    repeats: int | None = None
    planned: tuple[tuple[str, int], ...] = ()  # (scenario, repeat)
    digests: tuple[tuple[str, str], ...] = ()
    blockers: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


def run_info(manifest: RunManifest) -> RunInfo:
    """The part of a run's manifest that its report is made of."""
    digests = {
        "sandbox_image": manifest.sandbox_image,
        "base": manifest.base.digest,
        "tuned": manifest.tuned.digest,
        "tokenizer": manifest.tokenizer_sha256,
        "chat_template": manifest.chat_template_sha256,
        "session_contract": manifest.session_contract,
        "render_contract": manifest.render_contract,
    }
    return RunInfo(
        id=manifest.run,
        mode=ScoringMode.FIXTURE if manifest.endpoint_scripted else ScoringMode.LIVE,
        started_at=manifest.created_at,
        evalh_version=manifest.versions.get("evalh"),
        engine=manifest.engine,
        seed=manifest.seed,
        temperature=manifest.sampling.temperature,
        repeats=manifest.repeats,
        planned=tuple((s.id, r) for r in range(manifest.repeats) for s in manifest.scenarios),
        digests=tuple((name, digest) for name, digest in digests.items() if digest),
        blockers=manifest.blockers,
        notes=(
            *manifest.endpoint_notes,
            *((ONE_AT_A_TIME,) if manifest.one_arm_at_a_time else ()),
            *(f"{finding.check}: {finding.said}" for finding in manifest.preflight if finding.result != "ok"),
        ),
    )
