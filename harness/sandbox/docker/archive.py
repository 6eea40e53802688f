"""The world read through the engine's archive API: needs nothing but the engine's address."""

from __future__ import annotations

import base64
import json
import os
import tarfile
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import IO, cast

import requests

from harness.errors import SandboxError, WorldTooLargeError
from harness.sandbox.docker.api import DockerApi
from harness.world import Entry, EntryKind

MAX_LINKS = 40  # Linux follows no more in one path
MAX_PATH = 4096
MAX_NAME = 255
_NOWHERE = ("too many links", "not a directory", "file name too long")  # the last also of a name that is no link
_GO_DIRECTORY, _GO_SYMLINK, _GO_OTHER = 1 << 31, 1 << 27, (1 << 26) | (1 << 25) | (1 << 24) | (1 << 21) | (1 << 19)
_READ_FAILURES = (tarfile.TarError, requests.RequestException, OSError, EOFError)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Seen:
    """What the engine says of a path without reading it."""

    kind: EntryKind
    size: int


class ArchiveWorld:
    """A container's files over HEAD and GET of `/containers/ID/archive`.

    Symlinks are resolved here, component by component, so no path ever leaves the world. Limits of the
    interface: sockets have no known owner (-1) and do not show in `walk`; a file whose name is not UTF-8
    shows in `walk` only; a tree whose apparent size is beyond `walk_bytes` (sparse files) cannot be walked.
    """

    def __init__(self, api: DockerApi, container: str, *, walk_bytes: int) -> None:
        self._api = api
        self._container = container
        self._walk_bytes = walk_bytes

    def stat(self, path: str, *, follow: bool = True) -> Entry | None:
        """As in `World.stat`."""
        with self._living():
            place = self._resolve(path, follow=follow)
            return self._entry(path, *place) if place is not None else None

    def read(self, path: str, *, max_bytes: int) -> bytes | None:
        """As in `World.read`."""
        with self._living():
            place = self._resolve(path, follow=True)
            if place is None or place[1].kind is not EntryKind.FILE:
                return None
            return self._content(path, place[0], max_bytes)

    def walk(self, path: str, *, max_entries: int) -> Iterator[Entry]:
        """As in `World.walk`; nothing below anything but a directory."""
        with self._living():
            place = self._resolve(path, follow=True)
            readable = place is not None and place[1].kind is EntryKind.DIRECTORY
            entries = self._below(path, place[0], max_entries) if place is not None and readable else []
        yield from sorted(entries, key=lambda entry: entry.path)

    @contextmanager
    def _living(self) -> Iterator[None]:
        """Whatever the block saw is the world's only if the container still runs after it.

        A container that has ended loses its volumes before the engine forgets it, and what lies under them is
        the untouched image.
        """
        yield
        with self._api.failures("looking at a container"):
            reply = self._api.client.get(
                self._api.url(f"/containers/{self._container}/json"), timeout=self._api.seconds
            )
            running = reply.ok and reply.json()["State"]["Running"]
        if not running:
            raise SandboxError("the container has ended: its time to live passed, or somebody removed it")

    def _content(self, path: str, real: str, max_bytes: int) -> bytes | None:
        with self._members(real) as tar:
            try:
                member = tar.next() if tar else None
                if tar is None or member is None or not member.isreg():
                    return None
                content = tar.extractfile(member)
                return content.read(max_bytes + 1) if content else None
            except _READ_FAILURES as error:
                raise SandboxError(f"reading {path!r} of the world failed: {error}") from error

    def _below(self, path: str, real: str, max_entries: int) -> list[Entry]:
        base = path.rstrip("/")
        entries: list[Entry] = []
        sizes: dict[str, int] = {}  # of files by their names in the archive: a further hard link tells none
        apparent = 0
        with self._members(real) as tar:
            try:
                for member in tar or ():
                    inside = member.name.rstrip("/").partition("/")[2]
                    if not inside:
                        continue
                    sizes[member.name] = sizes.get(member.linkname, 0) if member.islnk() else member.size
                    entries.append(_entry_of(member, f"{base}/{inside}", sizes[member.name]))
                    apparent += member.size
                    if len(entries) > max_entries:
                        raise WorldTooLargeError(f"more than {max_entries} entries below {path!r}")
                    if apparent > self._walk_bytes:
                        raise WorldTooLargeError(
                            f"more than {self._walk_bytes} bytes below {path!r}, sparse ones counted"
                        )
            except _READ_FAILURES as error:
                raise SandboxError(f"walking {path!r} of the world failed: {error}") from error
        return entries

    def _resolve(self, path: str, *, follow: bool) -> tuple[str, _Seen] | None:
        """The path without symlinks and what is there; None if nothing is, or links lead nowhere."""
        todo = deque(part for part in path.split("/") if part not in {"", "."})
        real: list[str] = []
        here = _Seen(kind=EntryKind.DIRECTORY, size=0)
        links = 0
        while todo:
            part = todo.popleft()
            if here.kind is not EntryKind.DIRECTORY:
                return None
            if part == "..":
                real = real[:-1]
                continue
            place = "/" + "/".join([*real, part])
            seen = self._look(place)
            if seen is None:
                return None
            if seen.kind is not EntryKind.SYMLINK or (not follow and not todo):
                real.append(part)
                here = seen
                continue
            links += 1
            target = self._target(place)
            if links > MAX_LINKS or not target or len(target) > MAX_PATH:
                return None
            if target.startswith("/"):
                real = []
            todo.extendleft(reversed([step for step in target.split("/") if step not in {"", "."}]))
        if path.endswith(("/", "/.")) and here.kind is not EntryKind.DIRECTORY:
            return None
        return "/" + "/".join(real), here

    def _look(self, real: str) -> _Seen | None:
        """HEAD of a path whose directories are known to be no symlinks."""
        with self._api.failures(f"looking at {real!r} of the world"):
            reply = self._api.client.head(self._url(real), timeout=self._api.seconds)
        if reply.status_code == requests.codes.not_found:
            return None
        if reply.status_code == requests.codes.server_error and self._leads_nowhere(real):
            too_long = len(os.fsencode(real.rpartition("/")[2])) > MAX_NAME
            return None if too_long else _Seen(kind=EntryKind.SYMLINK, size=0)
        header = reply.headers.get("X-Docker-Container-Path-Stat")
        if not reply.ok or header is None:
            raise SandboxError(f"looking at {real!r} of the world failed: the engine answered {reply.status_code}")
        said = json.loads(base64.b64decode(header))
        mode = int(said["mode"])
        kind = EntryKind.FILE
        for bits, name in (
            (_GO_OTHER, EntryKind.OTHER),
            (_GO_SYMLINK, EntryKind.SYMLINK),
            (_GO_DIRECTORY, EntryKind.DIRECTORY),
        ):
            kind = name if mode & bits else kind
        return _Seen(kind=kind, size=int(said["size"]))

    def _leads_nowhere(self, real: str) -> bool:
        """Whether the engine refuses the path as a link to where nothing can be, or for its own name."""
        with self._api.failures(f"looking at {real!r} of the world"):
            reply = self._api.client.get(self._url(real), stream=True, timeout=self._api.seconds)
            try:
                return not reply.ok and any(why in reply.text for why in _NOWHERE)
            finally:
                reply.close()

    def _target(self, real: str) -> str | None:
        """A symlink's own text: the tar's, since the HEAD tells the engine's resolution of it."""
        with self._members(real) as tar:
            member = tar.next() if tar else None
            return member.linkname if member is not None and member.issym() else None

    def _entry(self, path: str, real: str, seen: _Seen) -> Entry:
        if real == "/":
            return Entry(path=path, kind=EntryKind.DIRECTORY, mode=0o755, uid=0, gid=0, size=0)
        with self._members(real) as tar:
            try:
                member = tar.next() if tar else None
            except _READ_FAILURES as error:
                raise SandboxError(f"reading {path!r} of the world failed: {error}") from error
            if member is None:  # a socket, for which tar has no form, or a symlink to itself
                return Entry(path=path, kind=seen.kind, mode=0, uid=-1, gid=-1, size=seen.size)
            return _entry_of(member, path, member.size)

    @contextmanager
    def _members(self, real: str) -> Iterator[tarfile.TarFile | None]:
        """The archive of a path as a stream, abandoned when the block ends; None if the engine has none."""
        with self._api.failures(f"reading {real!r} of the world"):
            reply = self._api.client.get(self._url(real), stream=True, timeout=self._api.seconds)
        try:
            if not reply.ok:
                yield None
                return
            try:
                tar = tarfile.open(  # noqa: SIM115 - closed by the `with` below
                    fileobj=cast("IO[bytes]", reply.raw), mode="r|", errors="surrogateescape"
                )
            except tarfile.ReadError:
                yield None
                return
            with tar:
                yield tar
        finally:
            reply.close()

    def _url(self, real: str) -> str:
        return self._api.url(f"/containers/{self._container}/archive", {"path": real})


def _entry_of(member: tarfile.TarInfo, path: str, size: int) -> Entry:
    kind = EntryKind.OTHER
    if member.isreg() or member.islnk():
        kind = EntryKind.FILE
    elif member.isdir():
        kind = EntryKind.DIRECTORY
    elif member.issym():
        kind = EntryKind.SYMLINK
    return Entry(
        path=path,
        kind=kind,
        mode=member.mode & 0o7777,
        uid=member.uid,
        gid=member.gid,
        size=size if kind is EntryKind.FILE else 0,
        target=member.linkname if kind is EntryKind.SYMLINK else None,
    )
