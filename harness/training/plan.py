"""What is to be trained, from what and how."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final, Literal

import render
from harness.arms import checkpoint_digest
from harness.training.trajectories import digest

Fact = str | int | float

LINEARS: Final = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")
AUTO_TARGETS: Final = ("auto",)

_ELSEWHERE: Final = frozenset({"data", "out", "threads", "save_every", "drop_bad", "chat_template_kwargs", "targets"})


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainPlan:
    """Everything that decides what the adapter will be; the same plan on the same machine makes the same adapter."""

    data: Path
    base: Path
    out: Path
    steps: int | None = None  # None: as many as `epochs` passes take
    epochs: int = 3
    batch_tokens: int = 2048  # about so many in a batch, padding counted
    learning_rate: float = 2e-4
    warm_up: float = 0.1  # of the steps
    rank: int = 16
    alpha: int | None = None  # None: twice the rank
    dropout: float = 0.0
    targets: tuple[str, ...] = AUTO_TARGETS  # names of linear layers, or "all-linear" alone
    max_tokens: int = 4096  # longer examples are left out, and counted
    clip: float = 1.0  # of the gradient's norm
    seed: int = 0
    dtype: Literal["auto", "float32", "bfloat16"] = "auto"  # auto: bfloat16 where the machine computes in it
    device: Literal["auto", "cpu", "cuda"] = "auto"
    load_4bit: bool = False
    gradient_checkpointing: bool = False
    chat_template_kwargs: Mapping[str, object] = field(default_factory=dict)
    drop_bad: bool = False  # leave out what cannot be rendered, and count it
    save_every: int = 25  # steps between checkpoints
    threads: int | None = None  # of the CPU; None: one for a tiny model, else as many as this process may use

    @property
    def lora_alpha(self) -> int:
        """The adapter's alpha."""
        return 2 * self.rank if self.alpha is None else self.alpha


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """What one step of training came to; loss in nats per learnt token, accuracy of the greedy guess."""

    number: int  # from 1
    steps: int
    loss: float
    accuracy: float
    rate: float  # of learning
    tokens: int  # read, padding left out
    seconds: float  # since training began


def identity(plan: TrainPlan) -> dict[str, Fact]:
    """What decides the adapter, under flat keys; what was not asked for is left out."""
    settings: dict[str, Any] = {**asdict(plan), "alpha": plan.lora_alpha}
    if plan.steps is not None:
        del settings["epochs"]
    facts: dict[str, Fact] = {
        key: str(value) if isinstance(value, Path) else value
        for key, value in settings.items()
        if key not in _ELSEWHERE and value is not None
    }
    return {
        **facts,
        "targets": ",".join(plan.targets),
        "chat_template_kwargs": json.dumps(plan.chat_template_kwargs, sort_keys=True),
        "separator": render.SEPARATOR,
        "base_digest": checkpoint_digest(plan.base),
        "data_digest": digest(plan.data),
        "render_contract": render.CONTRACT_VERSION,
    }
