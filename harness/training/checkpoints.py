"""The hidden folder beside an adapter that is being trained: its plan and the checkpoints to go on from."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final, Literal

from harness.errors import BadInputError
from harness.training.places import beside
from harness.training.plan import Fact

Resume = Literal["same", "replace", "never"]
"""What to do with checkpoints: go on from those of the same plan and refuse others' (`same`) or remove others'
(`replace`); or start over whatever there is (`never`)."""

_PLAN: Final = "plan.json"
_STATE: Final = "trainer_state.json"  # the last file of a checkpoint to be written


def folder_of(out: Path) -> Path:
    """Where the checkpoints of the adapter `out` lie while it is trained."""
    return beside(out, "training")


def last_checkpoint(out: Path) -> Path | None:
    """The latest complete checkpoint of `out`, None if there is none. What a kill left half written is passed over."""
    found = [path for path in folder_of(out).glob("checkpoint-*") if _is_complete(path)]
    return max(found, key=step_of, default=None)


def step_of(checkpoint: Path) -> int:
    """The step that a checkpoint was saved after."""
    number = checkpoint.name.rpartition("-")[2]
    return int(number) if number.isdecimal() else 0


def begin(out: Path, stamp: Mapping[str, Fact], *, resume: Resume, say: Callable[[str], None]) -> Path | None:
    """See that the folder is there and of this plan; returns the checkpoint to go on from, None to start at step 1.

    `stamp` is all that must be the same for a resumed training to be the uninterrupted one.

    Raises:
        BadInputError: there are checkpoints of another plan, and `resume` is "same"; names what differs.
    """
    folder = folder_of(out)
    found = last_checkpoint(out)
    if found is not None and resume != "never":
        differing = _differing(folder, stamp)
        if not differing:
            say(f"going on after step {step_of(found)}, from {found}")
            return found
        if resume == "same":
            raise BadInputError(
                f"{folder} holds checkpoints of a training with other settings: {', '.join(differing)}",
                hint="give the same command to finish that one, or --no-resume to start over",
            )
        say(f"starting over: the checkpoints in {folder} are of other settings ({', '.join(differing)})")
    clear(out)
    folder.mkdir(parents=True)
    (folder / _PLAN).write_text(json.dumps(dict(stamp), indent=2, sort_keys=True) + "\n", encoding="utf-8")
    return None


def clear(out: Path) -> None:
    """Remove the checkpoints of `out`."""
    shutil.rmtree(folder_of(out), ignore_errors=True)


def _differing(folder: Path, stamp: Mapping[str, Fact]) -> list[str]:
    made = _json(folder / _PLAN)
    return sorted(key for key in {*made, *stamp} if made.get(key) != stamp.get(key))


def _is_complete(checkpoint: Path) -> bool:
    return bool(_json(checkpoint / _STATE)) and (checkpoint / "adapter_model.safetensors").is_file()


def _json(path: Path) -> Mapping[str, object]:
    try:
        value = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return {}
    return value if isinstance(value, dict) else {}
