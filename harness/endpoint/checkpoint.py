"""Refuses what cannot be a base before anything heavy is imported."""

from __future__ import annotations

from pathlib import Path

from harness.errors import BadInputError


def check_base(directory: Path) -> None:
    """Refuse, before anything heavy is imported, what cannot be a base.

    Raises:
        BadInputError: the directory is missing, an adapter, or no checkpoint.
    """
    if not directory.is_dir():
        raise BadInputError(f"the base {directory} does not exist", hint="give a directory; nothing is downloaded")
    if not (directory / "config.json").is_file():
        adapter = (directory / "adapter_config.json").is_file()
        hint = "this is an adapter: give it with --adapter" if adapter else "give the directory of a whole checkpoint"
        raise BadInputError(f"the base {directory} is no checkpoint: it holds no config.json", hint=hint)
