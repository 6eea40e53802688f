"""A world that is a real directory tree: its root stands for `/`, and no link leads out of it."""

from __future__ import annotations

import os
import stat
import subprocess
from collections import deque
from collections.abc import Iterator
from pathlib import Path

from harness.errors import WorldTooLargeError
from harness.world import Entry, EntryKind, ExecResult

_KINDS = {stat.S_IFREG: EntryKind.FILE, stat.S_IFDIR: EntryKind.DIRECTORY, stat.S_IFLNK: EntryKind.SYMLINK}


class RealWorld:
    """The files below `root`; ownership is shown as if whoever made the tree were root."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def stat(self, path: str, *, follow: bool = True) -> Entry | None:
        real = self._resolve(path, follow=follow)
        return None if real is None else self._entry(path, real)

    def read(self, path: str, *, max_bytes: int) -> bytes | None:
        real = self._resolve(path, follow=True)
        if real is None or not real.is_file():
            return None
        with real.open("rb") as file:
            return file.read(max_bytes + 1)

    def walk(self, path: str, *, max_entries: int) -> Iterator[Entry]:
        real = self._resolve(path, follow=True)
        entries: list[Entry] = []
        for folder, folders, files in os.walk(real) if real else ():
            for name in (*folders, *files):
                inside = Path(folder, name)
                entries.append(self._entry(f"{path.rstrip('/')}/{inside.relative_to(str(real))}", inside))
                if len(entries) > max_entries:
                    raise WorldTooLargeError(f"more than {max_entries} entries")
        yield from sorted(entries, key=lambda entry: entry.path)

    def _resolve(self, path: str, *, follow: bool) -> Path | None:
        todo = deque(part for part in path.split("/") if part)
        here = self.root
        links = 0
        while todo:
            part = todo.popleft()
            if not here.is_dir():
                return None
            if part in {".", ".."}:
                here = here.parent if part == ".." and here != self.root else here
                continue
            place = here / part
            if place.is_symlink() and (follow or todo):
                links += 1
                if links > 40:
                    return None
                target = str(place.readlink())
                here = self.root if target.startswith("/") else here
                todo.extendleft(reversed([step for step in target.split("/") if step]))
                continue
            here = place
        return here if os.path.lexists(here) else None

    def _entry(self, path: str, real: Path) -> Entry:
        found = real.lstat()
        kind = _KINDS.get(stat.S_IFMT(found.st_mode), EntryKind.OTHER)
        return Entry(
            path=path,
            kind=kind,
            mode=stat.S_IMODE(found.st_mode),
            uid=found.st_uid - os.getuid(),
            gid=found.st_gid,
            size=found.st_size,
            target=str(real.readlink()) if kind is EntryKind.SYMLINK else None,
        )


class RealJudgedWorld:
    """A real directory tree, in which commands run as real processes that start at its root."""

    def __init__(self, root: Path) -> None:
        self.world = RealWorld(root)
        self._root = root

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
        assert user == "root"
        with subprocess.Popen(
            argv,
            cwd=self._root,
            env=dict(env),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        ) as process:
            try:
                out, err = process.communicate(stdin, timeout=timeout)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, 9)
                out, err = process.communicate()
                return ExecResult(status=None, stdout=out, stderr=err)
        return ExecResult(status=process.returncode, stdout=out[:max_output], stderr=err[:max_output])
