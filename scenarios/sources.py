"""The bytes of a scenario's files: inline content, a source inside the bundle's own folder, or a provider program."""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass
from pathlib import Path

from scenarios.bundle import BundleFile
from scenarios.problems import KeyPath, Problem, ProblemError, quoted
from scenarios.providers import broken_settings, program
from scenarios.world_paths import crooked

LARGEST_WORLD = 8 << 20  # bytes of all files of one scenario
MOST_FILES = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class ResolvedFile:
    """A file of the world with its bytes, ready to be placed."""

    path: str
    content: bytes
    mode: int
    owner: str


def read_regular(path: Path, *, limit: int, follow: bool) -> bytes:
    """At most `limit` + 1 bytes of a regular file; raises OSError, also for anything that is no regular file."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | (0 if follow else os.O_NOFOLLOW))
    with os.fdopen(descriptor, "rb") as file:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise OSError(f"{path.name} is not a regular file")
        return file.read(limit + 1)


class Sources:
    """Reads the sources of one bundle's folder, each only once however many instances use it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._known: dict[str, bytes] = {}

    def resolve(self, files: tuple[BundleFile, ...]) -> tuple[ResolvedFile, ...]:
        """The files with their bytes; raises ProblemError for what cannot be read or is too much."""
        if len(files) > MOST_FILES:
            raise ProblemError(Problem(key=("files",), message=f"a world has at most {MOST_FILES} files"))
        problems: list[Problem] = []
        resolved: list[ResolvedFile] = []
        size = 0
        for index, file in enumerate(files):
            try:
                content = self._content(file, ("files", index, "source"))
            except ProblemError as error:
                problems += error.problems
                continue
            size += len(content)
            resolved.append(ResolvedFile(path=file.path, content=content, mode=int(file.mode, 8), owner=file.owner))
        if size > LARGEST_WORLD:
            problems.append(Problem(key=("files",), message=f"the files hold more than {LARGEST_WORLD} bytes together"))
        if problems:
            raise ProblemError(*problems)
        return tuple(resolved)

    def _content(self, file: BundleFile, key: KeyPath) -> bytes:
        if file.content is not None:
            return file.content.encode()
        if file.provider is not None:
            known = not any(broken_settings(file.provider, file.settings, key))
            return program(file.provider, file.settings) if known else b""  # what is wrong is told by scenarios.rules
        source = file.source or ""
        if source not in self._known:
            self._known[source] = self._read(source, key)
        return self._known[source]

    def _read(self, source: str, key: KeyPath) -> bytes:
        advice = f"a source is a path inside the folder {self._folder.name}/ beside the bundle"
        message = f"{quoted(source)} is an absolute path" if source.startswith("/") else crooked(source)
        if message:
            raise ProblemError(Problem(key=key, message=message, advice=advice))
        place = self._folder
        for part in ("", *source.split("/")):
            place = place / part
            if place.is_symlink():
                message = f"{quoted(source)} goes through the symbolic link {quoted(place.name)}"
                raise ProblemError(Problem(key=key, message=message, advice="put the file itself there"))
        try:
            return read_regular(place, limit=LARGEST_WORLD, follow=False)
        except FileNotFoundError:
            message = f"there is no file {quoted(source)}"
        except OSError as error:
            message = f"{quoted(source)} cannot be read: {error.strerror or error}"
        raise ProblemError(Problem(key=key, message=message, advice=advice))
