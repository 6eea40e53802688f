"""Runs to hold against each other, for the tests of comparisons."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from harness.store import RunManifest, create
from harness.values import TrialRecord
from reports import build_report, load_policy, run_info
from reports.compare import Comparison, compare_runs
from reports.compare.schema import ArmComparison
from reports.compare.side import Side
from tests.records import DIGEST
from tests.records import manifest as plain_manifest
from tests.reports.records import pair


def told(trials: Sequence[TrialRecord]) -> RunManifest:
    """A manifest that tells everything that identifies a measurement."""
    made = plain_manifest(*sorted({trial.scenario for trial in trials}))
    settings = {"max_turns": 12, "turn_seconds": 20.0, "session_seconds": 120.0, "dtype": "float32"}
    changes = {
        "base": made.base.model_copy(update={"name": "model-base", "digest": DIGEST}),
        "tuned": made.tuned.model_copy(update={"name": "model-tuned", "digest": "sha256:1"}),
        "chat_template_sha256": DIGEST,
        "tokenizer_sha256": DIGEST,
        "settings": settings,
        "repeats": 1 + max(trial.repeat for trial in trials),
    }
    return made.model_copy(update=changes)


def a_run(place: Path, trials: Sequence[TrialRecord], **changes: object) -> Path:
    """A run directory of these records, written by the store."""
    store = create(place, told(trials).model_copy(update=changes))
    for trial in trials:
        store.append_trial(trial)
    store.close()
    return place


def side(trials: Sequence[TrialRecord], **changes: object) -> Side:
    """What `read_side` makes of such a run directory."""
    manifest = told(trials).model_copy(update=changes)
    report = build_report(trials, run=run_info(manifest), policy=load_policy())
    return Side(report=report, manifest=manifest, from_records=True)


def compared(
    a: Sequence[TrialRecord], b: Sequence[TrialRecord], changes: dict[str, object] | None = None
) -> Comparison:
    """Two runs that differ in their records, and B in `changes` of its manifest."""
    return compare_runs(side(a, run="a"), side(b, run="b", **(changes or {})))


def arm(comparison: Comparison, name: str = "tuned") -> ArmComparison:
    return next(found for found in comparison.arms if found.arm == name)


def trials(*, base: str, tuned: str) -> list[TrialRecord]:
    """A run whose scenarios succeed as the two texts say, a letter each: 1 or 0."""
    rows = [pair(f"s-{i:03d}", base=b == "1", tuned=t == "1") for i, (b, t) in enumerate(zip(base, tuned, strict=True))]
    return [trial for row in rows for trial in row]
