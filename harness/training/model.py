"""Loads the base that is trained on, and puts fresh LoRA matrices into it."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from peft import LoraConfig, get_peft_model, prepare_model_for_kbit_training
from transformers import AutoModelForCausalLM, BitsAndBytesConfig
from transformers.utils import logging

from harness.errors import BadInputError, InfrastructureError
from harness.tokenizer import LOCAL
from harness.training.machine import Computing, set_threads
from harness.training.plan import AUTO_TARGETS, LINEARS, TrainPlan

ALL = "all-linear"


def load_model(plan: TrainPlan, chosen: Computing) -> Any:
    """The base as a peft model with fresh LoRA matrices, on its device and ready to train.

    Raises:
        BadInputError: the base does not load, or none of the plan's targets is in it.
    """
    logging.disable_progress_bar()
    logging.set_verbosity_error()
    base = _load_base(plan, chosen)
    set_threads(plan, base.num_parameters())
    config = LoraConfig(
        r=plan.rank,
        lora_alpha=plan.lora_alpha,
        lora_dropout=plan.dropout,
        target_modules=_targets(plan.targets, base),
        task_type="CAUSAL_LM",
        base_model_name_or_path=str(plan.base),
    )
    torch.manual_seed(plan.seed)
    with quiet(), _clear_memory_errors(plan):
        model: Any = get_peft_model(base, config)
    model.peft_config["default"].base_model_name_or_path = str(plan.base)
    model.train()
    return model


@contextmanager
def quiet() -> Iterator[None]:
    """Without the warnings of peft about names that transformers is giving up."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        yield


def _load_base(plan: TrainPlan, chosen: Computing) -> Any:
    extra: dict[str, Any] = {"dtype": chosen.torch_dtype}
    if plan.load_4bit:
        extra["device_map"] = {"": 0}
        extra["quantization_config"] = BitsAndBytesConfig(
            load_in_4bit=True,
            bnb_4bit_quant_type="nf4",
            bnb_4bit_use_double_quant=True,
            bnb_4bit_compute_dtype=chosen.torch_dtype,
        )
    try:
        with _clear_memory_errors(plan):
            base: Any = AutoModelForCausalLM.from_pretrained(plan.base, **LOCAL, **extra)
            if not plan.load_4bit:
                base.to(chosen.device)
    except (OSError, ValueError) as error:
        raise BadInputError(
            f"{plan.base} does not load: {(str(error).strip() or type(error).__name__).splitlines()[0][:200]}",
            hint="give the directory of a checkpoint",
        ) from error
    if plan.load_4bit:
        base = prepare_model_for_kbit_training(base, use_gradient_checkpointing=False)
    if plan.gradient_checkpointing:
        _checkpoint_activations(base)
    return base


def _checkpoint_activations(base: Any) -> None:
    """Compute activations again in the backward pass instead of keeping them; by either name of transformers."""
    if hasattr(base, "activation_checkpointing_enable"):
        base.activation_checkpointing_enable(activation_checkpointing_kwargs={"use_reentrant": False})
    else:
        base.gradient_checkpointing_enable(gradient_checkpointing_kwargs={"use_reentrant": False})


@contextmanager
def _clear_memory_errors(plan: TrainPlan) -> Iterator[None]:
    try:
        yield
    except torch.OutOfMemoryError as error:
        raise InfrastructureError(
            f"{plan.base} does not fit the GPU's memory", hint="give --load-4bit, or free the GPU"
        ) from error


def _targets(asked: Sequence[str], base: Any) -> list[str] | str:
    """What peft is to adapt: for `auto` the seven usual layers where the base has them all, else every linear one."""
    linear = {name.rpartition(".")[2] for name, module in base.named_modules() if isinstance(module, torch.nn.Linear)}
    if tuple(asked) == AUTO_TARGETS:
        return list(LINEARS) if linear.issuperset(LINEARS) else ALL
    if tuple(asked) == (ALL,):
        return ALL
    known = {part for name, _ in base.named_modules() for part in [name.rpartition(".")[2], name]}
    absent = [name for name in asked if name not in known]
    if absent:
        raise BadInputError(
            f"--targets {','.join(absent)}: the base has no such layers",
            hint=f"its linear layers are {', '.join(sorted(linear)) or 'none'}; or give {ALL}",
        )
    return list(asked)
