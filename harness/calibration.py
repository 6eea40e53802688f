"""Calibration: what every metric gives to players that cannot think, in real containers, once for each suite."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import suppress
from importlib.metadata import version
from pathlib import Path
from types import MappingProxyType
from typing import Final

import render
from harness.certify.examine import IDLERS
from harness.certify.experiment import Typed
from harness.errors import BadInputError, EvalhError
from harness.sandbox.paths import evalh_home
from harness.sandbox.protocol import Engine
from harness.session import CONTRACT_VERSION, Model
from harness.store import write_atomically
from harness.trial import TrialPlan, play
from harness.values import Arm, Completion, Message, Outcome, TrialRecord
from reports.calibration import CALIBRATION, PLAYERS, CalibrationFile, calibration_row, read_calibration
from reports.schema import CalibrationRow
from scenarios import LoadedScenario

_POLL_SECONDS: Final = 0.2  # how soon a ^C is noticed
_SAID: Final = MappingProxyType(dict(IDLERS))


class Talker:
    """A model that says one sentence again and again, and never runs or ends anything."""

    def __init__(self, sentence: str) -> None:
        self._sentence = sentence

    def reply(self, messages: Sequence[Message], *, seed: int, max_tokens: int) -> Completion:  # noqa: ARG002 - Model
        """The sentence."""
        return Completion(text=self._sentence, finish_reason="stop", model="prose", seconds=0.0)


MAKERS: Final[Mapping[str, Callable[[LoadedScenario], Model]]] = MappingProxyType(
    {
        "always_exit": lambda _: Typed(_SAID["exit-at-once"]),
        "always_panic": lambda _: Typed(_SAID["panic-at-once"]),
        "reference": lambda loaded: Typed(loaded.scenario.reference.replies),
        "prose": lambda _: Talker(_SAID["prose"][0]),
    }
)


def suite_digest(loaded: Sequence[LoadedScenario], engine: Engine) -> str:
    """`sha256:…` over what the rows depend on: scenarios, sandbox image, contracts and the version of the checkers."""
    parts = (
        engine.image_digest(),
        f"session {CONTRACT_VERSION}",
        f"render {render.CONTRACT_VERSION}",
        f"evalh {version('evalh')}",
        *sorted(f"{each.scenario.id} {each.digest}" for each in loaded),
    )
    return "sha256:" + hashlib.sha256("\n".join(parts).encode()).hexdigest()


def cached(suite: str) -> CalibrationFile | None:
    """The calibration that was made of this suite before; None if there is none that can be read."""
    try:
        found = read_calibration(_folder(suite))
    except BadInputError:
        return None
    whole = found is not None and found.suite == suite and tuple(row.player for row in found.rows) == PLAYERS
    return found if whole else None


def calibrate(
    loaded: Sequence[LoadedScenario],
    engine: Engine,
    *,
    jobs: int = 4,
    again: bool = False,
    on_trial: Callable[[], None] = lambda: None,
) -> CalibrationFile:
    """Every player on every scenario, or what was measured on this very suite before; INVALID trials are counted.

    What went well is kept for the next run of the suite; that it cannot be kept is one of the `problems`.

    Raises:
        InfrastructureError: the engine cannot even say which image it has.
    """
    suite = suite_digest(loaded, engine)
    if not again and (found := cached(suite)):
        return found
    records: dict[str, list[TrialRecord]] = {player: [] for player in PLAYERS}
    for player, record in _play_all(loaded, engine, jobs):
        records[player].append(record)
        on_trial()
    rows = tuple(_row(player, records[player]) for player in PLAYERS)
    made = CalibrationFile(suite=suite, rows=rows)
    if any(row.invalid for row in rows):
        return made
    try:
        write_calibration(_folder(suite), made)
    except EvalhError as error:
        return made.model_copy(update={"problems": (f"it could not be kept for later runs: {error.message}",)})
    return made


def calibrate_run(
    loaded: Sequence[LoadedScenario], engine: Engine, run: Path, *, jobs: int, on_trial: Callable[[], None]
) -> str | None:
    """Put the calibration of a run's scenarios into its directory; what stood in the way of that, if anything did.

    Nothing here may end a run: it is about players that cannot think.
    """
    try:
        write_calibration(run, calibrate(loaded, engine, jobs=jobs, on_trial=on_trial))
    except EvalhError as error:
        with suppress(EvalhError):
            write_calibration(run, CalibrationFile(suite="", rows=(), problems=(f"not run: {error.message}",)))
        return error.message
    return None


def write_calibration(folder: Path, made: CalibrationFile) -> None:
    """Write calibration.json, whole or not at all. Raises StoreError."""
    write_atomically(folder / CALIBRATION, made.model_dump_json(indent=2) + "\n")


def _folder(suite: str) -> Path:
    return evalh_home() / "calibration" / suite.removeprefix("sha256:")


def _row(player: str, records: Sequence[TrialRecord]) -> CalibrationRow:
    first = next((record.reason for record in records if record.outcome is Outcome.INVALID), None)
    return calibration_row(player, records, note=first)


def _play_all(loaded: Sequence[LoadedScenario], engine: Engine, jobs: int) -> Iterator[tuple[str, TrialRecord]]:
    pool = ThreadPoolExecutor(max_workers=jobs, thread_name_prefix="calibrate")
    try:
        pending: dict[Future[TrialRecord], str] = {
            pool.submit(play, _plan(each, player), engine, MAKERS[player](each)): player
            for each in loaded
            for player in PLAYERS
        }
        while pending:
            done, _ = wait(pending, timeout=_POLL_SECONDS, return_when=FIRST_COMPLETED)
            for future in done:
                yield pending.pop(future), future.result()
    except BaseException:
        pool.shutdown(wait=False, cancel_futures=True)
        raise
    pool.shutdown()


def _plan(loaded: LoadedScenario, player: str) -> TrialPlan:
    return TrialPlan(scenario=loaded, arm=Arm.BASE, repeat=0, attempt=1, seed=0, model=player)
