"""Puts a spec's files into a container's world from outside, before anything of the operator runs in it."""

from __future__ import annotations

import errno
import os
import posixpath
import stat
from collections.abc import Iterator
from contextlib import contextmanager

from harness.errors import SandboxError
from harness.sandbox.crun.files import opened
from harness.sandbox.protocol import OPERATOR, OPERATOR_UID, WRITABLE_ROOTS, PlacedFile, SandboxSpec

_PLACED_AT = 1704067200  # 2024-01-01T00:00Z, so that `ls -l` reads the same in every run


def place(root: int, spec: SandboxSpec) -> None:
    """Write the motd and every placed file below the world's `root`, parents made as root's.

    Raises SandboxError when a path is not in a writable root, is in another file's way, or when the disk
    limit is too small.
    """
    motd = (PlacedFile(path="/etc/motd", content=spec.motd.encode(), owner="root"),) if spec.motd else ()
    for file in (*motd, *spec.files):
        _check(file)
        try:
            _write(root, file)
        except OSError as error:
            full = error.errno in (errno.ENOSPC, errno.EDQUOT)
            raise SandboxError(
                f"cannot place {file.path}: {error.strerror}",
                hint=f"the world's disk limit is {spec.limits.disk_bytes} bytes" if full else "mend [[files]]",
            ) from error


def create_empty(root: int, path: str) -> None:
    """Make an empty file of root's at `path`, which must not exist yet."""
    with opened(root, path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, mode=0o644):
        return


@contextmanager
def placed_script(root: int, path: str, script: str) -> Iterator[None]:
    """A script of root's at `path` for as long as the context lasts."""
    parent, name = posixpath.split(path)
    _write(root, PlacedFile(path=path, content=script.encode(), mode=0o700, owner="root"))
    yield
    with opened(root, parent, os.O_PATH | os.O_DIRECTORY) as directory:
        os.unlink(name, dir_fd=directory)


def _check(file: PlacedFile) -> None:
    below = any(file.path.startswith(f"{place}/") for place in WRITABLE_ROOTS)
    if not below or posixpath.normpath(file.path) != file.path:
        raise SandboxError(
            f"cannot place {file.path!r}: files go to {', '.join(WRITABLE_ROOTS)}, by a plain absolute path",
            hint="mend [[files]] of the scenario",
        )


def _write(root: int, file: PlacedFile) -> None:
    parent, name = posixpath.split(file.path)
    _make_directories(root, parent)
    with opened(root, parent, os.O_PATH | os.O_DIRECTORY) as directory:
        _clear(directory, name)
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
        with opened(directory, name, flags, mode=0o600) as descriptor:
            left = memoryview(file.content)
            while left:
                left = left[os.write(descriptor, left) :]
            owner = OPERATOR_UID if file.owner == OPERATOR else 0
            os.fchown(descriptor, owner, owner)
            os.fchmod(descriptor, file.mode)
            os.utime(descriptor, (_PLACED_AT, _PLACED_AT))


def _clear(directory: int, name: str) -> None:
    """Remove what the image or an earlier file left at the place, unless it is a directory."""
    try:
        found = os.stat(name, dir_fd=directory, follow_symlinks=False)
    except FileNotFoundError:
        return
    if stat.S_ISDIR(found.st_mode):
        raise IsADirectoryError(errno.EISDIR, "a directory is in its place")
    os.unlink(name, dir_fd=directory)


def _make_directories(root: int, path: str) -> None:
    """Make the missing directories down to `path`, as root's, readable by all."""
    made = "/"
    for name in path.strip("/").split("/"):
        with opened(root, made, os.O_PATH | os.O_DIRECTORY) as above:
            made = posixpath.join(made, name)
            try:
                os.mkdir(name, 0o755, dir_fd=above)
            except FileExistsError:
                continue
        with opened(root, made, os.O_RDONLY | os.O_DIRECTORY) as fresh:
            os.fchmod(fresh, 0o755)  # whatever our umask
            os.utime(fresh, (_PLACED_AT, _PLACED_AT))
