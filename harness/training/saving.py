"""Writes an adapter as peft does, byte for byte the same for the same weights, and says plainly when it cannot."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from safetensors import SafetensorError

from harness.errors import InfrastructureError


def save_adapter(model: Any, folder: Path) -> None:
    """Save a peft model's adapter into `folder`: its config and its weights, nothing else.

    Raises:
        InfrastructureError: it could not be written.
    """
    with writing(folder):
        model.save_pretrained(folder)
        (folder / "README.md").unlink(missing_ok=True)  # an empty form
        path = folder / "adapter_config.json"
        config = json.loads(path.read_bytes())
        if isinstance(config.get("target_modules"), list):
            config["target_modules"].sort()  # a set, whose order changes from process to process
        path.write_text(json.dumps(config, indent=2, sort_keys=True) + "\n", encoding="utf-8")


@contextmanager
def writing(folder: Path) -> Iterator[None]:
    """The same clear error for every way in which the libraries fail to write a file into `folder`."""
    try:
        yield
    except (OSError, SafetensorError) as error:
        raise _unwritten(folder, error) from error
    except RuntimeError as error:  # what torch.save makes of a full disk
        if "PytorchStreamWriter" not in str(error) and "unexpected pos" not in str(error):
            raise
        raise _unwritten(folder, error) from error


def _unwritten(folder: Path, error: Exception) -> InfrastructureError:
    reason = getattr(error, "strerror", None) or (str(error).strip() or type(error).__name__).splitlines()[0][:200]
    return InfrastructureError(f"could not write into {folder}: {reason}", hint="see that the disk has room")
