"""The whole story on the real small model: record in real containers, train briefly, evaluate, compare."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from harness.demo.convert import is_converted
from harness.demo.places import BASE
from harness.values import Arm, Outcome
from tests.integration.command import SUITE, UNPROVEN, evalh, records

ROOT = Path(__file__).parents[2]
TRAIN = ROOT / "scenarios" / "train" / "note"
SETTINGS = ("--steps", "16", "--batch-tokens", "500", "--lr", "1e-3", "--rank", "8")


@pytest.mark.model
@pytest.mark.slow
@pytest.mark.crun
@pytest.mark.timeout(900)
@pytest.mark.skipif(not is_converted(ROOT / BASE), reason="needs the demo model: run `make model`")
def test_a_short_training_on_recorded_trajectories_makes_a_model_that_types_commands(tmp_path: Path) -> None:
    base = ("--base", str(ROOT / BASE))
    recorded = evalh("record", "--scenarios", str(TRAIN), "--out", "t.jsonl", *base, "--json", cwd=tmp_path)
    assert recorded.returncode == 0, recorded.stderr
    lines = [json.loads(line) for line in (tmp_path / "t.jsonl").read_text().splitlines()]
    assert len(lines) == json.loads(recorded.stdout)["trajectories"] > 30
    assert lines[0]["messages"][-1]["role"] == "assistant"
    assert {line["meta"]["archetype"] for line in lines} == {"note"}
    trained = evalh("train", "--data", "t.jsonl", *base, "--out", "ckpt", *SETTINGS, cwd=tmp_path, timeout=600)
    assert trained.returncode == 0, trained.stderr
    again = (
        "--scenarios",
        str(SUITE),
        *UNPROVEN,
        "--max-turns",
        "3",
        "--max-tokens",
        "24",
        "--no-calibration",
        "--out",
        "run",
    )
    done = evalh("run", "--adapter", "ckpt", *again, cwd=tmp_path, timeout=600)
    assert done.returncode == 0, done.stderr
    found = records(tmp_path / "run").values()
    assert all(record.outcome is not Outcome.INVALID for record in found)
    assert all(record.metrics.any_command for record in found if record.arm is Arm.TUNED)
    assert not any(record.metrics.terminated for record in found if record.arm is Arm.BASE)
