"""Opening paths inside a container's root from outside, with the kernel keeping every step inside it (openat2)."""

from __future__ import annotations

import ctypes
import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

_OPENAT2 = 437  # the same number on every architecture
_RESOLVE_NO_MAGICLINKS = 0x02
_RESOLVE_NO_SYMLINKS = 0x04
_RESOLVE_IN_ROOT = 0x10
_TRIES = 64
_MOST_LINKS = 40  # as the kernel follows on one path

# What these say is that nothing (usable) is at the path, not that looking failed.
ABSENT = frozenset({errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.ENAMETOOLONG, errno.EXDEV})


class _OpenHow(ctypes.Structure):
    _fields_ = (("flags", ctypes.c_uint64), ("mode", ctypes.c_uint64), ("resolve", ctypes.c_uint64))


@cache
def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)


def open_inside(root: int, path: str, flags: int, *, mode: int = 0, symlinks: bool = True) -> int:
    """A descriptor of `path` below the directory `root`; no symlink, `..` or absolute path leads out of it.

    `symlinks=False` refuses every symlink on the way. Raises OSError as open does; ValueError for a NUL in it.
    """
    raw = os.fsencode(path)
    if b"\0" in raw:
        raise ValueError("a path cannot contain a NUL")
    how = _OpenHow(
        flags=flags | os.O_CLOEXEC,
        mode=mode,
        resolve=_RESOLVE_IN_ROOT | _RESOLVE_NO_MAGICLINKS | (0 if symlinks else _RESOLVE_NO_SYMLINKS),
    )
    for _ in range(_TRIES):
        found = int(_libc().syscall(_OPENAT2, root, raw, ctypes.byref(how), ctypes.sizeof(how)))
        if found >= 0:
            return found
        number = ctypes.get_errno()
        if number not in (errno.EAGAIN, errno.EINTR):  # EAGAIN: something was renamed while the kernel looked
            break
    if number == errno.EACCES and symlinks and not flags & os.O_CREAT:
        return open_inside(root, without_links(root, path, flags), flags, symlinks=False)
    raise OSError(number, os.strerror(number), path)


def without_links(root: int, path: str, flags: int) -> str:
    """The path without symlinks at which `path` ends inside `root`; with O_NOFOLLOW in `flags`, its last link stays.

    Where `fs.protected_symlinks` is set, the kernel lets not even root follow the operator's links in a sticky
    directory like /tmp; a session follows them there, so they lead somewhere. Raises OSError as open does.
    """
    done: list[str] = []
    ahead = path.split("/")[::-1]
    links = 0
    while ahead:
        name = ahead.pop()
        if name == "..":
            del done[-1:]
        if name in {"", ".", ".."}:
            continue
        here = "/".join([*done, name])
        with opened(root, here, os.O_PATH | os.O_NOFOLLOW) as found:
            mode = os.fstat(found).st_mode
            target = os.fsdecode(os.readlink(b"", dir_fd=found)) if stat.S_ISLNK(mode) else None
        if target is None or (not ahead and flags & os.O_NOFOLLOW):
            if ahead and not stat.S_ISDIR(mode):
                raise OSError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), path)
            done.append(name)
            continue
        links += 1
        if links > _MOST_LINKS:
            raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), path)
        done = [] if target.startswith("/") else done
        ahead += target.split("/")[::-1]
    return "/".join(done) or "."


@contextmanager
def opened(root: int, path: str, flags: int, *, mode: int = 0, symlinks: bool = True) -> Iterator[int]:
    """`open_inside` as a context that closes the descriptor."""
    descriptor = open_inside(root, path, flags, mode=mode, symlinks=symlinks)
    try:
        yield descriptor
    finally:
        os.close(descriptor)
