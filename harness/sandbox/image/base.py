"""The base root filesystem, a tar of Debian's essential packages made by mmdebstrap, where none can be pulled."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
from collections import deque
from collections.abc import Callable
from pathlib import Path

from harness.errors import SandboxError
from harness.sandbox.image.sources import SUITE, debian_lines
from harness.sandbox.image.staging import locked, staged
from harness.sandbox.paths import evalh_home

Progress = Callable[[str], None]

_HOOK = Path("/usr/share/mmdebstrap/hooks/merged-usr")
_NOT_WANTED = ("/usr/share/man/*", "/usr/share/locale/*", "/usr/share/info/*", "/usr/share/doc/*")
_TAIL_LINES = 12
_OF_THE_MACHINE = 'rm -f "$1"/etc/hostname "$1"/etc/resolv.conf'  # mmdebstrap copies this machine's


def build_base(progress: Progress) -> Path:
    """The base as a tar file, made now unless it was made before (a minute at most; needs the machine's mirror).

    Raises SandboxError, saying what to install or what mmdebstrap said, when it cannot be made.
    """
    folder = evalh_home() / "base"
    target = folder / f"debian-{SUITE}-{platform.machine()}.tar"
    with locked(folder):
        if target.exists():
            progress(f"base: {target} is there")
            return target
        if shutil.which("mmdebstrap") is None:
            raise SandboxError(
                "the sandbox's base cannot be made: mmdebstrap is not installed",
                hint="run `apt-get install mmdebstrap`, or start a Docker engine that can pull Debian's image",
            )
        progress("base: making it from Debian's packages")
        with staged(folder, ".tar") as unfinished:
            _mmdebstrap(unfinished)
            unfinished.rename(target)
    progress(f"base: {target.stat().st_size // 1_000_000} MB in {target}")
    return target


def _mmdebstrap(target: Path) -> None:
    """Run mmdebstrap with the machine's own mirrors; with its own default where none are configured."""
    lines = debian_lines(Path("/etc/apt"), codename=_codename())
    command = [
        *("mmdebstrap", "--variant=essential", "--include=usr-is-merged", "--format=tar"),
        *([f"--hook-dir={_HOOK}"] if _HOOK.is_dir() else []),
        *(f"--dpkgopt=path-exclude={pattern}" for pattern in _NOT_WANTED),
        "--dpkgopt=path-include=/usr/share/doc/*/copyright",
        f"--customize-hook={_OF_THE_MACHINE}",
        *(SUITE, str(target)),
        *(["-"] if lines else []),
    ]
    environment = os.environ | {"LC_ALL": "C.UTF-8", "SOURCE_DATE_EPOCH": "1704067200"}
    try:
        done = subprocess.run(
            command,
            input="\n".join(lines) + "\n",
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=environment,
            cwd="/",
            text=True,
            errors="replace",
            check=False,
        )
    except OSError as error:
        raise SandboxError(f"mmdebstrap could not be started: {error}") from error
    if done.returncode != 0:
        said = "\n".join(deque(done.stdout.splitlines(), _TAIL_LINES))
        raise SandboxError(
            f"mmdebstrap could not make the sandbox's base; it said last:\n{said}",
            hint="is the mirror of /etc/apt reachable? try `apt-get update`",
        )


def _codename() -> str:
    """This Debian machine's own suite; the wanted one where it is no Debian, whose mirrors then do not match."""
    try:
        release = platform.freedesktop_os_release()
    except OSError:
        return SUITE
    return release.get("VERSION_CODENAME", SUITE) if release.get("ID") == "debian" else SUITE
