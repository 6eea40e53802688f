"""What the managed servers share: a log that can be read back, and an end that comes whatever happens."""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from harness.endpoint.refusals import printable

STOP_SECONDS = 8.0
_TAIL_BYTES = 4096
_TAIL_LINES = 6
_WIDEST = 300


@contextmanager
def log_file(path: Path | None) -> Iterator[BinaryIO]:
    """A file that a server writes its log to and that can be read back; without a path, one that is gone afterwards."""
    if path is None:
        with tempfile.TemporaryFile() as file:
            yield file
    else:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("a+b") as kept:
            yield kept


def tail(log: BinaryIO) -> str:
    """The end of a log as the end of a sentence."""
    lines = last_lines(log)
    return f"; its log ends: {' | '.join(lines)}" if lines else "; its log is empty"


def last_lines(log: BinaryIO) -> list[str]:
    """The last few lines of a log that are not blank, each safe to print."""
    lines = read_log(log, last=_TAIL_BYTES).splitlines()
    return [printable(line, _WIDEST) for line in lines if line.strip()][-_TAIL_LINES:]


def read_log(log: BinaryIO, *, last: int) -> str:
    """The last so many bytes of a log, read without moving the place where the server writes next."""
    size = os.fstat(log.fileno()).st_size
    return os.pread(log.fileno(), last, max(size - last, 0)).decode("utf-8", "replace")


def stop(child: subprocess.Popen[bytes]) -> None:
    """End a server: its standard input first, then by a signal, then by force."""
    for pipe in (child.stdin, child.stdout):
        if pipe is not None:
            with suppress(OSError):
                pipe.close()
    for end in (None, child.terminate, child.kill):
        if end is not None:
            end()
        try:
            child.wait(timeout=STOP_SECONDS)
        except subprocess.TimeoutExpired:
            continue
        return
