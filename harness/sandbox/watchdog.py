"""The process that outlives the harness by seconds, to remove what it left when it was killed.

Run as `python -m harness.sandbox.watchdog ENGINE OWNER`, with the read end of a pipe as standard input
whose other end only the harness holds. A byte says that the harness removed everything itself; an end
without one says that it died. Imports nothing heavy before that.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Self

from harness.errors import SandboxError

_DISMISSED = b"."
_LOOK_SECONDS = 0.25
_QUIET_SECONDS = 2.0  # a container that the engine was just making may appear this late
_GIVE_UP_SECONDS = 120.0
_EXIT_SECONDS = 10.0


class Watchdog:
    """The harness's hold on its watchdog; a context whose exit ends it, with or without a dismissal."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self._process = process
        self._lock = threading.Lock()
        self._guarded = 0
        self._closed = False

    @classmethod
    def start(cls, engine: str, owner: str, *, address: str = "") -> Watchdog:
        """Start one for everything that carries the label `owner`; in a session of its own, so ^C spares it."""
        sources = os.pathsep.join([str(Path(__file__).parents[2]), *filter(None, [os.environ.get("PYTHONPATH")])])
        environment = os.environ | {"PYTHONPATH": sources} | ({"DOCKER_HOST": address} if address else {})
        try:
            process = subprocess.Popen(
                [sys.executable, "-P", "-m", "harness.sandbox.watchdog", engine, owner],
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                env=environment,
                start_new_session=True,
                cwd="/",  # it keeps no directory of the user's busy
            )
        except OSError as error:
            raise SandboxError(f"the sandbox watchdog could not be started: {error}") from error
        return cls(process)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Let go of it: one that was not dismissed looks for leftovers now, by itself."""
        if self._process.stdin is not None:
            with suppress(BrokenPipeError):  # somebody killed it
                self._process.stdin.close()
        try:
            self._process.wait(_EXIT_SECONDS)
        except subprocess.TimeoutExpired:
            return  # busy with leftovers; it ends by itself

    @contextmanager
    def guarding(self) -> Iterator[None]:
        """Mark that a container lives or is being made, so that nobody dismisses the watchdog meanwhile.

        Raises SandboxError when the engine is closed already.
        """
        with self._lock:
            if self._closed:
                raise SandboxError("this sandbox engine is closed")
            self._guarded += 1
        try:
            yield
        finally:
            with self._lock:
                self._guarded -= 1

    def close(self) -> None:
        """From now on no container may be made."""
        with self._lock:
            self._closed = True

    def dismiss(self) -> None:
        """Tell it that nothing is left to remove, and that it may go.

        Unless a thread is still at making or removing a container: then it looks for itself what becomes of that.
        """
        with self._lock:
            busy = self._guarded > 0
        if busy or self._process.stdin is None or self._process.stdin.closed:
            return
        try:
            self._process.stdin.write(_DISMISSED)
            self._process.stdin.flush()
        except BrokenPipeError:
            return  # somebody killed it


def watch(engine: str, owner: str) -> int:
    """Wait for the harness's end, then remove everything of `owner` until nothing more appears; the exit status."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    if os.read(0, 1) == _DISMISSED:
        return 0
    return 0 if remove_until_quiet(_remover(engine, owner)) else 1


def remove_until_quiet(remove: Callable[[], bool]) -> bool:
    """Call `remove` (True: it found something) until it found nothing for two seconds; False if that never came.

    An engine that does not answer is asked again until the whole time is over.
    """
    give_up = time.monotonic() + _GIVE_UP_SECONDS
    quiet_since: float | None = None
    while time.monotonic() < give_up:
        try:
            found = remove()
        except SandboxError:
            found = True
        now = time.monotonic()
        quiet_since = None if found else (quiet_since or now)
        if quiet_since is not None and now - quiet_since >= _QUIET_SECONDS:
            return True
        time.sleep(_LOOK_SECONDS)
    return False


def _remover(engine: str, owner: str) -> Callable[[], bool]:
    if engine == "docker":
        from harness.sandbox.docker.api import DockerApi  # heavy, and needed only now
        from harness.sandbox.docker.remove import remove_owned

        def remove() -> bool:
            with DockerApi() as api:
                return bool(remove_owned(api, owner))

        return remove
    from harness.sandbox import crun

    return lambda: bool(crun.remove_owned(owner))


if __name__ == "__main__":
    sys.exit(watch(*sys.argv[1:3]))
