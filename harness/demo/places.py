"""Where the demonstration keeps its things."""

from __future__ import annotations

from pathlib import Path
from typing import Final

HOME: Final = Path("build/demo")
GGUF: Final = HOME / "SmolLM2-135M-Instruct.Q4_1.gguf"
BASE: Final = HOME / "base"
TRAJECTORIES: Final = HOME / "trajectories.jsonl"
ADAPTER: Final = HOME / "ckpt"
