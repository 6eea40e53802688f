"""Training writes an ordinary adapter that has learnt, says how it was made, and comes out the same twice."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import warnings
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import render
from harness.arms import checkpoint_digest
from harness.demo.train import Step, TrainPlan, prepare, rate, train
from harness.demo.trajectories import Trajectory, digest
from harness.errors import BadInputError, RenderError
from harness.values import Message, Role
from tests.demo.sessions import data_file, made_up
from tests.tiny_model import make_tiny_adapter, make_tiny_llama


@pytest.fixture(scope="module")
def plan(tmp_path_factory: pytest.TempPathFactory) -> TrainPlan:
    folder = tmp_path_factory.mktemp("train")
    base = make_tiny_llama(folder / "base")
    return TrainPlan(
        data=data_file(folder),
        base=base,
        out=folder / "ckpt",
        steps=24,
        batch_tokens=500,
        learning_rate=1e-2,
        threads=1,
    )


@pytest.fixture(scope="module")
def trained(plan: TrainPlan) -> tuple[TrainPlan, list[Step]]:
    steps: list[Step] = []
    train(plan, say=lambda _text: None, on_step=steps.append)
    return plan, steps


def test_the_loss_falls_and_every_step_is_told(trained: tuple[TrainPlan, list[Step]]) -> None:
    plan, steps = trained
    assert [step.number for step in steps] == list(range(1, plan.steps + 1))
    assert steps[-1].loss < 0.6 * steps[0].loss
    assert steps[-1].accuracy > steps[0].accuracy


def test_the_adapter_is_an_ordinary_one_that_names_its_base_as_typed(trained: tuple[TrainPlan, list[Step]]) -> None:
    from peft import PeftModel
    from transformers import AutoModelForCausalLM

    plan, _ = trained
    assert sorted(path.name for path in plan.out.iterdir()) == [
        "adapter_config.json",
        "adapter_model.safetensors",
        "training.json",
    ]
    config = json.loads((plan.out / "adapter_config.json").read_text())
    assert config["base_model_name_or_path"] == str(plan.base)
    assert (config["r"], config["lora_alpha"], len(config["target_modules"])) == (8, 16, 7)
    base = AutoModelForCausalLM.from_pretrained(plan.base)
    untrained = said(base, plan.base)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # peft reads a name that transformers 5 deprecates
        model = PeftModel.from_pretrained(base, plan.out)
    assert said(model, plan.base) != untrained


def said(model: Any, base: Path) -> list[int]:
    import torch
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(base)
    prompt = render.render_ids(tokenizer, made_up(1)[0].messages[:1], add_generation_prompt=True)
    with torch.inference_mode():
        out = model.generate(input_ids=torch.tensor([prompt]), max_new_tokens=8, do_sample=False)
    return [int(token) for token in out[0, len(prompt) :]]


def test_the_record_says_what_the_adapter_was_made_of(trained: tuple[TrainPlan, list[Step]]) -> None:
    from transformers import AutoTokenizer

    plan, steps = trained
    record = json.loads((plan.out / "training.json").read_text())
    identity = record["identity"]
    assert identity["data_digest"] == digest(plan.data)
    assert identity["base_digest"] == checkpoint_digest(plan.base)
    assert identity["render_contract"] == render.CONTRACT_VERSION
    assert (identity["seed"], identity["steps"]) == (0, plan.steps)
    assert record["chat_template"] == render.template_digest(AutoTokenizer.from_pretrained(plan.base))
    assert record["losses"] == [round(step.loss, 5) for step in steps]
    assert record["trajectories"] == 24
    assert record["trained_tokens"] > 24 * 6
    assert set(record["versions"]) >= {"python", "torch", "transformers", "peft"}


def test_the_same_seed_gives_the_same_weights_and_another_one_does_not(
    trained: tuple[TrainPlan, list[Step]], tmp_path: Path
) -> None:
    plan, _ = trained
    weights = "adapter_model.safetensors"
    again = replace(plan, out=tmp_path / "again")
    other = replace(plan, out=tmp_path / "other", seed=1)
    for one in (again, other):
        train(one, say=lambda _text: None, on_step=lambda _step: None)
    assert (again.out / weights).read_bytes() == (plan.out / weights).read_bytes()
    assert (other.out / weights).read_bytes() != (plan.out / weights).read_bytes()


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_it_learns_in_either_type(trained: tuple[TrainPlan, list[Step]], tmp_path: Path, dtype: str) -> None:
    plan = replace(trained[0], out=tmp_path / "ckpt", dtype="float32" if dtype == "float32" else "bfloat16")
    steps: list[Step] = []
    train(plan, say=lambda _text: None, on_step=steps.append)
    assert steps[-1].loss < 0.7 * steps[0].loss
    assert json.loads((plan.out / "training.json").read_text())["dtype"] == dtype


def test_a_disk_that_takes_no_more_is_one_clear_error_and_leaves_nothing(
    trained: tuple[TrainPlan, list[Step]], tmp_path: Path
) -> None:
    plan = replace(trained[0], steps=1)
    program = (
        "import resource; from dataclasses import replace; from pathlib import Path\n"
        "from harness.demo.train import TrainPlan, train\n"
        "from harness.errors import InfrastructureError\n"
        f"plan = TrainPlan(base=Path({str(plan.base)!r}), data=Path({str(plan.data)!r}), steps=1, threads=1,"
        f" out=Path({str(tmp_path / 'ckpt')!r}))\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))\n"
        "try: train(plan, say=lambda text: None, on_step=lambda step: None)\n"
        "except InfrastructureError as error: print(error.message)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert "could not write" in done.stdout
    assert [path.name for path in tmp_path.iterdir()] == [".ckpt.lock"]


def test_an_adapter_that_is_there_is_not_trained_again_until_something_changes(
    trained: tuple[TrainPlan, list[Step]], tmp_path: Path
) -> None:
    plan, _ = trained
    out = tmp_path / "ckpt"
    shutil.copytree(plan.out, out)
    steps: list[Step] = []
    train(replace(plan, out=out), say=lambda _text: None, on_step=steps.append)
    assert not steps
    train(replace(plan, out=out, steps=2), say=lambda _text: None, on_step=steps.append)
    assert len(steps) == 2
    assert json.loads((out / "training.json").read_text())["identity"]["steps"] == 2


def test_the_loss_of_selected_positions_is_the_loss_of_the_whole(plan: TrainPlan, tmp_path: Path) -> None:
    """What transformers computes over all positions, with labels of -100, for the same examples."""
    import torch
    from peft import PeftModel
    from transformers import AutoModelForCausalLM, AutoTokenizer

    from harness.demo.train import _loss

    tokenizer = AutoTokenizer.from_pretrained(plan.base)
    examples = prepare(tokenizer, made_up(3), max_tokens=2048).examples
    adapter = make_tiny_adapter(tmp_path / "adapter", plan.base)
    base = AutoModelForCausalLM.from_pretrained(plan.base)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # peft reads a name that transformers 5 deprecates
        model = PeftModel.from_pretrained(base, adapter)
    alone = [
        float(model(input_ids=torch.tensor([one.ids]), labels=torch.tensor([one.labels])).loss.detach())
        for one in examples
    ]
    weights = [one.trained for one in examples]
    expected = sum(loss * weight for loss, weight in zip(alone, weights, strict=True)) / sum(weights)
    loss, _ = _loss(model, examples)
    assert float(loss.detach()) == pytest.approx(expected, rel=1e-4)


def test_the_rate_rises_straight_and_falls_to_a_twentieth() -> None:
    factors = [rate(step, 80, 0.1) for step in range(80)]
    assert factors[0] == pytest.approx(1 / 8)
    assert max(factors) == factors[8] == 1.0
    assert factors[8:] == sorted(factors[8:], reverse=True)
    assert factors[-1] == pytest.approx(0.05, abs=0.01)


def test_what_cannot_be_trained_on_is_named(plan: TrainPlan, tmp_path: Path) -> None:
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(plan.base)
    empty = Trajectory(scenario="bad-1", messages=(Message(role=Role.USER, content=" "),))
    with pytest.raises(RenderError, match=r"trajectory 2 \(bad-1\): turn 1 \(user\) is empty"):
        prepare(tokenizer, [*made_up(1), empty], max_tokens=2048)
    with pytest.raises(RenderError, match="all 1 examples are longer than 10 tokens"):
        prepare(tokenizer, made_up(1), max_tokens=10)
    out, nowhere = tmp_path / "out", tmp_path / "none"
    for missing in (replace(plan, out=out, base=nowhere), replace(plan, out=out, data=nowhere)):
        with pytest.raises(BadInputError, match="none"):
            train(missing, say=print, on_step=print)
    assert not (tmp_path / "out").exists()
