"""Half-made things: under a name of their own until they are whole, and gone if they never are."""

from __future__ import annotations

import fcntl
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from harness.errors import SandboxError

_PREFIX = ".unfinished-"


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """`folder`, made if missing, for this process alone; what killed builds left half-made in it is removed.

    Raises SandboxError when it cannot be used.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with (folder / ".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            for leftover in folder.glob(f"{_PREFIX}*"):
                _remove(leftover)
            yield
    except OSError as error:
        raise SandboxError(
            f"cannot use {folder}: {error.strerror or error}", hint="$EVALH_HOME says where evalh keeps its images"
        ) from error


@contextmanager
def staged(folder: Path, suffix: str = "") -> Iterator[Path]:
    """A path in `folder` to make something at; gone at the end unless it was renamed."""
    place = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=folder))
    try:
        yield place / f"new{suffix}"
    finally:
        _remove(place)


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
