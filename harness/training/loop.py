"""The training loop: transformers' Trainer over batches that were made before, so that its checkpoints resume."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from pathlib import Path
from time import monotonic
from typing import Any

import torch
from torch.utils.data import SequentialSampler
from transformers import PrinterCallback, Trainer, TrainerCallback, TrainingArguments

from harness.errors import BadInputError, InfrastructureError
from harness.training.batches import Batch
from harness.training.loss import Loss, collate
from harness.training.machine import Computing
from harness.training.model import quiet
from harness.training.plan import Step, TrainPlan
from harness.training.saving import writing


def fit(
    plan: TrainPlan,
    model: Any,
    batches: Sequence[Batch],
    *,
    chosen: Computing,
    folder: Path,
    checkpoint: Path | None,
    on_step: Callable[[Step], None],
) -> list[Step]:
    """Train `model` in place on every batch in turn; returns all steps, those before `checkpoint` included.

    Checkpoints go into `folder`, the last two are kept. The steps after a checkpoint are those of a training that was
    never interrupted.

    Raises:
        BadInputError: the loss stopped being a number. InfrastructureError: a full disk, or too little GPU memory.
    """
    shortest = min((example for batch in batches for example in batch), key=lambda one: len(one.ids))
    loss = Loss(model, chosen, shortest)
    teller = _Teller(batches, on_step)
    learner = _Learner(
        model=model,
        args=_arguments(plan, chosen, folder, len(batches)),
        train_dataset=list(batches),
        data_collator=collate,
        optimizers=_optimizer(plan, model, len(batches)),
        callbacks=[teller],
    )
    learner.lesson, learner.teller = loss, teller
    learner.remove_callback(PrinterCallback)
    with writing(folder), quiet():
        try:
            learner.train(resume_from_checkpoint=None if checkpoint is None else str(checkpoint))
        except torch.OutOfMemoryError as error:
            raise InfrastructureError(
                "the GPU's memory does not hold a batch",
                hint="give fewer --batch-tokens, --gradient-checkpointing, or --load-4bit",
            ) from error
    return [_step(entry, len(batches)) for entry in learner.state.log_history if "loss" in entry]


def rate(step: int, steps: int, warm_up: float) -> float:
    """The learning rate's factor at a step (from 0): a straight rise to 1, then half a cosine down to a twentieth."""
    rise = max(1, round(steps * warm_up))
    if step < rise:
        return (step + 1) / rise
    done = (step - rise) / max(1, steps - rise)
    return 0.05 + 0.95 * 0.5 * (1.0 + math.cos(math.pi * min(1.0, done)))


class _Learner(Trainer):  # type: ignore[misc]  # transformers is not followed by the type checker
    """The library's Trainer with this project's loss, and the batches in the order that they were made in."""

    lesson: Loss
    teller: _Teller

    def compute_loss(
        self,
        model: Any,
        inputs: dict[str, torch.Tensor],
        return_outputs: bool = False,  # noqa: FBT001, FBT002 - the library's signature
        **_: Any,
    ) -> torch.Tensor:
        """The loss of one batch; the model is the one that `lesson` was made with."""
        del model, return_outputs
        taught = self.lesson(inputs)
        self.teller.accuracy = taught.accuracy
        return taught.loss

    def _get_train_sampler(self, *_: Any) -> SequentialSampler:
        return SequentialSampler(self.train_dataset)


class _Teller(TrainerCallback):  # type: ignore[misc]
    """Adds to the library's log what it does not know, and tells of each step."""

    def __init__(self, batches: Sequence[Batch], on_step: Callable[[Step], None]) -> None:
        self.accuracy = 0.0
        self._batches = batches
        self._on_step = on_step
        self._started = monotonic()

    def on_train_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Count the seconds on from where a checkpoint stopped."""
        del args, control
        before = state.log_history[-1].get("seconds", 0.0) if state.log_history else 0.0
        self._started = monotonic() - before

    def on_log(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Complete the entry of a step, and tell it."""
        del args, control
        entry = state.log_history[-1]
        if "loss" not in entry:
            return
        if not math.isfinite(entry["loss"]):
            raise BadInputError(
                f"the loss is {entry['loss']} after step {state.global_step}",
                hint="give a lower --lr, or --dtype float32; the last checkpoint is of the same learning rate",
            )
        entry["accuracy"] = self.accuracy
        entry["tokens"] = sum(len(example.ids) for example in self._batches[state.global_step - 1])
        entry["seconds"] = round(monotonic() - self._started, 3)
        self._on_step(_step(entry, state.max_steps))


def _step(entry: dict[str, float], steps: int) -> Step:
    return Step(
        number=int(entry["step"]),
        steps=steps,
        loss=entry["loss"],
        accuracy=entry["accuracy"],
        rate=entry["learning_rate"],
        tokens=int(entry["tokens"]),
        seconds=entry["seconds"],
    )


def _optimizer(plan: TrainPlan, model: Any, steps: int) -> tuple[Any, Any]:
    learnt = [parameter for parameter in model.parameters() if parameter.requires_grad]
    optimizer = torch.optim.AdamW(learnt, lr=plan.learning_rate, weight_decay=0.0)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: rate(step, steps, plan.warm_up))
    return optimizer, schedule


def _arguments(plan: TrainPlan, chosen: Computing, folder: Path, steps: int) -> TrainingArguments:
    arguments = TrainingArguments(
        output_dir=str(folder),
        max_steps=steps,
        per_device_train_batch_size=1,  # an item of the data set is a whole batch
        max_grad_norm=plan.clip,
        seed=plan.seed,
        use_cpu=chosen.device == "cpu",
        logging_steps=1,
        logging_nan_inf_filter=False,
        save_strategy="steps",
        save_steps=plan.save_every,
        save_total_limit=2,
        dataloader_pin_memory=chosen.device == "cuda",
        remove_unused_columns=False,
        disable_tqdm=True,
        report_to="none",
        log_level="error",
    )
    arguments._n_gpu = min(1, arguments.n_gpu)  # noqa: SLF001 - the library's only way: one batch, one GPU
    return arguments
