"""A run of local models: the resident server holds both arms, and a seed decides every byte."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from harness.store import read_manifest, read_session, read_trials
from harness.values import Outcome
from tests.integration.command import SUITE, UNPROVEN, evalh, records
from tests.integration.leftovers import leftovers
from tests.tiny_model import make_tiny_adapter, make_tiny_llama


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models")
    make_tiny_llama(folder / "base")
    make_tiny_adapter(folder / "ckpt", folder / "base", seed=1, scale=1.0)
    return folder


def _run(models: Path, cwd: Path, engine: str, *more: str) -> Path:
    cwd.mkdir(exist_ok=True)
    limits = ("--max-tokens", "24", "--max-turns", "3", "--turn-seconds", "3")
    common = ("--scenarios", str(SUITE), *UNPROVEN, "--engine", engine, "--out", "run", *limits)
    done = evalh("run", "--adapter", str(models / "ckpt"), *common, *more, cwd=cwd)
    assert done.returncode == 0, done.stderr
    return cwd / "run"


def test_an_adapter_alone_is_enough_and_every_turn_carries_its_token_ids(
    tmp_path: Path, models: Path, engine_name: str
) -> None:
    run = _run(models, tmp_path, engine_name)
    found = records(run)
    assert len(found) == 4
    assert all(record.outcome is not Outcome.INVALID for record in found.values())
    manifest = read_manifest(run)
    assert manifest.base.path == str(models / "base")
    assert (manifest.base.digest or "").startswith("sha256:")
    assert not manifest.endpoint_scripted
    for record in found.values():
        for turn in read_session(run, record.key).turns:
            assert turn.completion.prompt_ids
            assert turn.completion.completion_ids
            assert len(turn.completion.prompt_ids) == turn.completion.prompt_tokens
    report = json.loads((run / "paired_eval_report.json").read_text())
    assert report["scoring"]["mode"] == "live"
    assert [line for line in leftovers(0) if "serve" in line] == []


def test_a_deterministic_run_repeats_itself_to_the_byte_and_another_seed_gives_other_replies(
    tmp_path: Path, models: Path
) -> None:
    trials, texts = [], []
    for name, seed in (("one", "5"), ("two", "5"), ("other", "6")):
        run = _run(models, tmp_path / name, "auto", "--deterministic", "--temperature", "0.8", "--seed", seed)
        found = sorted(read_trials(run), key=lambda record: str(record.key))
        trials.append([(r.key, r.outcome, r.reason, r.metrics) for r in found])
        texts.append([[turn.completion.text for turn in read_session(run, record.key).turns] for record in found])
    assert (trials[0], texts[0]) == (trials[1], texts[1])
    assert texts[0] != texts[2]
