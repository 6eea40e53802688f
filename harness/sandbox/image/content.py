"""What a root filesystem contains, as a listing that two ways of building can be compared by.

No timestamps, and none of what a container engine itself puts in: those differ where nothing does.
"""

from __future__ import annotations

import hashlib
import json
import os
import stat
import tarfile
from collections.abc import Iterator
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import IO, Literal

# Made by Docker in every container, or mounted over in every container of any engine.
_ENGINES_OWN = frozenset({"/.dockerenv", "/etc/hostname", "/etc/hosts", "/etc/resolv.conf", "/etc/mtab"})
_MOUNTED = ("/dev", "/proc", "/sys")

Kind = Literal["file", "directory", "symlink", "other"]


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Item:
    """One path of a root filesystem."""

    path: str
    kind: Kind
    mode: int
    uid: int
    gid: int
    size: int  # of a file, else 0
    content: str  # sha256 of a file, target of a symlink, else empty


def content_listing(source: Path) -> tuple[Item, ...]:
    """Every item of the directory tree, or of the tar file, `source`, sorted by path.

    A hard link in a tar counts as the file that it is. Raises OSError or tarfile.TarError for what cannot be read.
    """
    items = _of_directory(source) if source.is_dir() else _of_tar(source)
    return tuple(sorted(item for item in items if not _is_engines(item.path)))


def digest_of(items: tuple[Item, ...]) -> str:
    """`sha256:` and the digest of a listing."""
    digest = hashlib.sha256()
    for item in items:
        digest.update(json.dumps(astuple(item)).encode() + b"\n")
    return f"sha256:{digest.hexdigest()}"


def _is_engines(path: str) -> bool:
    return path in _ENGINES_OWN or path.startswith(tuple(f"{place}/" for place in _MOUNTED)) or path in _MOUNTED


def _of_directory(root: Path) -> Iterator[Item]:
    for folder, directories, files in os.walk(root):
        for name in (*directories, *files):
            path = Path(folder, name)
            found = path.lstat()
            kind = _kind(found.st_mode)
            content = ""
            if kind == "file":
                with path.open("rb") as stream:
                    content = _sha256(stream)
            elif kind == "symlink":
                content = os.readlink(path)  # noqa: PTH115 - the text as it is, not made into a path
            yield Item(
                path="/" + path.relative_to(root).as_posix(),
                kind=kind,
                mode=stat.S_IMODE(found.st_mode),
                uid=found.st_uid,
                gid=found.st_gid,
                size=found.st_size if kind == "file" else 0,
                content=content,
            )


def _of_tar(file: Path) -> Iterator[Item]:
    seen: dict[str, Item] = {}
    with tarfile.open(file) as tar:
        for member in tar:
            path = "/" + member.name.removeprefix("./").strip("/")
            if path in ("/", "/."):
                continue
            if member.islnk():
                first = seen["/" + member.linkname.removeprefix("./").strip("/")]
                size, content, kind = first.size, first.content, first.kind
            else:
                size, content, kind = _of_member(tar, member)
            mode = 0o777 if kind == "symlink" else stat.S_IMODE(member.mode)
            item = Item(path=path, kind=kind, mode=mode, uid=member.uid, gid=member.gid, size=size, content=content)
            seen[path] = item
    yield from seen.values()


def _of_member(tar: tarfile.TarFile, member: tarfile.TarInfo) -> tuple[int, str, Kind]:
    if member.isdir():
        return 0, "", "directory"
    if member.issym():
        return 0, member.linkname, "symlink"
    stream = tar.extractfile(member) if member.isfile() else None
    if stream is None:
        return 0, "", "other"
    return member.size, _sha256(stream), "file"


def _kind(mode: int) -> Kind:
    if stat.S_ISREG(mode):
        return "file"
    if stat.S_ISDIR(mode):
        return "directory"
    return "symlink" if stat.S_ISLNK(mode) else "other"


def _sha256(stream: IO[bytes]) -> str:
    return hashlib.file_digest(stream, "sha256").hexdigest()  # type: ignore[arg-type] # tarfile's stream is untyped
