"""What the machine computes a training in: the device, the number format, the threads."""

from __future__ import annotations

import os
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Final

import torch

from harness.errors import BadInputError
from harness.training.plan import TrainPlan

SMALL_PARAMETERS: Final = 20_000_000
"""Below so many, one thread of a busy CPU is faster than several."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Computing:
    """Where and in what the base is computed; the LoRA matrices are float32 always."""

    device: str  # "cpu" or "cuda"
    dtype: str  # "float32" or "bfloat16"

    @property
    def half(self) -> bool:
        """Whether the base is computed in 16 bits."""
        return self.dtype == "bfloat16"

    @property
    def torch_dtype(self) -> torch.dtype:
        """The type under torch's name."""
        return torch.bfloat16 if self.half else torch.float32


def computing(plan: TrainPlan) -> Computing:
    """What the plan comes to on this machine.

    Raises:
        BadInputError: it asks for a GPU, or for four bits, and there is none, or no bitsandbytes.
    """
    cuda = torch.cuda.is_available()
    if plan.device == "cuda" and not cuda:
        raise BadInputError("--device cuda: no CUDA device answers", hint="use --device cpu")
    device = "cuda" if cuda and plan.device != "cpu" else "cpu"
    if plan.load_4bit and (device != "cuda" or not find_spec("bitsandbytes")):
        lacking = "a CUDA device" if device != "cuda" else "the package bitsandbytes"
        raise BadInputError(
            f"--load-4bit needs {lacking}", hint="leave it out, or install evalh[gpu] on a machine with a GPU"
        )
    if plan.dtype != "auto":
        return Computing(device=device, dtype=plan.dtype)
    half = torch.cuda.is_bf16_supported() if device == "cuda" else cpu_computes_bfloat16()
    return Computing(device=device, dtype="bfloat16" if half else "float32")


def cpu_computes_bfloat16() -> bool:
    """Whether this CPU multiplies bfloat16 matrices in hardware; without that it is slower than float32."""
    try:
        flags = set(Path("/proc/cpuinfo").read_text(encoding="ascii", errors="replace").split())
    except OSError:
        return False
    return bool(flags & {"avx512_bf16", "amx_bf16", "bf16", "svebf16"})


def settle(plan: TrainPlan, chosen: Computing) -> None:
    """Fix what makes a training repeatable: the seed; on a GPU one device and algorithms that give the same twice."""
    torch.manual_seed(plan.seed)
    if chosen.device == "cuda":
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
        torch.use_deterministic_algorithms(mode=True, warn_only=True)


def set_threads(plan: TrainPlan, parameters: int) -> None:
    """The CPU's threads for a model of so many parameters."""
    few = 1 if parameters < SMALL_PARAMETERS else len(os.sched_getaffinity(0))
    torch.set_num_threads(plan.threads or few)
