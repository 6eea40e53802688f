"""A container's world as its judges see it: from outside, nothing in it executed to look."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

# Every place where a world may hold files; each is writable and size-capped in both engines, and
# everything else of the root filesystem is read-only (bundles are checked against this list).
WRITABLE_ROOTS = ("/home", "/tmp", "/etc", "/srv", "/opt", "/var", "/usr/local", "/run")  # noqa: S108 - inside the world

OPERATOR_UID = 1000  # of the user `operator`; root is 0


@dataclass(frozen=True, slots=True, kw_only=True)
class ExecResult:
    """A finished command: `status` is the exit code, None when it was killed at its deadline."""

    status: int | None
    stdout: bytes
    stderr: bytes
    truncated: bool = False


class EntryKind(StrEnum):
    """What a path in the world is."""

    FILE = "file"
    DIRECTORY = "directory"
    SYMLINK = "symlink"
    OTHER = "other"


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One path of the world, seen from outside: nothing in the world was executed to see it."""

    path: str
    kind: EntryKind
    mode: int  # permission bits only, e.g. 0o640
    uid: int
    gid: int
    size: int
    target: str | None = None  # of a symlink


class World(Protocol):
    """The container's files, read from outside; symlinks resolve inside the world.

    Raises SandboxError when the world cannot be read (not when a path is missing: that is None).
    """

    def stat(self, path: str, *, follow: bool = True) -> Entry | None:
        """The entry at `path`, or None if there is none (or a symlink dangles)."""
        ...

    def read(self, path: str, *, max_bytes: int) -> bytes | None:
        """A regular file's content, symlinks followed; None if missing or not a regular file.

        At most `max_bytes + 1` bytes are returned, so that a caller can tell that it was larger.
        """
        ...

    def walk(self, path: str, *, max_entries: int) -> Iterator[Entry]:
        """Every entry below the directory `path`, itself excluded, sorted by path, symlinks not followed.

        Raises WorldTooLargeError (a SandboxError) past `max_entries`, and for whatever else the
        operator could do to make a tree too large to list.
        """
        ...


class JudgedWorld(Protocol):
    """What a checker gets once the operator's processes are dead: the files, and a way to run a script."""

    @property
    def world(self) -> World:
        """The files."""
        ...

    def run(
        self,
        argv: tuple[str, ...],
        *,
        user: str = "root",
        stdin: bytes = b"",
        timeout: float = 30.0,
        max_output: int = 1 << 20,
        env: tuple[tuple[str, str], ...] = (),
    ) -> ExecResult:
        """Run a command without a tty, in `/`, with a fixed PATH; SandboxError if it could not be started."""
        ...
