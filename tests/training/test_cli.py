"""`evalh train` looks at data without loading weights, refuses nonsense in one line, and speaks JSON."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from harness.cli.train import command_line
from harness.cli.train import train as command
from harness.demo.plans import train_plan
from harness.errors import BadInputError
from harness.training.trajectories import write_trajectories
from tests.tiny_model import make_tiny_llama
from tests.training.sessions import data_file, made_up


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_tiny_llama(tmp_path_factory.mktemp("cli") / "base")


def train(*words: object) -> Result:
    return CliRunner().invoke(command, [str(word) for word in words])


def test_inspect_accounts_for_the_data_and_needs_no_weights(base: Path, tmp_path: Path) -> None:
    for weights in base.glob("*.safetensors"):
        weights.rename(tmp_path / weights.name)
    data = data_file(tmp_path)
    try:
        shown = train("--data", data, "--base", base, "--inspect", "--epochs", 1)
        counted = train("--data", data, "--base", base, "--inspect", "--json", "--max-tokens", 116)
    finally:
        (tmp_path / "model.safetensors").rename(base / "model.safetensors")
    assert shown.exit_code == counted.exit_code == 0
    lines = shown.stdout.splitlines()
    assert "trajectories: 24" in lines
    assert "examples: 24" in lines
    assert made_up(1)[0].messages[1].content in shown.stdout
    numbers = json.loads(counted.stdout)
    assert numbers["examples"] + numbers["too_long"] == 24 > numbers["examples"]
    assert 0 < numbers["trained_tokens"] < numbers["tokens"]
    assert numbers["longest"] <= 116
    assert numbers["dropped"] == 0


def test_inspect_counts_what_would_be_dropped(base: Path, tmp_path: Path) -> None:
    data = tmp_path / "data.jsonl"
    write_trajectories(data, made_up(3))
    data.write_text(data.read_text() + '{"messages": []}\nnope\n')
    refused = train("--data", data, "--base", base, "--inspect")
    assert isinstance(refused.exception, BadInputError)
    assert f"{data}:5: not JSON" in refused.exception.message
    counted = json.loads(train("--data", data, "--base", base, "--inspect", "--json", "--drop-bad").stdout)
    assert (counted["trajectories"], counted["dropped"]) == (3, 2)
    assert counted["reasons"]["not JSON"] == 1


def test_a_training_prints_one_object_and_a_second_one_finds_it_done(base: Path, tmp_path: Path) -> None:
    words = ("--data", data_file(tmp_path), "--base", base, "--out", tmp_path / "ckpt", "--steps", 3, "--json")
    first, second = train(*words), train(*words)
    made, found = json.loads(first.stdout), json.loads(second.stdout)
    assert (made["steps"], made["fresh"], made["resumed_after"]) == (3, True, 0)
    assert made["last_loss"] > 0
    assert (found["fresh"], found["adapter"], found["last_loss"]) == (False, made["adapter"], None)
    assert "3/3 steps: loss" in first.stderr
    assert "is there" in second.stderr


@pytest.mark.parametrize(
    ("words", "named"),
    [
        ((), "where is the adapter to be written"),
        (("--inspect", "--chat-template-kwargs", "[]"), "not an object"),
        (("--inspect", "--max-tokens", 5), "examples are longer than 5 tokens"),
    ],
)
def test_nonsense_is_one_line(base: Path, tmp_path: Path, words: tuple[object, ...], named: str) -> None:
    refused = train("--data", data_file(tmp_path), "--base", base, *words)
    assert isinstance(refused.exception, BadInputError)
    assert named in refused.exception.message


def test_the_demonstration_says_the_command_that_it_runs() -> None:
    words = command_line(train_plan(steps=400, seed=0, threads=None))
    assert words[:2] == ["evalh", "train"]
    with command.make_context("train", words[2:]) as context:
        given = context.params
    assert (given["steps"], given["batch_tokens"], given["learning_rate"], given["rank"]) == (400, 600, 1e-3, 8)
