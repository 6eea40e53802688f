"""Calibration: players that cannot think, played once for each suite and never in the way of a run."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import cast

import pytest

from harness import calibration
from harness.calibration import MAKERS, calibrate, calibrate_run, suite_digest
from harness.errors import SandboxError
from harness.sandbox import Engine
from harness.session import Model
from harness.trial import TrialPlan
from harness.values import Message, Role, TrialRecord
from reports.calibration import CALIBRATION, PLAYERS, read_calibration
from scenarios import load_dir
from tests.records import record

SUITE = load_dir(Path(__file__).parents[1] / "golden" / "suite")


class Image:
    """An engine of which only the image is asked."""

    def __init__(self, digest: str = "sha256:1") -> None:
        self.digest = digest

    def image_digest(self) -> str:
        if not self.digest:
            raise SandboxError("the image is gone", hint="build it")
        return self.digest


def engine(digest: str = "sha256:1") -> Engine:
    return cast("Engine", Image(digest))


@pytest.fixture
def played(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of what is played; only the reference succeeds."""
    monkeypatch.setenv("EVALH_HOME", str(tmp_path / "home"))
    names: list[str] = []
    lock = threading.Lock()

    def play(plan: TrialPlan, _engine: Engine, _model: Model) -> TrialRecord:
        with lock:
            names.append(f"{plan.model} {plan.scenario.scenario.id}")
        return record(plan.scenario.scenario.id, success=plan.model == "reference")

    monkeypatch.setattr(calibration, "play", play)
    return names


def test_every_player_plays_every_scenario_once_and_never_again(played: list[str]) -> None:
    made = calibrate(SUITE, engine())
    assert len(set(played)) == len(played) == len(PLAYERS) * len(SUITE)
    assert [row.player for row in made.rows] == list(PLAYERS)
    assert {row.player: row.rates["success"].count for row in made.rows} == {
        "always_exit": 0,
        "always_panic": 0,
        "reference": 2,
        "prose": 0,
    }
    assert calibrate(tuple(reversed(SUITE)), engine()) == made
    assert len(played) == len(PLAYERS) * len(SUITE)
    assert calibrate(SUITE, engine(), again=True) == made
    assert len(played) == 2 * len(PLAYERS) * len(SUITE)


@pytest.mark.parametrize("damage", ["", "{", "[]", '{"schema_version": 2}', "\x00\xff", "rows"])
def test_a_kept_calibration_that_is_damaged_or_lacks_players_is_measured_again(
    played: list[str], tmp_path: Path, damage: str
) -> None:
    made = calibrate(SUITE, engine())
    (kept,) = (tmp_path / "home" / "calibration").rglob(CALIBRATION)
    whole = kept.read_bytes()
    without_rows = made.model_copy(update={"rows": made.rows[:-1]}).model_dump_json()
    kept.write_text(without_rows if damage == "rows" else damage, encoding="latin-1")
    assert calibrate(SUITE, engine()) == made
    assert len(played) == 2 * len(PLAYERS) * len(SUITE)
    assert kept.read_bytes() == whole


def test_another_image_another_scenario_or_another_version_of_one_is_another_suite(played: list[str]) -> None:
    changed = (replace(SUITE[0], digest="sha256:other"), *SUITE[1:])
    digests = {
        suite_digest(SUITE, engine()),
        suite_digest(SUITE, engine("sha256:2")),
        suite_digest(SUITE[:1], engine()),
        suite_digest(changed, engine()),
    }
    assert len(digests) == 4
    calibrate(SUITE, engine())
    calibrate(SUITE, engine("sha256:2"))
    assert len(played) == 2 * len(PLAYERS) * len(SUITE)


def test_a_calibration_with_invalid_trials_is_told_and_not_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EVALH_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(calibration, "play", lambda plan, *_: record(plan.scenario.scenario.id, success=None))
    made = calibrate(SUITE, engine())
    assert [(row.trials, row.invalid) for row in made.rows] == [(2, 2)] * 4
    assert all(row.note == "sandbox: the engine is gone" for row in made.rows)
    assert not (tmp_path / "home").exists()


def test_a_damaged_file_in_the_cache_is_made_again(played: list[str], tmp_path: Path) -> None:
    calibrate(SUITE, engine())
    kept = next((tmp_path / "home").rglob(CALIBRATION))
    kept.write_text('{"schema_version": 1, "rows": "none"}')
    assert calibrate(SUITE, engine()).rows
    assert len(played) == 2 * len(PLAYERS) * len(SUITE)
    assert read_calibration(kept.parent) is not None


def test_a_cache_that_cannot_be_written_is_a_note_and_no_more(
    played: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("EVALH_HOME", str(tmp_path / "file"))
    made = calibrate(SUITE, engine())
    assert made.rows[0].trials == 2
    assert len(made.problems) == 1
    assert made.problems[0].startswith("it could not be kept for later runs: cannot write")


def test_a_run_goes_on_without_a_calibration_and_its_report_says_why(played: list[str], tmp_path: Path) -> None:
    run = tmp_path / "run"
    assert calibrate_run(SUITE, engine(""), run, jobs=1, on_trial=lambda: None) == "the image is gone"
    told = read_calibration(run)
    assert told is not None
    assert (told.rows, told.problems) == ((), ("not run: the image is gone",))
    assert played == []


def test_a_run_keeps_a_copy_of_its_own(played: list[str], tmp_path: Path) -> None:
    heard: list[int] = []
    assert calibrate_run(SUITE, engine(), tmp_path / "run", jobs=2, on_trial=lambda: heard.append(1)) is None
    found = read_calibration(tmp_path / "run")
    assert found is not None
    assert found.suite == suite_digest(SUITE, engine())
    assert len(heard) == len(PLAYERS) * len(SUITE)


def test_the_players_say_what_their_names_say() -> None:
    def said(make: Callable[..., Model], turns: int) -> str:
        model = make(SUITE[0])
        messages = [Message(role=Role.USER, content="$ ")]
        messages += [Message(role=Role.ASSISTANT, content="x"), Message(role=Role.USER, content="$ ")] * turns
        return model.reply(messages, seed=0, max_tokens=1).text

    assert said(MAKERS["always_exit"], 0) == "exit"
    assert said(MAKERS["always_panic"], 0).startswith("panic ")
    assert said(MAKERS["reference"], 0) == SUITE[0].scenario.reference.replies[0]
    assert said(MAKERS["prose"], 0) == said(MAKERS["prose"], 7)
    assert said(MAKERS["prose"], 0).startswith("Sure")
    assert set(MAKERS) == set(PLAYERS)
