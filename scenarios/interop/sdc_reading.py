"""Reads the parts of a one-JSON scenario in the shapes they may come in, and says which shape it took."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from scenarios.interop.findings import Findings

_LARGEST: Final = 8 << 20  # bytes


class Reader:
    """One JSON object: its values by any of several names, its mistakes told with file and key."""

    def __init__(self, file: str, data: Mapping[str, Any], found: Findings, prefix: str = "") -> None:
        self.data = data
        self.found = found
        self._file, self._prefix = file, prefix
        self._used: set[str] = set()

    def key(self, name: str) -> str:
        """Where a value stands, as people write it."""
        return f"{self._prefix}.{name}" if self._prefix else name

    def any(self, *names: str) -> Any:
        """The value under the first of the names that is there; None if none is."""
        for name in names:
            if name in self.data:
                self._used.add(name)
                return self.data[name]
        return None

    def text(self, *names: str) -> str | None:
        """A text, or a list of texts as lines; None where there is nothing. Anything else is refused."""
        value = self.any(*names)
        if value is None or isinstance(value, str):
            return value
        if isinstance(value, int | float) and not isinstance(value, bool):
            return str(value)
        if isinstance(value, list) and all(isinstance(line, str) for line in value):
            return "".join(f"{line}\n" for line in value)
        self.refuse(next(name for name in names if name in self.data), f"a text is needed, and this is {shown(value)}")
        return None

    def table(self, name: str, value: Any) -> Reader:
        """A reader of an inner object."""
        return Reader(self._file, value, self.found, self.key(name))

    def refuse(self, name: str, what: str, advice: str = "") -> None:
        """Say what is wrong with a value."""
        self.found.refuse(self._file, f"{self.key(name)}: {what}", advice)

    def unknown(self) -> tuple[str, ...]:
        """The keys that nobody asked for."""
        return tuple(sorted(set(self.data) - self._used))


def shown(value: object) -> str:
    """What a value is, in words."""
    if isinstance(value, Mapping):
        return "an object"
    if isinstance(value, str):
        return "a text"
    if isinstance(value, Sequence):
        return "a list"
    return json.dumps(value)


def read_json(path: Path, found: Findings) -> Reader:
    """The one object of a file; RefusedError where there is none."""
    try:
        raw = path.read_bytes()
        if len(raw) > _LARGEST:
            raise ValueError(f"it is larger than {_LARGEST} bytes")
        data: object = json.loads(raw.decode("utf-8-sig"), object_pairs_hook=_distinct)
        if not isinstance(data, dict):
            raise ValueError(f"one object is needed, and this is {shown(data)}")
        return Reader(str(path), data, found)
    except OSError as error:
        found.refuse(str(path), f"it cannot be read: {error.strerror}")
    except (ValueError, RecursionError) as error:
        found.refuse(str(path), str(error) or "it is nested too deep")
    found.settle()
    raise AssertionError("a refusal was told")


def _distinct(pairs: list[tuple[str, object]]) -> dict[str, object]:
    table = dict(pairs)
    if len(table) < len(pairs):
        names = [name for name, _ in pairs]
        raise ValueError(f"the key {max(names, key=names.count)!r} stands twice in one object")
    return table
