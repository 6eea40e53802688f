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
from harness.errors import BadInputError, SandboxError
from harness.sandbox import choose
from harness.sandbox.protocol import Engine
from harness.session import CONTRACT_VERSION
from harness.training.places import alone, beside
from harness.training.trajectories import Trajectory, digest, from_session, write_trajectories
from harness.trial import ReferenceModel, TrialPlan, hold_session, trial_seed
from harness.values import Arm, Outcome
from scenarios import LoadedScenario

ATTEMPTS: Final = 2  # of a scenario whose sandbox failed
_LAYOUT: Final = "messages and meta"  # of a line


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordPlan:
    """What is recorded and where to; `tokenizer` lends the control tokens that observations must not spell."""

    out: Path
    tokenizer: Path  # a tokenizer's or a checkpoint's directory
    scenarios: Path | None = None  # None: the shipped training split
    engine: str = "auto"
    concurrency: int = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """The file, how many trajectories it holds, and its digest; `fresh` if they were recorded just now."""

    path: Path
    trajectories: int
    data_digest: str
    fresh: bool


def record(plan: RecordPlan, *, say: Callable[[str], None], on_done: Callable[[int, int], None]) -> Recorded:
    """Write one trajectory for each training scenario, sorted by id.

    Does nothing when the file was recorded from the same scenarios under the same contracts. `on_done` hears how
    many of how many are recorded.

    Raises:
        BadInputError: a scenario is held out, or its reference replies do not pass it; no such tokenizer.
        SandboxError: containers cannot be made.
    """
    tokens = _control_tokens(plan.tokenizer)
    chosen = training_scenarios(plan.scenarios)
    identity = _identity(chosen, tokens)
    with alone(plan.out):
        fresh = not _is_current(plan.out, identity)
        if fresh:
            with closing(choose(plan.engine)) as engine:
                say(f"recording {len(chosen)} sessions in containers of the {engine.name} engine")
                trajectories = _record_all(chosen, engine, tokens, plan.concurrency, on_done)
            write_trajectories(plan.out, trajectories)
            note = {"identity": identity, "data_digest": digest(plan.out)}
            _note(plan.out).write_text(json.dumps(note, indent=2) + "\n", encoding="utf-8")
        made = Recorded(path=plan.out, trajectories=len(chosen), data_digest=digest(plan.out), fresh=fresh)
    said = f"written, {len(chosen)} trajectories" if fresh else "is there, of the same scenarios"
    say(f"{plan.out} {said}")
    return made


def _control_tokens(directory: Path) -> tuple[str, ...]:
    """The control tokens of a tokenizer's directory; BadInputError where there is no tokenizer in it."""
    names = ("tokenizer", "tokenizer_config", "tekken", "special_tokens_map", "vocab")
    if not any(path.name.startswith(names) for path in (directory.iterdir() if directory.is_dir() else ())):
        raise BadInputError(
            f"{directory} holds no tokenizer", hint="give --tokenizer or --base, the directory of the model to train"
        )
    return render.control_tokens_in(directory)


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
        return from_session(session, meta=_meta(loaded, session.end.terminal), control_tokens=tokens)
    raise SandboxError(f"{scenario.id} could not be recorded", hint="run `evalh sandbox doctor`")


def _meta(loaded: LoadedScenario, terminal: str) -> dict[str, str]:
    """What a trajectory's line says of where it comes from."""
    return {
        "scenario": loaded.scenario.id,
        "archetype": loaded.scenario.archetype,
        "scenario_digest": loaded.digest,
        "terminal": str(terminal),
        "session_contract": CONTRACT_VERSION,
        "render_contract": render.CONTRACT_VERSION,
    }


def _identity(chosen: Sequence[LoadedScenario], tokens: tuple[str, ...]) -> str:
    """`sha256:...` over all that decides the trajectories: scenarios, contracts, control tokens."""
    parts = [_LAYOUT, *(item.digest for item in chosen), CONTRACT_VERSION, render.CONTRACT_VERSION, *tokens]
    return "sha256:" + hashlib.sha256(json.dumps(parts).encode("utf-8")).hexdigest()


def _note(path: Path) -> Path:
    return beside(path, "recorded")


def _is_current(path: Path, identity: str) -> bool:
    try:
        note: object = json.loads(_note(path).read_bytes())
        return path.is_file() and note == {"identity": identity, "data_digest": digest(path)}
    except (OSError, ValueError):
        return False
