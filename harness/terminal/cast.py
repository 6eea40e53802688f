"""An asciicast v2 recording of a terminal: what a person would have seen, with a marker at each turn."""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from time import monotonic, time
from types import TracebackType
from typing import Self

from harness.errors import StoreError

MAX_MARK = 8192
_MARK = re.compile(f"\x1e[^\x1e\x1f\n]{{0,{MAX_MARK}}}\x1f")
_MAX_LABEL = 80


class CastWriter:
    """Writes one .cast file, at most about `cap_bytes` long; everything is written after each marker and at the end.

    Bytes may come cut anywhere: characters and marks are put together again, marks are left out, invalid
    UTF-8 is U+FFFD. The terminal's escape sequences stay in the file as they were: whoever plays it into a
    real terminal must filter them. Raises StoreError where the file cannot be written.
    """

    def __init__(
        self, path: Path, *, columns: int, rows: int, title: str = "", cap_bytes: int = 4 * 1024 * 1024
    ) -> None:
        self._path = path
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._held = ""
        self._room = cap_bytes
        self._capped = False
        self._started = monotonic()
        with _writing(path):
            self._file = path.open("wb", buffering=0)
        self._unwritten: list[bytes] = []
        header = {"version": 2, "width": columns, "height": rows, "timestamp": int(time()), "title": _line(title)}
        self._write({**header, "env": {"TERM": "dumb", "SHELL": "/bin/sh"}})
        try:
            self._flush()
        except StoreError:
            self._file.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def output(self, data: bytes) -> None:
        """Bytes that the terminal showed, marks and all."""
        if not self._capped:
            self._show(self._unmarked(self._decoder.decode(data)))

    def marker(self, label: str) -> None:
        """A named point in time, such as the beginning of a turn; flushes."""
        self._write([self._now(), "m", _line(label)])
        self._flush()

    def close(self) -> None:
        """Write what was held back, and close the file; twice is once."""
        if self._file.closed:
            return
        with closing(self._file):
            if not self._capped:
                self._show(self._unmarked(self._decoder.decode(b"", final=True)) + self._held.removeprefix("\x1e"))
            self._flush()

    def _unmarked(self, text: str) -> str:
        """The text without marks; a mark that may still be completed is held back for the next time."""
        text = _MARK.sub("", self._held + text)
        start = text.rfind("\x1e")
        unfinished = start >= 0 and len(text) - start <= MAX_MARK and "\n" not in text[start:]
        self._held = text[start:] if unfinished else ""
        return text[:start] if unfinished else text

    def _show(self, text: str) -> None:
        if not text:
            return
        if len(text) > self._room:
            self._capped = True
            text = text[: self._room] + "\r\n[the recording ends here: it reached its size limit]\r\n"
        self._write([self._now(), "o", text])

    def _now(self) -> float:
        return round(monotonic() - self._started, 6)

    def _write(self, value: object) -> None:
        line = (json.dumps(value, ensure_ascii=False) + "\n").encode("utf-8", "replace")
        self._room -= len(line)
        self._unwritten.append(line)

    def _flush(self) -> None:
        data = memoryview(b"".join(self._unwritten))
        self._unwritten = []
        with _writing(self._path):
            while data:
                data = data[self._file.write(data) :]


@contextmanager
def _writing(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        msg = f"the recording {path} cannot be written: {error.strerror}"
        raise StoreError(msg, hint="is the disk full?") from error


def _line(text: str) -> str:
    """One line of at most 80 printable characters."""
    line = "".join(c if c.isprintable() else " " for c in text[: _MAX_LABEL + 1])
    return line if len(line) <= _MAX_LABEL else line[: _MAX_LABEL - 1] + "…"
