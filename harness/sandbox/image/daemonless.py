"""The image as a root filesystem in a folder, built without a daemon: what the crun engine runs on."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from harness.errors import SandboxError
from harness.sandbox.image.base import Progress, build_base
from harness.sandbox.image.content import content_listing, digest_of
from harness.sandbox.image.staging import locked, staged
from harness.sandbox.image.tree import PROVISION, inputs_digest, tree_archive
from harness.sandbox.paths import containers_dir, images_dir

_UNUSED_SECONDS = 14 * 24 * 3600
_ABOUT = "image.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """A finished root filesystem: its folder, never changed, and the digest over its content."""

    rootfs: Path
    digest: str
    origin: str  # what it was built from besides evalh's own files


@dataclass(frozen=True, slots=True, kw_only=True)
class Export:
    """An image of a Docker engine: its id, and what writes its root filesystem to a tar file."""

    image: str
    write: Callable[[Path], None]


def current_image() -> Image:
    """The image that new containers use: the one built from this evalh's own files.

    Raises SandboxError when there is none.
    """
    link = _link(images_dir())
    try:
        folder = link.resolve(strict=True)
        about = json.loads((folder / _ABOUT).read_text(encoding="utf-8"))
        return Image(rootfs=folder / "rootfs", digest=str(about["digest"]), origin=str(about["origin"]))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise SandboxError(
            f"there is no sandbox image of this evalh's in {images_dir()}", hint="run `evalh sandbox build`"
        ) from error


def build_rootfs(progress: Progress, *, base: Path | None = None, export: Export | None = None) -> Image:
    """Build the root filesystem unless it is there, make it current, and remove those long out of use.

    From `base` (a tar; default: `build_base`), or from `export`, the image that Docker built. An interrupted
    build changes nothing. Needs root; raises SandboxError.
    """
    if os.geteuid() != 0:
        raise SandboxError("the daemonless image can only be built by root", hint="use the docker engine, or be root")
    if export is None:
        base = base or build_base(progress)
        origin = f"base {_sha256(base)}"
    else:
        origin = export.image
    images = images_dir()
    with locked(images):
        with suppress(SandboxError):
            image = current_image()
            if image.origin == origin:
                os.utime(_link(images), follow_symlinks=False)
                progress(f"image: {image.digest} is there")
                return image
        with staged(images) as unfinished:
            image = _build(unfinished, progress, base, export, origin)
        _remove_unused(images)
    progress(f"image: {image.digest} in {image.rootfs.parent}")
    return image


def _build(unfinished: Path, progress: Progress, base: Path | None, export: Export | None, origin: str) -> Image:
    rootfs = unfinished / "rootfs"
    rootfs.mkdir(parents=True, mode=0o755)
    if export is not None:
        progress("image: taking it from Docker")
        export.write(unfinished / "export.tar")
        _unpack(unfinished / "export.tar", rootfs)
        (unfinished / "export.tar").unlink()
    elif base is not None:
        progress("image: unpacking the base")
        _unpack(base, rootfs)
        progress("image: adding the operator, panic and PID 1")
        _provision(rootfs)
    _empty_mounted(rootfs)
    digest = digest_of(content_listing(rootfs))
    about = {"digest": digest, "origin": origin, "inputs": inputs_digest()}
    (unfinished / _ABOUT).write_text(json.dumps(about), encoding="utf-8")
    unfinished.chmod(0o755)
    images = images_dir()
    number = hashlib.sha256(f"{digest} {origin}".encode()).hexdigest()[:16]
    final = images / number
    if not final.exists():
        unfinished.rename(final)
    _point(_link(images), final)
    return Image(rootfs=final / "rootfs", digest=digest, origin=origin)


def _link(images: Path) -> Path:
    """What points to the image of this evalh's own files: two checkouts of different versions do not quarrel."""
    return images / f"current-{inputs_digest().removeprefix('sha256:')[:12]}"


def _sha256(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _unpack(tar: Path, rootfs: Path) -> None:
    _run(["tar", "--numeric-owner", "-xpf", str(tar), "-C", str(rootfs)], f"{tar} could not be unpacked")
    rootfs.chmod(0o755)
    os.chown(rootfs, 0, 0)


def _provision(rootfs: Path) -> None:
    """Copy the tree over it and run its provision script inside, in namespaces of its own, with no mounts."""
    unpack = ["tar", "--numeric-owner", "-xpf", "-", "-C", str(rootfs)]
    _run(unpack, "the image's own files could not be added", stdin=tree_archive())
    alone = ["unshare", "--mount", "--net", "--ipc", "--uts", "--pid", "--fork", "--kill-child"]
    command = [*alone, "chroot", str(rootfs), "/bin/sh", f"/{PROVISION}"]
    _run(command, "the image could not be provisioned")


def _empty_mounted(rootfs: Path) -> None:
    """/dev, /proc and /sys as empty folders; the files that name a machine, as every container's own."""
    for name in ("dev", "proc", "sys"):
        shutil.rmtree(rootfs / name, ignore_errors=True)
        (rootfs / name).mkdir(mode=0o755)
    (rootfs / ".dockerenv").unlink(missing_ok=True)
    for name, text in (("hostname", "shell\n"), ("hosts", "127.0.0.1 localhost shell\n"), ("resolv.conf", "")):
        file = rootfs / "etc" / name
        file.unlink(missing_ok=True)
        file.write_text(text, encoding="utf-8")
        file.chmod(0o644)


def _point(link: Path, target: Path) -> None:
    fresh = link.with_name(f".{link.name}.new")
    fresh.unlink(missing_ok=True)
    fresh.symlink_to(target.name)
    fresh.rename(link)


def _remove_unused(images: Path) -> None:
    """Remove the images that no container runs on and no evalh has built for a fortnight."""
    used: set[Path] = set()
    for link in images.glob("current-*"):
        if time.time() - link.lstat().st_mtime > _UNUSED_SECONDS:
            link.unlink()
        else:
            used.add(link.resolve())
    for link in containers_dir().glob("*/rootfs"):
        with suppress(OSError):  # a container that is just going
            used.add(link.readlink().parent.resolve())
    for folder in images.iterdir():
        if folder.is_dir() and not folder.is_symlink() and folder.resolve() not in used and folder.name[0] != ".":
            shutil.rmtree(folder)


def _run(command: list[str], failure: str, *, stdin: bytes = b"") -> None:
    environment = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C.UTF-8"}
    try:
        done = subprocess.run(command, input=stdin, capture_output=True, env=environment, check=False)
    except OSError as error:
        raise SandboxError(f"{failure}: {error}") from error
    if done.returncode != 0:
        said = done.stderr.decode(errors="replace").strip()[-1000:]
        raise SandboxError(f"{failure}: {said}", hint="is there room on the disk?")
