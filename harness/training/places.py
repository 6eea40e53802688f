"""How files and directories that take long to make appear: whole or not at all, and made by one process at a time."""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from harness.errors import BadInputError, InfrastructureError


@contextmanager
def alone(target: Path) -> Iterator[None]:
    """Hold the lock beside `target` while it is being made; a second maker waits for the first.

    The lock ends with the process that holds it, however that ends. Raises BadInputError where the folder cannot
    be written.
    """
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(beside(target, "lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    except OSError as error:
        raise BadInputError(
            f"cannot write into {target.parent}: {error.strerror}", hint="choose a folder that you may write"
        ) from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


@contextmanager
def whole_directory(target: Path) -> Iterator[Path]:
    """A scratch directory that takes `target`'s place when the block ends well, and vanishes when it does not.

    Call it under `alone(target)`. What a killed process left is removed first. An existing `target` stays until the
    new one is complete.
    """
    scratch, old = beside(target, "partial"), beside(target, "old")
    for leftover in (scratch, old):
        shutil.rmtree(leftover, ignore_errors=True)
    try:
        scratch.mkdir(parents=True)
        yield scratch
        if target.exists():
            target.rename(old)
        scratch.rename(target)
    except OSError as error:
        raise InfrastructureError(
            f"could not write {target}: {error.strerror or error}", hint="see that the disk has room"
        ) from error
    finally:
        for leftover in (scratch, old):
            shutil.rmtree(leftover, ignore_errors=True)


def beside(target: Path, ending: str) -> Path:
    """The hidden sibling of `target` that its making needs: `.NAME.ENDING`."""
    return target.parent / f".{target.name}.{ending}"
