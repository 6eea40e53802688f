"""A training that is interrupted, however it is, goes on from its last checkpoint and comes to the same adapter."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from harness.errors import BadInputError
from harness.training.checkpoints import Resume, folder_of, last_checkpoint
from harness.training.plan import Step, TrainPlan
from harness.training.train import Trained, train
from tests.tiny_model import make_tiny_llama
from tests.training.sessions import data_file

WEIGHTS = "adapter_model.safetensors"


@pytest.fixture(scope="module")
def plan(tmp_path_factory: pytest.TempPathFactory) -> TrainPlan:
    folder = tmp_path_factory.mktemp("resume")
    return TrainPlan(
        data=data_file(folder),
        base=make_tiny_llama(folder / "base"),
        out=folder / "whole",
        steps=14,
        batch_tokens=300,
        learning_rate=1e-2,
        dropout=0.1,  # so that the state of the random numbers counts
        save_every=4,
        threads=1,
    )


@pytest.fixture(scope="module")
def whole(plan: TrainPlan) -> Trained:
    return train(plan, say=lambda _text: None, on_step=lambda _step: None)


@pytest.fixture(scope="module")
def interrupted(plan: TrainPlan) -> TrainPlan:
    """A training that ^C stopped in its tenth step."""
    stopped = replace(plan, out=plan.out.with_name("interrupted"))
    with pytest.raises(KeyboardInterrupt):
        train(stopped, say=lambda _text: None, on_step=_stop_at_ten)
    assert not stopped.out.exists()
    assert last_checkpoint(stopped.out) == folder_of(stopped.out) / "checkpoint-8"
    return stopped


def _stop_at_ten(step: Step) -> None:
    if step.number == 10:
        raise KeyboardInterrupt


def copied(interrupted: TrainPlan, folder: Path) -> TrainPlan:
    out = folder / "ckpt"
    shutil.copytree(folder_of(interrupted.out), folder_of(out))
    return replace(interrupted, out=out)


def told(plan: TrainPlan, resume: Resume = "same") -> tuple[Trained, list[int], list[str]]:
    steps: list[int] = []
    said: list[str] = []
    made = train(plan, say=said.append, on_step=lambda step: steps.append(step.number), resume=resume)
    return made, steps, said


def test_it_goes_on_after_its_last_checkpoint_and_comes_out_the_same(
    whole: Trained, interrupted: TrainPlan, tmp_path: Path
) -> None:
    plan = copied(interrupted, tmp_path)
    made, steps, said = told(plan)
    assert (made.resumed_after, steps) == (8, list(range(9, 15)))
    assert any("going on after step 8" in line for line in said)
    assert (plan.out / WEIGHTS).read_bytes() == (whole.adapter / WEIGHTS).read_bytes()
    assert [step.loss for step in made.steps] == [step.loss for step in whole.steps]
    assert not folder_of(plan.out).exists()


def test_a_checkpoint_that_was_being_written_is_passed_over(
    whole: Trained, interrupted: TrainPlan, tmp_path: Path
) -> None:
    plan = copied(interrupted, tmp_path)
    (folder_of(plan.out) / "checkpoint-8" / "trainer_state.json").write_text('{"global_step": 8, "log_hi')
    made, _, _ = told(plan)
    assert made.resumed_after == 4
    assert (plan.out / WEIGHTS).read_bytes() == (whole.adapter / WEIGHTS).read_bytes()


def test_all_steps_done_and_nothing_written_needs_no_further_step(
    plan: TrainPlan, whole: Trained, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    again = replace(plan, out=tmp_path / "ckpt")
    with monkeypatch.context() as patched:
        patched.setattr("harness.training.train._write", _stop)
        with pytest.raises(KeyboardInterrupt):
            told(again)
    made, steps, _ = told(again)
    assert (made.resumed_after, steps, len(made.steps)) == (14, [], 14)
    assert (again.out / WEIGHTS).read_bytes() == (whole.adapter / WEIGHTS).read_bytes()


def _stop(*_: object) -> None:
    raise KeyboardInterrupt


def test_checkpoints_of_other_settings_are_never_taken_up(interrupted: TrainPlan, tmp_path: Path) -> None:
    plan = replace(copied(interrupted, tmp_path), seed=5, rank=4)
    with pytest.raises(BadInputError, match="with other settings: alpha, rank, seed") as refusal:
        told(plan)
    assert "--no-resume" in refusal.value.hint
    assert last_checkpoint(plan.out) is not None
    made, steps, said = told(replace(plan, steps=2), "replace")
    assert (made.resumed_after, steps) == (0, [1, 2])
    assert any("starting over" in line for line in said)


def test_one_can_start_over(whole: Trained, interrupted: TrainPlan, tmp_path: Path) -> None:
    plan = copied(interrupted, tmp_path)
    made, steps, _ = told(plan, "never")
    assert (made.resumed_after, steps[0]) == (0, 1)
    assert (plan.out / WEIGHTS).read_bytes() == (whole.adapter / WEIGHTS).read_bytes()


@pytest.fixture(scope="module")
def long(plan: TrainPlan) -> Trained:
    """An uninterrupted training that is long enough to be stopped on the way."""
    longer = replace(plan, out=plan.out.with_name("long"), steps=150)
    return train(longer, say=lambda _text: None, on_step=lambda _step: None)


def command(plan: TrainPlan, out: Path) -> list[str]:
    flags = {"data": plan.data, "base": plan.base, "out": out, "steps": 150, "lr": plan.learning_rate, "threads": 1}
    flags |= {"batch-tokens": plan.batch_tokens, "dropout": plan.dropout, "save-every": plan.save_every}
    words = [word for name, value in flags.items() for word in (f"--{name}", str(value))]
    return [sys.executable, "-m", "evalh", "train", "--json", *words]


@pytest.mark.slow
@pytest.mark.parametrize(("number", "code"), [(signal.SIGKILL, -9), (signal.SIGINT, 130)], ids=["kill -9", "^C"])
def test_the_same_command_finishes_what_a_signal_stopped(
    plan: TrainPlan, long: Trained, tmp_path: Path, number: signal.Signals, code: int
) -> None:
    words = command(plan, tmp_path / "ckpt")
    with subprocess.Popen(words, stderr=subprocess.PIPE, text=True) as running:
        assert running.stderr is not None
        next(line for line in running.stderr if line.startswith("10/150 steps"))
        running.send_signal(number)
        rest = running.stderr.read()
    assert running.returncode == code
    assert ("the same command goes on after step" in rest) is (number is signal.SIGINT)
    assert not (tmp_path / "ckpt").exists()
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    assert 8 <= json.loads(done.stdout)["resumed_after"] < 150
    assert (tmp_path / "ckpt" / WEIGHTS).read_bytes() == (long.adapter / WEIGHTS).read_bytes()
