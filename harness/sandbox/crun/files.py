"""Opening paths inside a container's root from outside, with the kernel keeping every step inside it (openat2)."""

from __future__ import annotations

import ctypes
import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

_OPENAT2 = 437  # the same number on every architecture
_RESOLVE_NO_MAGICLINKS = 0x02
_RESOLVE_NO_SYMLINKS = 0x04
_RESOLVE_IN_ROOT = 0x10
_TRIES = 64

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
    raise OSError(number, os.strerror(number), path)


@contextmanager
def opened(root: int, path: str, flags: int, *, mode: int = 0, symlinks: bool = True) -> Iterator[int]:
    """`open_inside` as a context that closes the descriptor."""
    descriptor = open_inside(root, path, flags, mode=mode, symlinks=symlinks)
    try:
        yield descriptor
    finally:
        os.close(descriptor)
