"""Feeds a child process and reads what it says: bounded in memory, until it has ended or its time is over."""

from __future__ import annotations

import os
import selectors
import subprocess
import time
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import IO

_CHUNK = 65536
_PIPE_CHUNKS = 16  # no pipe holds more than these together, unless its size was raised


@dataclass(slots=True, kw_only=True)
class Capture:
    """What one stream said: at most `limit` bytes are kept, the rest is read and dropped."""

    limit: int
    data: bytearray = field(default_factory=bytearray)
    truncated: bool = False

    def add(self, chunk: bytes) -> None:
        """Take note of a chunk."""
        room = max(0, self.limit - len(self.data))
        self.data += chunk[:room]
        self.truncated = self.truncated or len(chunk) > room


@dataclass(frozen=True, slots=True, kw_only=True)
class Pumped:
    """What came of it; `ended` is False when the deadline came first (the process then still runs)."""

    ended: bool
    stdout: bytes
    stderr: bytes
    truncated: bool


def pump(process: subprocess.Popen[bytes], stdin: bytes, *, timeout: float, max_output: int) -> Pumped:
    """Talk to `process`, all three streams of which are pipes, until it ends or `timeout` seconds are over.

    Its end counts, not that of the pipes, which something that it left in the background may hold open.
    The caller waits for the process and kills it where needed; the pipes are closed here.
    """
    if process.stdin is None or process.stdout is None or process.stderr is None:
        raise ValueError("all three streams must be pipes")
    captures = {process.stdout: Capture(limit=max_output), process.stderr: Capture(limit=max_output)}
    with ExitStack() as stack:
        for stream in (process.stdin, *captures):
            stack.callback(_close, stream)
            os.set_blocking(stream.fileno(), False)
        watch = stack.enter_context(selectors.DefaultSelector())
        end = os.pidfd_open(process.pid)
        stack.callback(os.close, end)
        watch.register(end, selectors.EVENT_READ)
        for stream in captures:
            watch.register(stream, selectors.EVENT_READ)
        watch.register(process.stdin, selectors.EVENT_WRITE)
        ended = _until_end(watch, end, process.stdin, memoryview(stdin), captures, time.monotonic() + timeout)
        for stream, capture in captures.items():
            for _ in range(_PIPE_CHUNKS):  # what it said last; what it left in the background may talk for ever
                chunk = _read(stream)
                if not chunk:
                    break
                capture.add(chunk)
    out, err = captures[process.stdout], captures[process.stderr]
    truncated = out.truncated or err.truncated
    return Pumped(ended=ended, stdout=bytes(out.data), stderr=bytes(err.data), truncated=truncated)


def _until_end(
    watch: selectors.BaseSelector,
    end: int,
    stdin: IO[bytes],
    left: memoryview,
    captures: dict[IO[bytes], Capture],
    deadline: float,
) -> bool:
    """Serve the streams; True once the process has ended, False once the deadline has passed."""
    while (seconds := deadline - time.monotonic()) > 0:
        ready = [key.fileobj for key, _ in watch.select(seconds)]
        for stream, capture in captures.items():
            if stream in ready:
                chunk = _read(stream)
                if chunk:
                    capture.add(chunk)
                elif chunk == b"":
                    watch.unregister(stream)
        if stdin in ready:
            left = _write(stdin, left)
            if not left:
                watch.unregister(stdin)
                _close(stdin)
        if end in ready:
            return True
    return False


def _read(stream: IO[bytes]) -> bytes | None:
    """A chunk; empty at the end of the stream, None when nothing is there now."""
    try:
        return os.read(stream.fileno(), _CHUNK)
    except BlockingIOError:
        return None


def _write(stream: IO[bytes], left: memoryview) -> memoryview:
    """What is left to write; nothing is, once the reader has gone."""
    try:
        return left[os.write(stream.fileno(), left) :] if left else left
    except BlockingIOError:
        return left
    except BrokenPipeError:
        return left[:0]


def _close(stream: IO[bytes]) -> None:
    try:
        stream.close()
    except BrokenPipeError:
        return
