"""What the resident server can be told at its start."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType


@dataclass(frozen=True, slots=True, kw_only=True)
class ServeOptions:
    """The base, its adapters by name, and how to run them."""

    base: Path
    base_name: str = "base"
    adapters: Mapping[str, Path] = field(default_factory=lambda: MappingProxyType({}))
    dtype: str = "auto"  # "auto": the checkpoint's own, but float32 for float16 on a CPU
    device: str = "auto"  # "auto", "cpu" or "cuda"
    threads: int | None = None  # None: one for models under 50 million parameters, else every core
    max_batch: int = 16  # rows that decode together
    max_model_len: int | None = None  # None: what the checkpoint says
    chat_template: Path | None = None  # instead of the tokenizer's own
    deterministic: bool = False  # one request at a time, no reuse between requests
    load_4bit: bool = False
    prefix_cache_bytes: int = 1 << 30  # keys and values kept for sessions that go on; 0 keeps none
    kv_cache_bytes: int | None = None  # of the running batch; None: a quarter of what is free
