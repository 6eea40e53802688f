"""Loads the base: its weights, its tokenizer, and what ends a turn of it."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any

import torch

from harness.endpoint.resident.adapters import Adapters
from harness.endpoint.resident.options import ServeOptions
from harness.endpoint.resident.slots import Slots
from harness.errors import BadInputError, EndpointError
from harness.tokenizer import LOCAL

SMALL_PARAMETERS = 50_000_000  # one thread is faster below this
_UNLIMITED = 1_000_000_000  # tokenizers without a limit say a larger number


@dataclass(frozen=True, slots=True, kw_only=True)
class Base:
    """A loaded base model, ready to run."""

    model: Any
    device: torch.device
    dtype: str
    threads: int
    max_model_len: int


def load_base(options: ServeOptions, *, tokenizer_limit: int) -> Base:
    """Load the base's weights onto its device.

    Raises:
        BadInputError: no checkpoint, one that does not load whole, or options that do not fit it.
    """
    from transformers import AutoConfig, AutoModelForCausalLM, logging

    logging.set_verbosity_error()
    logging.disable_progress_bar()
    device = _device(options)
    try:
        config = AutoConfig.from_pretrained(options.base, **LOCAL)
        model, info = AutoModelForCausalLM.from_pretrained(
            options.base, output_loading_info=True, **LOCAL, **_weights(options, device)
        )
    except (torch.OutOfMemoryError, MemoryError) as error:
        raise EndpointError(f"out of memory while loading the base {options.base}") from error
    except Exception as error:  # whatever a library makes of a damaged checkpoint, the checkpoint is the cause
        first_line = " ".join(str(error).split())[:300]
        raise BadInputError(f"the base {options.base} cannot be loaded: {first_line}") from error
    if missing := sorted(info["missing_keys"]):
        raise BadInputError(
            f"the base {options.base} is not whole: {len(missing)} tensors are missing, the first is {missing[0]}"
        )
    model.eval().requires_grad_(requires_grad=False)
    if not options.load_4bit:
        narrow = device.type == "cpu" and options.dtype == "auto" and model.dtype == torch.float16
        model.to(device=device, dtype=torch.float32 if narrow else model.dtype)
    threads = options.threads or (1 if model.num_parameters() < SMALL_PARAMETERS else torch.get_num_threads())
    return Base(
        model=model,
        device=device,
        dtype=str(model.dtype).removeprefix("torch."),
        threads=threads,
        max_model_len=_max_len(options, config, tokenizer_limit),
    )


class Runner:
    """The base and its adapters as one function from tokens to logits."""

    def __init__(self, base: Base, adapters: Adapters) -> None:
        self._adapters = adapters
        self._last_only = "logits_to_keep" in inspect.signature(base.model.forward).parameters

    def __call__(
        self,
        tokens: torch.Tensor,
        *,
        mask: torch.Tensor,
        positions: torch.Tensor,
        slots: Slots,
        adapters: Sequence[str],
    ) -> torch.Tensor:
        """Logits (rows, vocabulary) after the last of `tokens`; `slots` gains their keys and values."""
        extra = {"logits_to_keep": 1} if self._last_only else {}
        with torch.inference_mode(), self._adapters.route(adapters):
            output = self._adapters.model(
                input_ids=tokens,
                attention_mask=mask,
                position_ids=positions,
                past_key_values=slots.cache,
                use_cache=True,
                **extra,
            )
        logits: torch.Tensor = output.logits[:, -1]
        return logits


def _device(options: ServeOptions) -> torch.device:
    cuda = torch.cuda.is_available()
    if options.device == "cuda" and not cuda:
        raise BadInputError("no CUDA device answers", hint="use --device cpu")
    if options.load_4bit and not (cuda and options.device != "cpu" and find_spec("bitsandbytes")):
        lacking = "a CUDA device" if not cuda or options.device == "cpu" else "the package bitsandbytes"
        raise BadInputError(
            f"--load-4bit needs {lacking}", hint="leave it out, or install evalh[gpu] on a machine with a GPU"
        )
    return torch.device("cuda" if cuda and options.device != "cpu" else "cpu")


def _weights(options: ServeOptions, device: torch.device) -> dict[str, Any]:
    if not options.load_4bit:
        return {"dtype": options.dtype}
    from transformers import BitsAndBytesConfig

    quantised = BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=torch.bfloat16,
    )
    return {"dtype": torch.bfloat16, "quantization_config": quantised, "device_map": {"": device.index or 0}}


def _max_len(options: ServeOptions, config: Any, tokenizer_limit: int) -> int:
    text = config.get_text_config()
    sizes = [getattr(text, name, None) for name in ("max_position_embeddings", "n_positions", "max_seq_len")]
    limits = [size for size in (*sizes, tokenizer_limit) if isinstance(size, int) and 0 < size < _UNLIMITED]
    own = min(limits) if limits else None
    if options.max_model_len is None:
        return own or 2048
    if own is not None and options.max_model_len > own:
        raise BadInputError(f"--max-model-len {options.max_model_len} is more than the base's {own}")
    return options.max_model_len
