"""Training writes an ordinary adapter that has learnt, says how it was made, and comes out the same twice."""

from __future__ import annotations

import csv
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
from harness.endpoint import check_adapter_fits, read_adapter
from harness.errors import BadInputError, RenderError
from harness.preflight import read_fingerprint
from harness.training.examples import prepare
from harness.training.plan import Step, TrainPlan
from harness.training.train import Trained, train
from harness.training.trajectories import Trajectory, digest, write_trajectories
from harness.values import Message, Role
from tests.render.kinds import INSERTING
from tests.tiny_model import make_tiny_llama
from tests.training.sessions import data_file, made_up

WEIGHTS = "adapter_model.safetensors"


def quietly(plan: TrainPlan) -> Trained:
    return train(plan, say=lambda _text: None, on_step=lambda _step: None)


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
        rank=8,
        threads=1,
    )


@pytest.fixture(scope="module")
def trained(plan: TrainPlan) -> tuple[TrainPlan, list[Step]]:
    steps: list[Step] = []
    train(plan, say=lambda _text: None, on_step=steps.append)
    return plan, steps


def test_the_loss_falls_and_every_step_is_told(trained: tuple[TrainPlan, list[Step]]) -> None:
    plan, steps = trained
    assert [step.number for step in steps] == list(range(1, (plan.steps or 0) + 1))
    assert steps[-1].loss < 0.6 * steps[0].loss
    assert steps[-1].accuracy > steps[0].accuracy


def test_the_adapter_is_an_ordinary_one_that_names_its_base_as_typed(trained: tuple[TrainPlan, list[Step]]) -> None:
    from peft import PeftModel
    from transformers import AutoModelForCausalLM

    plan, _ = trained
    assert sorted(path.name for path in plan.out.iterdir()) == [
        "adapter_config.json",
        "adapter_model.safetensors",
        "fingerprint.json",
        "loss.csv",
        "training.json",
    ]
    config = json.loads((plan.out / "adapter_config.json").read_text())
    assert config["base_model_name_or_path"] == str(plan.base)
    assert (config["r"], config["lora_alpha"], len(config["target_modules"])) == (8, 16, 7)
    assert config["target_modules"] == sorted(config["target_modules"])
    check_adapter_fits(plan.out, plan.base)
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
    assert (record["separator"], record["chat_template_kwargs"]) == (render.SEPARATOR, {})
    assert record["chat_template"] == render.template_digest(AutoTokenizer.from_pretrained(plan.base))
    assert record["losses"] == [round(step.loss, 5) for step in steps]
    assert record["trajectories"] == 24
    assert record["trained_tokens"] > 24 * 6
    assert set(record["versions"]) >= {"python", "torch", "transformers", "peft"}
    with (plan.out / "loss.csv").open() as source:
        assert [float(row["loss"]) for row in csv.DictReader(source)] == pytest.approx(record["losses"], abs=1e-5)


def test_the_fingerprint_tells_the_adapter_from_its_base(trained: tuple[TrainPlan, list[Step]]) -> None:
    plan, _ = trained
    taken = read_fingerprint(plan.out)
    assert taken is not None
    assert taken.base_digest == checkpoint_digest(plan.base)
    assert taken.adapter_digest == read_adapter(plan.out).digest
    assert any(one.base != one.tuned for one in taken.canaries)


def test_the_same_seed_gives_the_same_weights_and_another_one_does_not(
    trained: tuple[TrainPlan, list[Step]], tmp_path: Path
) -> None:
    plan, _ = trained
    again = replace(plan, out=tmp_path / "again")
    other = replace(plan, out=tmp_path / "other", seed=1)
    for one in (again, other):
        quietly(one)
    assert (again.out / WEIGHTS).read_bytes() == (plan.out / WEIGHTS).read_bytes()
    assert read_adapter(again.out).digest == read_adapter(plan.out).digest
    assert (other.out / WEIGHTS).read_bytes() != (plan.out / WEIGHTS).read_bytes()


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_it_learns_in_either_type(trained: tuple[TrainPlan, list[Step]], tmp_path: Path, dtype: str) -> None:
    plan = replace(trained[0], out=tmp_path / "ckpt", dtype="float32" if dtype == "float32" else "bfloat16")
    steps: list[Step] = []
    train(plan, say=lambda _text: None, on_step=steps.append)
    assert steps[-1].loss < 0.7 * steps[0].loss
    assert json.loads((plan.out / "training.json").read_text())["dtype"] == dtype


def test_a_disk_that_takes_no_more_is_one_clear_error_and_leaves_no_adapter(
    trained: tuple[TrainPlan, list[Step]], tmp_path: Path
) -> None:
    plan = trained[0]
    program = (
        "import resource; from pathlib import Path\n"
        "from harness.training.train import TrainPlan, train\n"
        "from harness.errors import InfrastructureError\n"
        f"plan = TrainPlan(base=Path({str(plan.base)!r}), data=Path({str(plan.data)!r}), steps=1, threads=1,"
        f" out=Path({str(tmp_path / 'ckpt')!r}))\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))\n"
        "try: train(plan, say=lambda text: None, on_step=lambda step: None)\n"
        "except InfrastructureError as error: print(error.message)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert "could not write" in done.stdout
    assert sorted(path.name for path in tmp_path.iterdir()) == [".ckpt.lock", ".ckpt.training"]


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


def test_a_template_that_is_not_additive_is_learnt_turn_by_turn(
    trained: tuple[TrainPlan, list[Step]], tmp_path: Path
) -> None:
    base = make_tiny_llama(tmp_path / "base", chat_template=INSERTING)
    options = {"enable_thinking": False}
    plan = replace(trained[0], base=base, out=tmp_path / "ckpt", steps=None, epochs=1, chat_template_kwargs=options)
    made = quietly(plan)
    record = json.loads((plan.out / "training.json").read_text())
    assert record["examples"] == 3 * record["trajectories"]
    assert record["chat_template_kwargs"] == options
    assert json.loads(record["identity"]["chat_template_kwargs"]) == options
    assert sum(step.tokens for step in made.steps) == record["tokens"]


def test_gradient_checkpointing_changes_memory_and_not_the_training(
    trained: tuple[TrainPlan, list[Step]], tmp_path: Path
) -> None:
    plan, steps = trained
    made = quietly(replace(plan, out=tmp_path / "ckpt", gradient_checkpointing=True))
    assert [step.loss for step in made.steps] == pytest.approx([step.loss for step in steps], rel=1e-3)


def test_lines_that_cannot_be_rendered_stop_a_training_or_are_dropped_and_counted(
    trained: tuple[TrainPlan, list[Step]], tmp_path: Path
) -> None:
    bad = Trajectory(meta={"scenario": "bad-1"}, messages=(Message(role=Role.USER, content="$ "),))
    data = tmp_path / "some.jsonl"
    write_trajectories(data, [*made_up(2), bad])
    plan = replace(trained[0], data=data, out=tmp_path / "ckpt", steps=1)
    with pytest.raises(RenderError, match=r"some.jsonl:3 \(bad-1\): turn 1 \(user\) is the last") as refusal:
        quietly(plan)
    assert "--drop-bad" in refusal.value.hint
    quietly(replace(plan, drop_bad=True))
    record = json.loads((plan.out / "training.json").read_text())
    assert (record["trajectories"], record["dropped"], record["examples"]) == (2, 1, 2)
    assert list(record["reasons"].values()) == [1]
    write_trajectories(data, [bad])
    with pytest.raises(RenderError, match="nothing to learn"):
        quietly(replace(plan, drop_bad=True))


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"targets": ("q_proj", "wq")}, "--targets wq: the base has no such layers"),
        ({"device": "cpu", "load_4bit": True}, "--load-4bit needs a CUDA device"),
        ({"learning_rate": 1e30}, "the loss is"),
    ],
)
def test_settings_that_cannot_work_are_named(
    trained: tuple[TrainPlan, list[Step]], tmp_path: Path, change: dict[str, Any], named: str
) -> None:
    with pytest.raises(BadInputError, match=named):
        quietly(replace(trained[0], out=tmp_path / "ckpt", **change))
    assert not (tmp_path / "ckpt").exists()


def test_every_linear_layer_can_be_asked_for(trained: tuple[TrainPlan, list[Step]], tmp_path: Path) -> None:
    plan = replace(trained[0], out=tmp_path / "ckpt", steps=1, targets=("all-linear",))
    quietly(plan)
    assert len(read_adapter(plan.out).target_modules) == 2 * 7  # layers, each with its linear ones
    check_adapter_fits(plan.out, plan.base)


def test_a_directory_that_training_did_not_write_is_left_alone(
    trained: tuple[TrainPlan, list[Step]], tmp_path: Path
) -> None:
    (tmp_path / "precious").write_text("mine")
    with pytest.raises(BadInputError, match="is no adapter that `evalh train` wrote"):
        quietly(replace(trained[0], out=tmp_path))
    assert (tmp_path / "precious").read_text() == "mine"
    (tmp_path / "empty").mkdir()
    quietly(replace(trained[0], out=tmp_path / "empty", steps=1))
    assert (tmp_path / "empty" / WEIGHTS).is_file()


def test_what_cannot_be_trained_on_is_named(plan: TrainPlan, tmp_path: Path) -> None:
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(plan.base)
    empty = Trajectory(meta={"scenario": "bad-1"}, messages=(Message(role=Role.USER, content=" "),))
    with pytest.raises(RenderError, match=r"trajectory 2 \(bad-1\): turn 1 \(user\) is empty"):
        prepare(tokenizer, [*made_up(1), empty], max_tokens=2048)
    with pytest.raises(RenderError, match="all 1 examples are longer than 10 tokens"):
        prepare(tokenizer, made_up(1), max_tokens=10)
    out, nowhere = tmp_path / "out", tmp_path / "none"
    for missing in (replace(plan, out=out, base=nowhere), replace(plan, out=out, data=nowhere)):
        with pytest.raises(BadInputError, match="none"):
            quietly(missing)
    assert not (tmp_path / "out").exists()
