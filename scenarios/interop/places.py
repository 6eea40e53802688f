"""Where foreign paths lie in a world: directories outside of what can change are moved below /srv, everywhere alike."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from harness.world import WRITABLE_ROOTS
from scenarios.world_paths import misplaced

HOME: Final = "/home/operator"
_SYSTEM: Final = frozenset(("bin", "boot", "dev", "lib", "lib32", "lib64", "libx32", "proc", "sbin", "sys", "usr"))
_WRITABLE: Final = frozenset(root.split("/")[1] for root in WRITABLE_ROOTS) - {"usr"}
_OWN: Final = frozenset(("tests", "solution", "logs"))  # Harbor puts them there itself, for the verifier alone
_BEFORE: Final = r"(?<![\w./~*})-])"  # what may not stand before a path's first slash
_PATH: Final = re.compile(_BEFORE + r"/[\w.@+-]+(?:/[\w.@+-]+)*")
_STANDARD: Final = frozenset(
    (
        *WRITABLE_ROOTS,
        "/home/operator",
        *(f"/var/{name}" for name in ("backups", "cache", "lib", "local", "lock", "log", "mail", "opt", "run")),
        *("/var/spool", "/var/tmp", "/run/lock", "/var/cache/apt", "/var/lib/apt", "/var/lib/dpkg"),  # noqa: S108 - in worlds
        *(f"/usr/local/{name}" for name in ("bin", "etc", "games", "include", "lib", "man", "sbin", "share", "src")),
    )
)


def paths_in(text: str) -> Iterator[str]:
    """The absolute paths that a text names, as far as its letters tell."""
    for found in _PATH.finditer(text):
        yield found[0].rstrip(".")


def top(path: str) -> str:
    """The first part of an absolute path, without slashes."""
    return path.split("/", 2)[1]


@dataclass(frozen=True, slots=True, kw_only=True)
class Moves:
    """Which directories below / stand elsewhere in the world."""

    names: tuple[str, ...]

    @classmethod
    def of(cls, paths: Iterable[str]) -> Moves:
        """The moves that these paths need: each first part that no world has, or can change."""
        foreign = {top(path) for path in paths if path.startswith("/") and path != "/"}
        return cls(names=tuple(sorted(foreign - _SYSTEM - _WRITABLE - _OWN - {""})))

    def target(self, name: str) -> str:
        """The directory of the world that stands for /NAME."""
        return HOME if name == "root" else f"/srv/{name}"

    def rewrite(self, text: str) -> str:
        """The text with every moved path spelt as it is in the world."""
        for name in self.names:
            text = re.sub(_BEFORE + f"/{re.escape(name)}(?![\\w@+-]|\\.\\w)", self.target(name), text)
        return text

    def notes(self) -> Iterator[str]:
        """A sentence for each move."""
        for name in self.names:
            yield f"/{name} is {self.target(name)} here"


def refusal(path: str) -> str:
    """Why a path, moved already, can hold nothing in a world; "" if it can."""
    return misplaced(path, root_itself=True)


def yard(path: str, *, is_file: bool) -> str:
    """The outermost directory of `path` that no world has by itself, so that it is the operator's; "" if there is none.

    Directories below /etc stay root's.
    """
    parts = path.rstrip("/").split("/")
    for end in range(2, len(parts) + (not is_file)):
        folder = "/".join(parts[:end])
        if folder in WRITABLE_ROOTS or folder in _STANDARD or folder == "/usr":
            continue
        return "" if folder.startswith("/etc/") else folder
    return ""
