"""A bounded record of a stream: its beginning and its end, and a count of what lay between."""

from __future__ import annotations

from collections import deque


class Capture:
    """Keeps at most `limit` bytes: once more came, exactly limit//2 of the head and as many of the tail."""

    def __init__(self, limit: int) -> None:
        if limit < 2:
            msg = "a capture needs room for two bytes"
            raise ValueError(msg)
        self._half = limit // 2
        self._head = bytearray()
        self._tail: deque[bytes] = deque()
        self._tail_bytes = 0
        self.total = 0

    def add(self, data: bytes) -> None:
        """Append bytes; what no longer fits is dropped from the middle."""
        self.total += len(data)
        room = self._half - len(self._head)
        if room > 0:
            self._head += data[:room]
            data = data[room:]
        if not data:
            return
        data = data[-self._half :]
        self._tail.append(data)
        self._tail_bytes += len(data)
        while self._tail_bytes - len(self._tail[0]) >= self._half:
            self._tail_bytes -= len(self._tail.popleft())

    @property
    def omitted(self) -> int:
        """How many bytes are missing in the middle of `bytes()`, at len(bytes()) // 2."""
        return max(self.total - 2 * self._half, 0)

    def bytes(self) -> bytes:
        """What was kept, head and tail joined."""
        tail = b"".join(self._tail)
        return bytes(self._head) + tail[-self._half :]
