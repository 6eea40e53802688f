"""COPY and ADD of a Dockerfile: which files of the build context come to which paths of a world."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterator
from pathlib import Path

from scenarios.interop.dockerfile import Instruction
from scenarios.interop.draft import DraftFile
from scenarios.interop.places import Moves

_ARCHIVES = (".tar", ".tar.gz", ".tgz", ".tar.xz", ".txz", ".tar.bz2", ".tbz2", ".tar.zst")
_GLOB = frozenset("*?[")
_OWNERS = {"root": "root", "0": "root", "operator": "operator", "1000": "operator"}


def copied(
    one: Instruction,
    context: Path,
    expanded: Callable[[str], str],
    workdir: str,
    moves: Moves,
    *,
    as_root: bool,
) -> Iterator[DraftFile]:
    """The files that one instruction places, with their paths in the world.

    `as_root` says that the task's agent is root: then all of them are the operator's. Raises ValueError for what has
    no counterpart.
    """
    mode, owner = _flags(one)
    if one.bodies:
        raise ValueError("a here-document has no counterpart; put the file into the build context")
    words = [expanded(word) for word in one.words or shlex.split(one.text.replace("\\$", "\\\\$"))]
    if len(words) < 2:
        raise ValueError("a source and a destination are needed")
    *sources, last = words
    places = [_found(source, context, adds=one.word == "ADD") for source in sources]
    target = moves.rewrite(last if last.startswith("/") else f"{workdir.rstrip('/')}/{last.removeprefix('./')}")
    many = last.endswith(("/", "/.")) or target.rstrip("/").removesuffix("/.") == workdir or sum(map(len, places)) > 1
    for found in places:
        for path in found:
            for file, below in _files(path, context):
                end = below or (file.name if many else "")
                full = target.rstrip("/").removesuffix("/.") + (f"/{end}" if end else "")
                yield DraftFile(
                    path=full,
                    content=file.read_bytes(),
                    mode=mode or ("755" if file.stat().st_mode & 0o100 else "644"),
                    owner="operator" if as_root else owner,
                )


def _flags(one: Instruction) -> tuple[str, str]:
    """The mode ("" where the files tell it) and the owner."""
    mode, owner = "", "root"
    for flag, value in one.flags:
        if flag == "chmod" and value.isdigit():
            mode = value.zfill(3)[-4:]
        elif flag == "chown" and value.partition(":")[0] in _OWNERS:
            owner = _OWNERS[value.partition(":")[0]]
        elif flag == "chown":
            raise ValueError(f"--chown={value}: worlds have the users root and operator")
        elif flag != "link":
            raise ValueError(f"--{flag} has no counterpart")
    return mode, owner


def _found(source: str, context: Path, *, adds: bool) -> list[Path]:
    """The files and folders of the build context that a source names, sorted."""
    if "://" in source or source.startswith("git@"):
        raise ValueError(f"{source} comes from the network")
    if adds and source.endswith(_ARCHIVES):
        raise ValueError(f"{source} would be unpacked, which has no counterpart; put its files into the build context")
    relative = source.strip("/").removeprefix("./") or "."
    if ".." in Path(relative).parts:
        raise ValueError(f"{source} leaves the build context")
    found = sorted(context.glob(relative)) if _GLOB & set(relative) else [context / relative]
    if not found or not all(path.exists() for path in found):
        raise ValueError(f"{source} is not in the build context {context}")
    if any(path.is_dir() for path in found) and (context / ".dockerignore").exists():
        raise ValueError("a .dockerignore is not followed; copy the files by their names")
    return found


def _files(path: Path, context: Path) -> Iterator[tuple[Path, str]]:
    """Each regular file, with its path below `path` ("" for the file itself)."""
    for file in sorted(path.rglob("*")) if path.is_dir() else [path]:
        if file.is_symlink():
            raise ValueError(f"{file.relative_to(context)} is a symbolic link; make it in a RUN")
        if file.is_dir() or (path == context and file == context / "Dockerfile"):
            continue
        if not file.is_file():
            raise ValueError(f"{file.relative_to(context)} is no regular file")
        yield file, str(file.relative_to(path)) if path.is_dir() else ""
