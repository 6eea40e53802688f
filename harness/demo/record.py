"""Records training trajectories: reference replies, typed into real containers by the ordinary session code."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import render
import scenarios
from harness.demo.places import BASE, TRAJECTORIES, alone
from harness.demo.trajectories import Trajectory, digest, from_session, write_trajectories
from harness.errors import BadInputError, SandboxError
from harness.sandbox import choose
from harness.sandbox.protocol import Engine
from harness.session import CONTRACT_VERSION
from harness.trial import ReferenceModel, TrialPlan, hold_session, trial_seed
from harness.values import Arm, Outcome
from scenarios import LoadedScenario

ATTEMPTS: Final = 2  # of a scenario whose sandbox failed


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordPlan:
    """What is recorded and where to; `base` lends the control tokens that observations must not spell."""

    scenarios: Path | None = None  # None: the shipped training split
    out: Path = TRAJECTORIES
    base: Path = BASE
    engine: str = "auto"
    concurrency: int = 4


def record(plan: RecordPlan, *, say: Callable[[str], None], on_done: Callable[[int, int], None]) -> Path:
    """Write one trajectory for each training scenario, sorted by id; returns the file.

    Does nothing when the file was recorded from the same scenarios under the same contracts. `on_done` hears how
    many of how many are recorded.

    Raises:
        BadInputError: a scenario is held out, or its reference replies do not pass it.
        SandboxError: containers cannot be made.
    """
    if not (plan.base / "config.json").is_file():
        raise BadInputError(
            f"{plan.base} is no checkpoint: config.json is missing", hint="run `evalh demo fetch` first"
        )
    tokens = render.control_tokens_in(plan.base)
    chosen = training_scenarios(plan.scenarios)
    identity = _identity(chosen, tokens)
    with alone(plan.out):
        if _is_current(plan.out, identity):
            say(f"{plan.out} is there, of the same scenarios")
            return plan.out
        with closing(choose(plan.engine)) as engine:
            say(f"recording {len(chosen)} sessions in containers of the {engine.name} engine")
            trajectories = _record_all(chosen, engine, tokens, plan.concurrency, on_done)
        count = write_trajectories(plan.out, trajectories)
        note = {"identity": identity, "data_digest": digest(plan.out)}
        _note(plan.out).write_text(json.dumps(note, indent=2) + "\n", encoding="utf-8")
    say(f"{plan.out} written, {count} trajectories")
    return plan.out


def training_scenarios(folder: Path | None) -> tuple[LoadedScenario, ...]:
    """The scenarios of a folder, None for the shipped training split; BadInputError if one of them is held out."""
    loaded = scenarios.load_dir(folder or scenarios.shipped(scenarios.Split.TRAIN))
    held_out = [item.scenario.id for item in loaded if item.scenario.split is not scenarios.Split.TRAIN]
    if held_out:
        raise BadInputError(
            f"{len(held_out)} of {len(loaded)} scenarios are held out, the first of them {held_out[0]}",
            hint="what a model is judged by is never trained on: give a folder of training scenarios",
        )
    return loaded


def _record_all(
    chosen: Sequence[LoadedScenario],
    engine: Engine,
    tokens: tuple[str, ...],
    concurrency: int,
    on_done: Callable[[int, int], None],
) -> list[Trajectory]:
    found: list[Trajectory] = []
    pool = ThreadPoolExecutor(max_workers=concurrency, thread_name_prefix="record")
    try:
        for trajectory in pool.map(lambda scenario: _record_one(scenario, engine, tokens), chosen):
            found.append(trajectory)
            on_done(len(found), len(chosen))
    except BaseException:
        pool.shutdown(wait=False, cancel_futures=True)  # what still runs loses its container when the engine closes
        raise
    pool.shutdown()
    return found


def _record_one(loaded: LoadedScenario, engine: Engine, tokens: tuple[str, ...]) -> Trajectory:
    scenario = loaded.scenario
    model = ReferenceModel(scenario.reference.replies)
    for attempt in range(1, ATTEMPTS + 1):
        plan = TrialPlan(
            scenario=loaded,
            arm=Arm.BASE,
            repeat=0,
            attempt=attempt,
            seed=trial_seed(0, scenario.id, 0),
            model="reference",
            control_tokens=tokens,
        )
        try:
            session, judgement = hold_session(plan, engine, model, None)
        except SandboxError:
            if attempt == ATTEMPTS:
                raise
            continue
        if judgement.verdict.outcome is not Outcome.PASS:
            raise BadInputError(
                f"{loaded.path}: the reference replies of {scenario.id} do not pass it: {judgement.verdict.reason}",
                hint="mend the bundle: a failed session is nothing to learn from",
            )
        return from_session(scenario.id, session, control_tokens=tokens)
    raise SandboxError(f"{scenario.id} could not be recorded", hint="run `evalh sandbox doctor`")


def _identity(chosen: Sequence[LoadedScenario], tokens: tuple[str, ...]) -> str:
    """`sha256:...` over all that decides the trajectories: scenarios, contracts, control tokens."""
    parts = [*(item.digest for item in chosen), CONTRACT_VERSION, render.CONTRACT_VERSION, *tokens]
    return "sha256:" + hashlib.sha256(json.dumps(parts).encode("utf-8")).hexdigest()


def _note(path: Path) -> Path:
    return path.with_suffix(".json")


def _is_current(path: Path, identity: str) -> bool:
    try:
        note: object = json.loads(_note(path).read_bytes())
        return note == {"identity": identity, "data_digest": digest(path)}
    except (OSError, ValueError):
        return False
