"""The files of a crun container, read through its root directory from outside: nothing in it is executed."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from harness.errors import SandboxError, WorldTooLargeError
from harness.sandbox.crun.files import ABSENT, open_inside, opened
from harness.world import Entry, EntryKind

_PATH_MAX = 4096  # bytes; no path that a program in the world could use is longer
_CHUNK = 1 << 20


class CrunWorld:
    """Fulfils harness.world.World over a descriptor of the container's root directory.

    What the kernel makes up (/proc) counts as OTHER: it is no file of the world's.
    """

    def __init__(self, root: int, *, alive: Callable[[], bool] = lambda: True) -> None:
        """`root`: an open directory descriptor; it stays the caller's to close.

        `alive` says whether the container still runs: the kernel takes the mounts away from a dead one, and
        what lies under them is the untouched image, which must never be taken for the world.
        """
        self._root = root
        self._alive = alive
        with opened(root, ".", os.O_PATH) as top, opened(root, "proc", os.O_PATH) as proc:
            device = os.fstat(proc).st_dev
            self._proc_device = device if device != os.fstat(top).st_dev else None  # None: nothing is mounted there

    def stat(self, path: str, *, follow: bool = True) -> Entry | None:
        """The entry at `path`, or None if there is none (or a symlink dangles or goes in circles)."""
        with self._reading(path, os.O_PATH | (0 if follow else os.O_NOFOLLOW)) as found:
            entry = None if found is None else self._entry(path, found)
        self._insist_on_life()
        return entry

    def read(self, path: str, *, max_bytes: int) -> bytes | None:
        """A regular file's first `max_bytes + 1` bytes, symlinks followed; None if it is missing or no such file."""
        with self._reading(path, os.O_PATH) as found:
            regular = found is not None and self._entry(path, found).kind is EntryKind.FILE
            content = _read_up_to(found, max_bytes + 1, path) if found is not None and regular else None
        self._insist_on_life()
        return content

    def walk(self, path: str, *, max_entries: int) -> Iterator[Entry]:
        """Every entry below the directory `path`, sorted by path; symlinks are not followed below it.

        A directory that cannot be found gives nothing. Raises WorldTooLargeError past `max_entries`, or where the
        tree is deeper than any path can be long.
        """
        with self._reading(path, os.O_RDONLY | os.O_DIRECTORY) as base:
            readable = base is not None and os.fstat(base).st_dev != self._proc_device
            entries = self._below(base, path, max_entries) if base is not None and readable else []
        self._insist_on_life()
        yield from sorted(entries, key=lambda entry: entry.path)

    def _insist_on_life(self) -> None:
        if not self._alive():
            raise SandboxError("the container has ended, and its files with it", hint="see its time to live")

    def _below(self, base: int, path: str, max_entries: int) -> list[Entry]:
        entries: list[Entry] = []
        pending = [""]
        while pending:
            for entry in self._list(base, pending.pop(), path):
                entries.append(entry)
                if len(entries) > max_entries:
                    raise WorldTooLargeError(f"there are more than {max_entries} entries below {path!r}")
                if entry.kind is EntryKind.DIRECTORY:
                    pending.append(entry.path[len(_under(path)) :])
        return entries

    def _list(self, base: int, below: str, path: str) -> list[Entry]:
        """The entries of the directory `below`, a path relative to the directory `base`, which is `path`."""
        if len(os.fsencode(below)) > _PATH_MAX - 256:
            raise WorldTooLargeError(f"the tree below {path!r} is deeper than a path can be long")
        found: list[Entry] = []
        prefix = _under(path) + (f"{below}/" if below else "")
        try:
            with opened(base, below or ".", os.O_RDONLY | os.O_DIRECTORY, symlinks=False) as directory:
                for name in os.listdir(directory):  # noqa: PTH208 - of a descriptor
                    entry = self._child(directory, name, prefix + name)
                    if entry is not None:
                        found.append(entry)
        except OSError as error:
            if error.errno not in ABSENT:
                raise SandboxError(f"cannot list {prefix!r} in the world: {error.strerror}") from error
        return found

    def _child(self, directory: int, name: str, path: str) -> Entry | None:
        try:
            with opened(directory, name, os.O_PATH | os.O_NOFOLLOW) as found:
                return self._entry(path, found)
        except OSError as error:
            if error.errno in ABSENT:
                return None  # gone since it was listed
            raise

    def _entry(self, path: str, descriptor: int) -> Entry:
        found = os.fstat(descriptor)
        kind = EntryKind.OTHER
        target = None
        if found.st_dev != self._proc_device:
            if stat.S_ISREG(found.st_mode):
                kind = EntryKind.FILE
            elif stat.S_ISDIR(found.st_mode):
                kind = EntryKind.DIRECTORY
            elif stat.S_ISLNK(found.st_mode):
                kind = EntryKind.SYMLINK
                target = os.fsdecode(os.readlink(b"", dir_fd=descriptor))
        return Entry(
            path=path,
            kind=kind,
            mode=stat.S_IMODE(found.st_mode),
            uid=found.st_uid,
            gid=found.st_gid,
            size=found.st_size,
            target=target,
        )

    @contextmanager
    def _reading(self, path: str, flags: int) -> Iterator[int | None]:
        """A descriptor of `path`, closed at the end, or None where nothing is; other failures are the sandbox's."""
        try:
            descriptor = open_inside(self._root, path, flags)
        except ValueError:
            yield None
            return
        except OSError as error:
            if error.errno not in ABSENT:
                message = f"cannot look at {path!r} in the world: {error.strerror}"
                raise SandboxError(message, hint="has the container ended?") from error
            yield None
            return
        try:
            yield descriptor
        finally:
            os.close(descriptor)


def _under(path: str) -> str:
    return path.rstrip("/") + "/"


def _read_up_to(found: int, limit: int, path: str) -> bytes:
    """The first `limit` bytes of the regular file that the O_PATH descriptor `found` stands for."""
    parts: list[bytes] = []
    left = limit
    try:
        file = os.open(f"/proc/self/fd/{found}", os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        with os.fdopen(file, "rb", buffering=0) as stream:
            while left > 0 and (part := stream.read(min(left, _CHUNK))):
                parts.append(part)
                left -= len(part)
    except OSError as error:
        raise SandboxError(f"cannot read {path!r} in the world: {error.strerror}") from error
    return b"".join(parts)
