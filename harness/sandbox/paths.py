"""Where evalh keeps what outlives a command: sandbox images; and what does not: running containers."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from harness.errors import SandboxError

RUNTIME = Path("/run/evalh")  # short and free of odd characters: it goes into mount options and socket names


def evalh_home() -> Path:
    """`$EVALH_HOME`, or `evalh` in the user's cache directory; not created here."""
    home = os.environ.get("EVALH_HOME")
    if home:
        return Path(home).expanduser().absolute()
    cache = os.environ.get("XDG_CACHE_HOME")
    return (Path(cache) if cache else Path.home() / ".cache") / "evalh"


def images_dir() -> Path:
    """Where the daemonless engine's root filesystems live, one folder per digest."""
    return evalh_home() / "images"


def containers_dir() -> Path:
    """Where running daemonless containers keep their state; made if missing, readable by root only.

    Raises SandboxError when it cannot be made, or when somebody else than root made it.
    """
    state = RUNTIME / "containers"
    try:
        for folder in (RUNTIME, state):
            folder.mkdir(mode=0o700, exist_ok=True)
            found = folder.lstat()
            if not stat.S_ISDIR(found.st_mode) or found.st_uid != 0:
                raise SandboxError(f"{folder} is not a directory of root's", hint=f"remove {folder} and try again")
    except OSError as error:
        raise SandboxError(f"cannot use {state}: {error.strerror}", hint="the crun engine needs root") from error
    return state
