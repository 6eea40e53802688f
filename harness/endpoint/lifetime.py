"""How a server process lives: it says when it answers, and it ends with its parent."""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Callable
from contextlib import suppress
from threading import Event, Thread
from urllib.request import ProxyHandler, build_opener

from fastapi import FastAPI

from harness.endpoint import web

LAST_GRACE_SECONDS = 6.0  # after which a server whose parent has gone ends whatever it does
_ASK_SECONDS = 10.0


class ParentWatch:
    """Ends this process when standard input ends, that is, when whoever holds its other end is gone.

    Before the server runs, the process just exits; afterwards the server is told first.
    """

    def __init__(self) -> None:
        self._told: Callable[[], None] = _exit_now
        Thread(target=self._watch, name="parent", daemon=True).start()

    def tell(self, stop: Callable[[], None]) -> None:
        """From now on, call `stop` when the parent has gone; the process is ended by force if that does not."""
        self._told = stop

    def _watch(self) -> None:
        with suppress(OSError, ValueError):
            while os.read(sys.stdin.fileno(), 4096):
                pass
        self._told()
        Event().wait(LAST_GRACE_SECONDS)
        _exit_now()


def serve(app: FastAPI, bound: socket.socket, say_ready: Callable[[str], None], watch: ParentWatch | None) -> None:
    """Serve until a signal or the parent's end; `say_ready` gets the URL once /health was answered.

    A keyboard interrupt is the ordinary end of a server, not an error.
    """
    url = web.url_of(bound)

    def announce() -> None:
        if answers(url):
            say_ready(url)

    server = web.make_server(app, lambda: Thread(target=announce, name="ready", daemon=True).start())

    def stop() -> None:
        server.should_exit = server.force_exit = True

    if watch is not None:
        watch.tell(stop)
    with suppress(KeyboardInterrupt):
        server.run(sockets=[bound])


def answers(url: str) -> bool:
    """Whether the server at a base URL answers /health right now."""
    opener = build_opener(ProxyHandler({}))  # never through a proxy: it is our own
    try:
        with opener.open(f"{url.removesuffix('/v1')}/health", timeout=_ASK_SECONDS) as response:
            return bool(response.status == 200)
    except OSError:
        return False


def _exit_now() -> None:
    os._exit(0)
