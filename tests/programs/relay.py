"""A socket at argv[1] that passes everything on to the one at argv[2], until it is killed."""

from __future__ import annotations

import contextlib
import socket
import sys
import threading


def pass_on(source: socket.socket, target: socket.socket) -> None:
    """Everything of one direction, its end included."""
    with contextlib.suppress(OSError):
        while data := source.recv(65536):
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)


def main() -> None:
    """Relay every connection in two threads."""
    door = socket.socket(socket.AF_UNIX)
    door.bind(sys.argv[1])
    door.listen(64)
    while True:
        near, _ = door.accept()
        far = socket.socket(socket.AF_UNIX)
        far.connect(sys.argv[2])
        for ends in ((near, far), (far, near)):
            threading.Thread(target=pass_on, args=ends, daemon=True).start()


main()
