"""What an adapter states about its own making, in `training.json` beside its weights."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

RECORD: Final = "training.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingRecord:
    """`identity` is everything that decided what the adapter would be; the rest is what came of it."""

    identity: Mapping[str, str | int | float]
    chat_template: str | None  # sha256 of the template
    trajectories: int
    examples: int
    too_long: int  # examples left out
    trained_tokens: int  # in one pass
    losses: tuple[float, ...]  # one a step, nats per learnt token
    accuracy: float  # of the greedy guess, in the last step
    seconds: float
    dtype: str  # that the base was computed in
    versions: Mapping[str, str]


def write_record(path: Path, record: TrainingRecord) -> None:
    """Write the record as JSON."""
    path.write_text(json.dumps(asdict(record), indent=2, sort_keys=True) + "\n", encoding="utf-8")


def is_current(adapter: Path, identity: Mapping[str, str | int | float]) -> bool:
    """Whether `adapter` is complete and was made of exactly this."""
    try:
        made = json.loads((adapter / RECORD).read_bytes())
    except (OSError, ValueError):
        return False
    whole = all((adapter / name).is_file() for name in ("adapter_config.json", "adapter_model.safetensors"))
    return whole and isinstance(made, dict) and made.get("identity") == dict(identity)
