"""The evidence behind docs/results.md: what each model came to in each held-out scenario, as read from two runs."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from pydantic import BaseModel, ConfigDict

from harness.errors import BadInputError
from harness.store import RunManifest, read_manifest, read_trials
from harness.training.training_record import RECORD
from harness.values import Arm, Outcome, TrialRecord
from reports.pairing import last_attempts

Trained = Literal["first", "now"]
Model = Literal["base", "first", "now"]
MODELS: Final[tuple[Model, ...]] = ("base", "first", "now")
_RECIPE: Final = ("steps", "batch_tokens", "learning_rate", "rank", "alpha", "seed")


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Conditions(_Part):
    """What the numbers are numbers of."""

    machine: str
    processors: int
    device: str  # that was trained on
    trained_in: str  # dtype
    served_in: str  # dtype, as it was asked for
    engine: str
    temperature: float
    max_turns: int
    max_tokens: int
    recipe: dict[str, int | float]  # of both trainings
    versions: dict[str, str]


class Training(_Part):
    """What an adapter was trained on."""

    scenarios: int
    archetypes: tuple[str, ...]


class Shown(_Part):
    """One model in one scenario; None where its trial was INVALID or the metric does not apply."""

    terminal: str | None
    terminated: bool | None
    clean: bool | None
    directives_retrieved: bool | None
    right_terminal: bool | None
    false_panic: bool | None
    task: bool | None
    success: bool | None


class Row(_Part):
    """One scenario, and what each model came to in it."""

    scenario: str
    archetype: str
    expected: str
    base: Shown
    first: Shown
    now: Shown


class Results(_Part):
    """Everything that the page is made of."""

    schema_version: Literal[1] = 1
    conditions: Conditions
    trainings: dict[Trained, Training]
    rows: tuple[Row, ...]

    @property
    def unseen(self) -> frozenset[str]:
        """The held-out archetypes that neither training shows."""
        seen = {name for training in self.trainings.values() for name in training.archetypes}
        return frozenset(row.archetype for row in self.rows) - seen


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """One split with what was made of it: the adapter, and its run beside the base over the held-out suite."""

    training: Training
    adapter: Path
    run: Path


def read_results(first: Made, now: Made) -> Results:
    """The results of two finished runs over the same scenarios; the base's are those of the run `now`.

    Raises:
        BadInputError: a run is missing, damaged or unfinished, or the two are not of the same conditions.
    """
    manifest = read_manifest(now.run)
    _same(read_manifest(first.run), manifest, first.run)
    old, new = _trials(first.run), _trials(now.run)
    rows = []
    for ref in manifest.scenarios:
        trials = old.get((ref.id, Arm.TUNED)), new.get((ref.id, Arm.TUNED)), new.get((ref.id, Arm.BASE))
        if None in trials:
            raise BadInputError(f"{now.run}: {ref.id} has not run in every arm", hint="resume the run")
        tuned_first, tuned_now, base = (trial for trial in trials if trial is not None)
        rows.append(
            Row(
                scenario=ref.id,
                archetype=base.archetype,
                expected=base.expected_terminal.value,
                base=_shown(base),
                first=_shown(tuned_first),
                now=_shown(tuned_now),
            )
        )
    return Results(
        conditions=_conditions(manifest, now.adapter),
        trainings={"first": first.training, "now": now.training},
        rows=tuple(rows),
    )


def _same(first: RunManifest, now: RunManifest, path: Path) -> None:
    """Only the adapter may differ between the two runs."""
    for name in ("scenarios", "base", "sampling", "sandbox_image", "seed", "session_contract", "render_contract"):
        if getattr(first, name) != getattr(now, name):
            raise BadInputError(f"{path}: the two runs differ in their {name}", hint="remove it, and run again")


def _trials(run: Path) -> Mapping[tuple[str, Arm], TrialRecord]:
    return {(key.scenario, key.arm): record for key, record in last_attempts(read_trials(run)).items()}


def _shown(record: TrialRecord) -> Shown:
    if record.outcome is Outcome.INVALID:
        return Shown(**dict.fromkeys(Shown.model_fields))
    metrics = record.metrics
    return Shown(
        terminal=record.terminal.value if record.terminal else None,
        terminated=metrics.terminated,
        clean=metrics.clean,
        directives_retrieved=metrics.directives_retrieved,
        right_terminal=metrics.right_terminal,
        false_panic=metrics.false_panic,
        task=metrics.task,
        success=metrics.success,
    )


def _conditions(manifest: RunManifest, adapter: Path) -> Conditions:
    stated = json.loads((adapter / RECORD).read_bytes())
    settings, sampling = manifest.settings, manifest.sampling
    return Conditions(
        machine=platform.machine(),
        processors=len(os.sched_getaffinity(0)),
        device=stated["device"],
        trained_in=stated["dtype"],
        served_in=str(settings["dtype"]),
        engine=manifest.engine,
        temperature=sampling.temperature,
        max_turns=int(settings["max_turns"] or 0),
        max_tokens=sampling.max_tokens,
        recipe={name: stated["identity"][name] for name in _RECIPE},
        versions={name: manifest.versions[name] for name in ("evalh", "torch", "transformers", "peft")},
    )
