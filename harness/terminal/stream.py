"""A pty master or an attached socket as a byte stream that never blocks past a timeout (pexpect reads it)."""

from __future__ import annotations

import errno
import os
import socket
import stat
from contextlib import suppress

from pexpect import EOF, TIMEOUT
from pexpect.fdpexpect import fdspawn
from pexpect.socket_pexpect import SocketSpawn

READ_BYTES = 65536
_GONE = {errno.EIO, errno.EPIPE, errno.ECONNRESET, errno.ENOTCONN, errno.EBADF}


class Stream:
    """Reads and writes a duplicate of a descriptor; the descriptor itself stays its owner's.

    The bytes go to the caller as they come: pexpect's own buffer would hold a flood in memory.
    """

    def __init__(self, descriptor: int) -> None:
        self._fd = os.dup(descriptor)
        self._socket: socket.socket | None = None
        self._spawn: fdspawn[bytes] | SocketSpawn[bytes]
        if stat.S_ISSOCK(os.fstat(self._fd).st_mode):
            self._socket = socket.socket(fileno=self._fd)
            self._spawn = SocketSpawn(self._socket, maxread=READ_BYTES, use_poll=True)
        else:
            self._spawn = fdspawn(self._fd, maxread=READ_BYTES, use_poll=True)
        self._blocking = os.get_blocking(self._fd)
        os.set_blocking(self._fd, False)
        self._spawn.delaybeforesend = None

    @property
    def relayed(self) -> bool:
        """Whether others carry the bytes to the terminal and back, at their own pace."""
        return self._socket is not None

    def read(self, timeout: float) -> bytes | None:
        """What is there, at most 64 KiB; empty after `timeout` seconds without any, None at the end."""
        try:
            return self._spawn.read_nonblocking(READ_BYTES, max(timeout, 0.0))
        except (TIMEOUT, BlockingIOError):
            return b""
        except EOF:
            return None
        except OSError as error:
            if error.errno in _GONE:
                return None
            raise

    def write(self, data: bytes) -> int:
        """Write what can be taken at once and say how much that was; all of it where nobody is left to read.

        (A peer that has gone shows at the next read, which may first find its last words.)
        """
        try:
            if self._socket is not None:
                return self._socket.send(data, socket.MSG_DONTWAIT | socket.MSG_NOSIGNAL)
            return os.write(self._fd, data)
        except BlockingIOError:
            return 0
        except OSError as error:
            if error.errno in _GONE:
                return len(data)
            raise

    def close(self) -> None:
        """Let go of the duplicate, and leave the descriptor in the mode it was found in; twice is once."""
        if self._fd < 0:
            return
        with suppress(OSError):  # the owner may have closed the connection
            os.set_blocking(self._fd, self._blocking)
        if self._socket is not None:
            self._socket.close()
        else:
            os.close(self._fd)
        self._fd = -1
