"""What the demonstration asks of recording and of training: settings that an ordinary machine finishes in minutes."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from harness.demo.places import ADAPTER, BASE, TRAJECTORIES
from harness.training.plan import TrainPlan
from harness.training.record import RecordPlan

STEPS: Final = 400  # of training: minutes on two cores


def record_plan(*, scenarios: Path | None, engine: str, concurrency: int) -> RecordPlan:
    """The recording of the training scenarios for the demonstration model."""
    return RecordPlan(scenarios=scenarios, out=TRAJECTORIES, tokenizer=BASE, engine=engine, concurrency=concurrency)


def train_plan(*, steps: int, seed: int, threads: int | None) -> TrainPlan:
    """The training of the demonstration's adapter: small steps at a high rate, since a step is dear on a CPU."""
    return TrainPlan(
        data=TRAJECTORIES,
        base=BASE,
        out=ADAPTER,
        steps=steps,
        batch_tokens=600,
        learning_rate=1e-3,
        rank=8,
        seed=seed,
        threads=threads,
    )
