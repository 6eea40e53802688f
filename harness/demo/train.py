"""Trains a LoRA adapter on trajectories, on the CPU, through the render contract alone."""

from __future__ import annotations

import math
import os
import platform
import warnings
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from time import monotonic
from typing import Any, Final, Literal

import render
from harness.arms import checkpoint_digest
from harness.demo.batches import batches
from harness.demo.places import ADAPTER, BASE, TRAJECTORIES, alone, save_weights, whole_directory
from harness.demo.training_record import RECORD, TrainingRecord, is_current, write_record
from harness.demo.trajectories import Trajectory, digest, read_trajectories
from harness.errors import BadInputError, RenderError
from render import IGNORED, TrainingExample

LINEARS: Final = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainPlan:
    """Everything that decides what the adapter will be; the same plan on the same machine makes the same adapter."""

    data: Path = TRAJECTORIES
    base: Path = BASE
    out: Path = ADAPTER
    steps: int = 240
    batch_tokens: int = 500
    learning_rate: float = 1e-3
    warm_up: float = 0.1  # of the steps
    rank: int = 8
    alpha: int = 16
    max_tokens: int = 2048  # longer examples are left out, and counted
    clip: float = 1.0  # of the gradient's norm
    seed: int = 0
    dtype: Literal["auto", "float32", "bfloat16"] = "auto"  # auto: bfloat16 where the CPU computes in it
    threads: int | None = None  # None: as many as this process may use


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """What one step of training came to; loss in nats per learnt token, accuracy of the greedy guess."""

    number: int  # from 1
    steps: int
    loss: float
    accuracy: float
    tokens: int
    seconds: float  # since training began


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """The examples of a data set, and how many were left out for their length."""

    examples: tuple[TrainingExample, ...]
    trajectories: int
    too_long: int

    @property
    def trained_tokens(self) -> int:
        """How many tokens are learnt in one pass."""
        return sum(example.trained for example in self.examples)

    @property
    def counts(self) -> dict[str, int]:
        """The accounting, under the names that the training record has for it."""
        return {
            "trajectories": self.trajectories,
            "examples": len(self.examples),
            "too_long": self.too_long,
            "trained_tokens": self.trained_tokens,
        }


def prepare(tokenizer: render.ChatTokenizer, trajectories: Sequence[Trajectory], *, max_tokens: int) -> Prepared:
    """The training examples of the trajectories under the render contract.

    Raises:
        RenderError: a trajectory cannot be rendered (its place in the file and the turn are named), or none fits.
    """
    examples: list[TrainingExample] = []
    for number, trajectory in enumerate(trajectories, start=1):
        try:
            examples += render.training_examples(tokenizer, trajectory.messages)
        except RenderError as error:
            raise RenderError(
                f"trajectory {number} ({trajectory.scenario}): {error.message}", hint=error.hint
            ) from error
    kept = tuple(example for example in examples if len(example.ids) <= max_tokens)
    if not kept:
        raise RenderError(
            f"all {len(examples)} examples are longer than {max_tokens} tokens", hint="record shorter sessions"
        )
    return Prepared(examples=kept, trajectories=len(trajectories), too_long=len(examples) - len(kept))


def train(plan: TrainPlan, *, say: Callable[[str], None], on_step: Callable[[Step], None]) -> Path:
    """Train and write a peft adapter with its `training.json`; returns the adapter's directory.

    Does nothing when the directory holds the adapter of the same plan, data, base and contract already.

    Raises:
        BadInputError: base or data are missing or wrong. InfrastructureError: the adapter could not be written.
    """
    if not (plan.base / "config.json").is_file():
        raise BadInputError(
            f"{plan.base} is no checkpoint: config.json is missing", hint="run `evalh demo fetch` first"
        )
    trajectories = read_trajectories(plan.data)
    with alone(plan.out):
        os.environ.setdefault("HF_HUB_OFFLINE", "1")
        os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # spinning costs busy cores dearly
        identity = _identity(plan)
        if is_current(plan.out, identity):
            say(f"{plan.out} is there, of the same data, base and settings")
            return plan.out
        say(f"loading {plan.base}")
        tokenizer, model = _load(plan)
        prepared = prepare(tokenizer, trajectories, max_tokens=plan.max_tokens)
        say(_account(prepared, plan))
        started = monotonic()
        curve = _fit(plan, model, prepared.examples, on_step)
        seconds = round(monotonic() - started, 1)
        record = TrainingRecord(
            identity=identity,
            chat_template=render.template_digest(tokenizer),
            losses=tuple(round(step.loss, 5) for step in curve),
            accuracy=round(curve[-1].accuracy, 5),
            seconds=seconds,
            dtype=computed_in(plan),
            versions=_versions(),
            **prepared.counts,
        )
        with whole_directory(plan.out) as scratch:
            save_weights(model, scratch)
            (scratch / "README.md").unlink(missing_ok=True)  # an empty form
            write_record(scratch / RECORD, record)
    say(f"{plan.out} written, loss {curve[0].loss:.3f} to {curve[-1].loss:.3f} in {seconds:.0f} s")
    return plan.out


def _account(prepared: Prepared, plan: TrainPlan) -> str:
    left_out = f", {prepared.too_long} left out as longer than {plan.max_tokens} tokens" if prepared.too_long else ""
    return (
        f"{prepared.trajectories} trajectories, {len(prepared.examples)} examples, "
        f"{prepared.trained_tokens} tokens to learn{left_out}; {plan.steps} steps of about {plan.batch_tokens} tokens"
    )


def _identity(plan: TrainPlan) -> dict[str, str | int | float]:
    settings = {key: value for key, value in asdict(plan).items() if key not in {"data", "base", "out", "threads"}}
    return {
        **settings,
        "base": str(plan.base),
        "base_digest": checkpoint_digest(plan.base),
        "data_digest": digest(plan.data),
        "render_contract": render.CONTRACT_VERSION,
    }


def _versions() -> dict[str, str]:
    packages = {name: version(name) for name in ("torch", "transformers", "peft", "tokenizers")}
    return {"python": platform.python_version(), **packages}


def _load(plan: TrainPlan) -> tuple[Any, Any]:
    """The tokenizer, and the base with fresh LoRA matrices (these in float32 always)."""
    import torch
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM, AutoTokenizer
    from transformers.utils import logging

    logging.disable_progress_bar()
    torch.set_num_threads(plan.threads or len(os.sched_getaffinity(0)))
    torch.manual_seed(plan.seed)
    try:
        tokenizer = AutoTokenizer.from_pretrained(plan.base)
        base = AutoModelForCausalLM.from_pretrained(plan.base, dtype=getattr(torch, computed_in(plan)))
    except (OSError, ValueError) as error:
        raise BadInputError(
            f"{plan.base} does not load: {str(error).splitlines()[0][:200]}", hint="give the directory of a checkpoint"
        ) from error
    config = LoraConfig(
        r=plan.rank,
        lora_alpha=plan.alpha,
        target_modules=list(LINEARS),
        task_type="CAUSAL_LM",
        base_model_name_or_path=str(plan.base),
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # peft reads a name that transformers 5 deprecates
        model = get_peft_model(base, config)
    model.peft_config["default"].base_model_name_or_path = str(plan.base)
    model.train()
    return tokenizer, model


def computed_in(plan: TrainPlan) -> str:
    """The type that the base is computed in: "bfloat16" or "float32"."""
    if plan.dtype == "auto":
        return "bfloat16" if cpu_computes_bfloat16() else "float32"
    return plan.dtype


def cpu_computes_bfloat16() -> bool:
    """Whether this CPU multiplies bfloat16 matrices in hardware; without that it is slower than float32."""
    try:
        flags = set(Path("/proc/cpuinfo").read_text(encoding="ascii", errors="replace").split())
    except OSError:
        return False
    return bool(flags & {"avx512_bf16", "amx_bf16", "bf16", "svebf16"})


def _fit(
    plan: TrainPlan, model: Any, examples: Sequence[TrainingExample], on_step: Callable[[Step], None]
) -> list[Step]:
    import torch

    parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]
    optimizer = torch.optim.AdamW(parameters, lr=plan.learning_rate, weight_decay=0.0)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: rate(step, plan.steps, plan.warm_up))
    curve: list[Step] = []
    started = monotonic()
    chosen = batches(examples, tokens=plan.batch_tokens, steps=plan.steps, seed=plan.seed)
    for number, batch in enumerate(chosen, start=1):
        loss, accuracy = _loss(model, batch)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(parameters, plan.clip)
        optimizer.step()
        schedule.step()
        optimizer.zero_grad()
        tokens = sum(len(example.ids) for example in batch)
        step = Step(
            number=number,
            steps=plan.steps,
            loss=float(loss.detach()),
            accuracy=accuracy,
            tokens=tokens,
            seconds=monotonic() - started,
        )
        curve.append(step)
        on_step(step)
    return curve


def rate(step: int, steps: int, warm_up: float) -> float:
    """The learning rate's factor at a step (from 0): a straight rise to 1, then half a cosine down to a twentieth."""
    rise = max(1, round(steps * warm_up))
    if step < rise:
        return (step + 1) / rise
    done = (step - rise) / max(1, steps - rise)
    return 0.05 + 0.95 * 0.5 * (1.0 + math.cos(math.pi * min(1.0, done)))


def _loss(model: Any, batch: Sequence[TrainingExample]) -> tuple[Any, float]:
    """Mean cross-entropy over the learnt tokens, and the share that a greedy guess gets right.

    The output layer is computed at the positions before learnt tokens alone: most of a trajectory is read only,
    and a vocabulary of 49,000 makes that layer the dearest.
    """
    import torch

    width = max(len(example.ids) for example in batch)
    ids = torch.tensor([[*example.ids, *([0] * (width - len(example.ids)))] for example in batch])
    real = torch.tensor([[1] * len(example.ids) + [0] * (width - len(example.ids)) for example in batch])
    labels = torch.tensor([[*example.labels, *([IGNORED] * (width - len(example.ids)))] for example in batch])
    causal = model.get_base_model()
    half = causal.dtype == torch.bfloat16
    with torch.autocast("cpu", dtype=torch.bfloat16, enabled=half):
        hidden = causal.model(input_ids=ids, attention_mask=real, use_cache=False).last_hidden_state
        logits = causal.lm_head(hidden[:, :-1][labels[:, 1:] != IGNORED])
    targets = labels[:, 1:][labels[:, 1:] != IGNORED]
    logits = logits.float()
    accuracy = float((logits.detach().argmax(dim=-1) == targets).float().mean())
    return torch.nn.functional.cross_entropy(logits, targets), accuracy
