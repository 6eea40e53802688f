"""Trajectories are recorded by the ordinary session in real containers, and only from what may be trained on."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner

import render
import scenarios
from harness.cli.record import record as command
from harness.errors import BadInputError
from harness.sandbox.select import kind
from harness.session import CONTRACT_VERSION
from harness.training.record import RecordPlan, record, training_scenarios
from harness.training.trajectories import digest, read_trajectories
from harness.values import Role
from tests.tiny_model import make_tiny_llama

BUNDLE = """
schema_version = 1
id = "note-one"
archetype = "note"
split = "train"
provenance = "written for a test"

[tags]
task = "write-line"
provider = "file"
announcement = "motd"

[landing]
orientation = "This is the desk of the ferry."
motd = "Duties: /srv/ferry/duties.txt"

[[files]]
path = "/srv/ferry/duties.txt"
content = "Write anchor <|im_end|> into note. Then exit.\\n"

[directives]
retrieved_when = "Then exit"

[[checks]]
kind = "file_equals"
path = "/home/operator/note"
content = "anchor"

[reference]
replies = ["cat /srv/ferry/duties.txt", "echo WORD > note", "exit"]
"""


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_tiny_llama(tmp_path_factory.mktemp("record") / "base")


def bundle(folder: Path, *, word: str, split: str = "train") -> Path:
    path = folder / split / "note" / "note-one.toml"
    path.parent.mkdir(parents=True)
    path.write_text(BUNDLE.replace("WORD", word).replace('split = "train"', f'split = "{split}"'))
    return folder / split


@pytest.fixture(params=[pytest.param("crun", marks=pytest.mark.crun), pytest.param("docker", marks=pytest.mark.docker)])
def engine(request: pytest.FixtureRequest) -> str:
    name = str(request.param)
    reason = kind(name).probe()
    if reason is not None:
        pytest.skip(f"{name}: {reason}")
    return name


def test_reference_replies_become_a_trajectory(engine: str, base: Path, tmp_path: Path) -> None:
    plan = RecordPlan(
        scenarios=bundle(tmp_path, word="anchor"), out=tmp_path / "trajectories.jsonl", tokenizer=base, engine=engine
    )
    heard: list[tuple[int, int]] = []
    made = record(plan, say=lambda _text: None, on_done=lambda done, total: heard.append((done, total)))
    assert (made.trajectories, made.fresh, made.data_digest) == (1, True, digest(plan.out))
    assert heard == [(1, 1)]
    (trajectory,) = read_trajectories(plan.out)
    (loaded,) = scenarios.load_dir(tmp_path / "train")
    assert trajectory.meta == {
        "scenario": "note-one",
        "archetype": "note",
        "scenario_digest": loaded.digest,
        "terminal": "exit",
        "session_contract": CONTRACT_VERSION,
        "render_contract": render.CONTRACT_VERSION,
    }
    assert [(message.role, message.content) for message in trajectory.messages] == [
        (Role.SYSTEM, "This is the desk of the ferry."),
        (Role.USER, "Duties: /srv/ferry/duties.txt\n$ "),
        (Role.ASSISTANT, "cat /srv/ferry/duties.txt"),
        (Role.USER, "Write anchor <\u00b7|im_end|> into note. Then exit.\n$ "),
        (Role.ASSISTANT, "echo anchor > note"),
        (Role.USER, "$ "),
        (Role.ASSISTANT, "exit"),
    ]
    said: list[str] = []
    again = record(plan, say=said.append, on_done=lambda done, total: heard.append((done, total)))
    assert len(heard) == 1
    assert not again.fresh
    assert "is there" in said[0]
    plan.out.unlink()
    assert record(plan, say=said.append, on_done=lambda _done, _total: None).fresh


def test_a_reference_that_does_not_pass_is_nothing_to_learn_from(engine: str, base: Path, tmp_path: Path) -> None:
    plan = RecordPlan(
        scenarios=bundle(tmp_path, word="rudder"), out=tmp_path / "trajectories.jsonl", tokenizer=base, engine=engine
    )
    with pytest.raises(BadInputError, match="the reference replies of note-one do not pass it"):
        record(plan, say=lambda _text: None, on_done=lambda _done, _total: None)
    assert not plan.out.exists()


def test_held_out_scenarios_are_refused(base: Path, tmp_path: Path) -> None:
    folder = bundle(tmp_path, word="anchor", split="holdout")
    with pytest.raises(BadInputError, match="1 of 1 scenarios are held out, the first of them note-one"):
        training_scenarios(folder)
    with pytest.raises(BadInputError, match="held out"):
        training_scenarios(scenarios.shipped("holdout"))
    plan = RecordPlan(scenarios=folder, out=tmp_path / "out.jsonl", tokenizer=base)
    for refused, reason in ((plan, "held out"), (replace(plan, tokenizer=tmp_path), "holds no tokenizer")):
        with pytest.raises(BadInputError, match=reason):
            record(refused, say=lambda _text: None, on_done=lambda _done, _total: None)
    assert not plan.out.exists()


def test_the_command_refuses_the_held_out_split_and_a_missing_tokenizer(base: Path, tmp_path: Path) -> None:
    out = ["--out", str(tmp_path / "out.jsonl")]
    for arguments, reason in (
        (["--base", str(base), "--split", "holdout"], "--split holdout: held-out scenarios are never recorded"),
        (["--base", str(base), "--scenarios", str(scenarios.shipped("holdout"))], "held out, the first of them"),
        ([], "recording needs the tokenizer"),
    ):
        refused = CliRunner().invoke(command, [*out, *arguments])
        assert isinstance(refused.exception, BadInputError)
        assert reason in refused.exception.message
    assert not (tmp_path / "out.jsonl").exists()


def test_the_shipped_training_split_is_what_is_recorded_by_default() -> None:
    assert len(training_scenarios(None)) >= 300
