"""Trains a LoRA adapter on trajectories, through the render contract alone."""

from __future__ import annotations

import os
import platform
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import render
from harness.errors import BadInputError
from harness.tokenizer import load_tokenizer
from harness.training.batches import Batch, batches, passes
from harness.training.checkpoints import Resume, begin, clear, folder_of, step_of
from harness.training.curve import CURVE, write_curve
from harness.training.examples import Prepared, read_examples
from harness.training.places import alone, whole_directory
from harness.training.plan import Fact, Step, TrainPlan, identity
from harness.training.training_record import RECORD, TrainingRecord, is_current, read_identity, write_record

if TYPE_CHECKING:
    from harness.training.machine import Computing

_PACKAGES: Final = ("torch", "transformers", "peft", "accelerate", "tokenizers", "bitsandbytes")


@dataclass(frozen=True, slots=True, kw_only=True)
class Trained:
    """What a training came to; without steps where the adapter was there already."""

    adapter: Path
    steps: tuple[Step, ...]
    resumed_after: int  # the step that a checkpoint took it up from, 0 for a training in one piece


def train(
    plan: TrainPlan, *, say: Callable[[str], None], on_step: Callable[[Step], None], resume: Resume = "same"
) -> Trained:
    """Train and write a peft adapter, with `training.json`, `loss.csv` and `fingerprint.json` beside it.

    Does nothing when the directory holds the adapter of the same plan, data, base and contract already. A training
    that was interrupted, however it was, goes on from its last checkpoint; the adapter comes out the same.

    Raises:
        BadInputError: base, data or settings are missing or wrong, or `plan.out` holds what training did not write.
        InfrastructureError: the adapter could not be written, or a GPU's memory is too small.
    """
    _check(plan)
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # spinning costs busy cores dearly
    with alone(plan.out):
        decided = identity(plan)
        if is_current(plan.out, decided):
            say(f"{plan.out} is there, of the same data, base and settings")
            clear(plan.out)
            return Trained(adapter=plan.out, steps=(), resumed_after=0)
        tokenizer = load_tokenizer(plan.base, flag="--base")
        prepared = examples_of(plan, tokenizer)
        chosen_batches = batches_of(plan, prepared)
        say(account(prepared, plan, len(chosen_batches)))
        return _train(plan, decided, tokenizer, prepared, chosen_batches, say=say, on_step=on_step, resume=resume)


def examples_of(plan: TrainPlan, tokenizer: render.ChatTokenizer) -> Prepared:
    """The plan's examples. Raises BadInputError as `read_examples` does."""
    return read_examples(
        plan.data,
        tokenizer,
        max_tokens=plan.max_tokens,
        chat_template_kwargs=plan.chat_template_kwargs,
        drop_bad=plan.drop_bad,
    )


def batches_of(plan: TrainPlan, prepared: Prepared) -> list[Batch]:
    """The batches of every step, in order."""
    if plan.steps is not None:
        return list(batches(prepared.examples, tokens=plan.batch_tokens, steps=plan.steps, seed=plan.seed))
    return list(passes(prepared.examples, tokens=plan.batch_tokens, epochs=plan.epochs, seed=plan.seed))


def account(prepared: Prepared, plan: TrainPlan, steps: int) -> str:
    """One line on what is trained on and what is not."""
    left_out = f", {prepared.too_long} left out as longer than {plan.max_tokens} tokens" if prepared.too_long else ""
    dropped = f", {prepared.dropped} trajectories dropped" if prepared.dropped else ""
    return (
        f"{prepared.trajectories} trajectories, {len(prepared.examples)} examples, "
        f"{prepared.trained_tokens} tokens to learn{left_out}{dropped}; "
        f"{steps} steps of about {plan.batch_tokens} tokens"
    )


def _check(plan: TrainPlan) -> None:
    """Refuse early what would fail late, or destroy what is not ours."""
    if not (plan.base / "config.json").is_file():
        raise BadInputError(
            f"{plan.base} is no checkpoint: config.json is missing", hint="give --base the directory of a checkpoint"
        )
    foreign = plan.out.exists() and read_identity(plan.out) is None
    if foreign and (not plan.out.is_dir() or any(plan.out.iterdir())):
        raise BadInputError(
            f"--out {plan.out} is there, and is no adapter that `evalh train` wrote",
            hint="give a directory that does not exist yet",
        )
    missing = [name for name in ("torch", "transformers", "peft", "accelerate") if find_spec(name) is None]
    if missing:
        raise BadInputError(f"training needs the package {missing[0]}", hint="pip install 'evalh[train]'")


def _train(
    plan: TrainPlan,
    decided: dict[str, Fact],
    tokenizer: render.ChatTokenizer,
    prepared: Prepared,
    chosen_batches: Sequence[Batch],
    *,
    say: Callable[[str], None],
    on_step: Callable[[Step], None],
    resume: Resume,
) -> Trained:
    from harness.training.loop import fit
    from harness.training.machine import computing, settle
    from harness.training.model import load_model

    chosen = computing(plan)
    settle(plan, chosen)
    stamp = {**decided, **versions(), "computed_on": chosen.device, "computed_in": chosen.dtype}
    checkpoint = begin(plan.out, stamp, resume=resume, say=say)
    say(f"loading {plan.base} ({chosen.dtype}, {chosen.device})")
    model = load_model(plan, chosen)
    steps = fit(
        plan,
        model,
        chosen_batches,
        chosen=chosen,
        folder=folder_of(plan.out),
        checkpoint=checkpoint,
        on_step=on_step,
    )
    record = _record(plan, decided, tokenizer, prepared, chosen, steps)
    _write(plan, model, tokenizer, record, steps)
    clear(plan.out)
    say(f"{plan.out} written, loss {steps[0].loss:.3f} to {steps[-1].loss:.3f} in {steps[-1].seconds:.0f} s")
    return Trained(adapter=plan.out, steps=tuple(steps), resumed_after=step_of(checkpoint) if checkpoint else 0)


def _record(
    plan: TrainPlan,
    decided: dict[str, Fact],
    tokenizer: render.ChatTokenizer,
    prepared: Prepared,
    chosen: Computing,
    steps: Sequence[Step],
) -> TrainingRecord:
    return TrainingRecord(
        identity=decided,
        chat_template=render.template_digest(tokenizer),
        chat_template_kwargs=plan.chat_template_kwargs,
        separator=render.SEPARATOR,
        reasons=prepared.reasons,
        losses=tuple(round(step.loss, 5) for step in steps),
        accuracy=round(steps[-1].accuracy, 5),
        seconds=steps[-1].seconds,
        dtype=chosen.dtype,
        device=chosen.device,
        versions=versions(),
        **prepared.counts,
    )


def _write(
    plan: TrainPlan, model: Any, tokenizer: render.ChatTokenizer, record: TrainingRecord, steps: Sequence[Step]
) -> None:
    """The adapter's directory, whole or not at all."""
    from harness.endpoint import read_adapter
    from harness.preflight.fingerprint import take_fingerprint, write_fingerprint
    from harness.training.saving import save_adapter

    with whole_directory(plan.out) as scratch:
        save_adapter(model, scratch)
        write_curve(scratch / CURVE, steps)
        write_record(scratch / RECORD, record)
        fingerprint = take_fingerprint(
            model,
            tokenizer,
            adapter_digest=read_adapter(scratch).digest,
            base_digest=str(record.identity["base_digest"]),
            chat_template_kwargs=plan.chat_template_kwargs,
        )
        write_fingerprint(scratch, fingerprint)


def versions() -> dict[str, str]:
    """The versions that an adapter depends on; packages that are not installed are left out."""
    found = {"python": platform.python_version()}
    for name in _PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found
