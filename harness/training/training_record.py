"""What an adapter states about its own making, in `training.json` beside its weights."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from harness.training.plan import Fact

RECORD: Final = "training.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingRecord:
    """`identity` is everything that decided what the adapter would be; the rest is what came of it."""

    identity: Mapping[str, Fact]
    chat_template: str | None  # sha256 of the template
    chat_template_kwargs: Mapping[str, object]
    separator: str
    trajectories: int
    dropped: int  # trajectories that could not be rendered
    reasons: Mapping[str, int]  # of those
    examples: int
    too_long: int  # examples left out
    tokens: int  # read in one pass
    trained_tokens: int  # learnt in one pass
    longest: int  # tokens of the longest example
    losses: tuple[float, ...]  # one a step, nats per learnt token
    accuracy: float  # of the greedy guess, in the last step
    seconds: float
    dtype: str  # that the base was computed in
    device: str
    versions: Mapping[str, str]


def write_record(path: Path, record: TrainingRecord) -> None:
    """Write the record as JSON."""
    path.write_text(json.dumps(asdict(record), indent=2, sort_keys=True) + "\n", encoding="utf-8")


def read_identity(adapter: Path) -> Mapping[str, object] | None:
    """The identity that a directory's record states, None where there is no such record."""
    try:
        made = json.loads((adapter / RECORD).read_bytes())
    except (OSError, ValueError):
        return None
    stated = made.get("identity") if isinstance(made, dict) else None
    return stated if isinstance(stated, dict) else None


def is_current(adapter: Path, identity: Mapping[str, Fact]) -> bool:
    """Whether `adapter` is complete and was made of exactly this."""
    whole = all((adapter / name).is_file() for name in ("adapter_config.json", "adapter_model.safetensors"))
    return whole and read_identity(adapter) == dict(identity)
