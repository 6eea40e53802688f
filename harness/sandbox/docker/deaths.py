"""What a Docker Engine tells of its containers' ends: whether a container's own memory limit was its end."""

from __future__ import annotations

import json
import threading
from contextlib import suppress
from http import HTTPStatus
from http.client import HTTPException, HTTPResponse
from socket import SHUT_RDWR

from harness.sandbox.docker.api import DockerApi
from harness.sandbox.docker.create import OWNER_LABEL

_EVENTS = ("oom", "kill", "die", "destroy")
_KILLED = "137"  # the exit code of a PID 1 that SIGKILL ended
_BEGIN_SECONDS = 3.0  # for the engine to begin to tell; podman may not before it has something to tell
_TOLD_SECONDS = 5.0  # for the engine to tell of an end that its terminal has shown


class Deaths:
    """Follows the engine's events of one owner's containers, from its making until `close`.

    Nothing else tells: a container that removes itself takes its state with it. Where the engine does not tell, or
    stops telling (it was restarted), nothing is known of the ends from there on.
    """

    def __init__(self, api: DockerApi, owner: str) -> None:
        filters = json.dumps({"type": ["container"], "label": [f"{OWNER_LABEL}={owner}"], "event": list(_EVENTS)})
        self._stream, told = api.follow("/events", {"filters": filters})
        self._told = threading.Condition()
        self._seen: dict[str, set[str]] = {event: set() for event in _EVENTS}  # containers, by event
        self._begun = self._over = False
        self._thread = threading.Thread(target=self._listen, args=(told,), daemon=True)
        self._thread.start()
        with self._told:
            self._told.wait_for(lambda: self._begun or self._over, _BEGIN_SECONDS)

    def close(self) -> None:
        """Stop listening; safe to call twice."""
        with suppress(OSError):  # the engine has gone, or we were here before
            self._stream.shutdown(SHUT_RDWR)
        self._thread.join()
        self._stream.close()

    def short_of_memory(self, container: str) -> bool:
        """Whether the container's memory limit has killed anything of it so far."""
        with self._told:
            return container in self._seen["oom"]

    def killed_by_memory(self, container: str) -> bool:
        """Whether the container is gone because its memory limit killed its PID 1; False where that is not known.

        Its PID 1 was killed, its limit had been reached, and nobody had asked the engine to kill it.
        """
        with self._told:
            self._told.wait_for(lambda: self._over or container in self._seen["destroy"], _TOLD_SECONDS)
            ended = container in self._seen["destroy"] & self._seen["die"] & self._seen["oom"]
            return ended and container not in self._seen["kill"]

    def _listen(self, told: HTTPResponse) -> None:
        with suppress(OSError, HTTPException, ValueError), told:  # the stream may be cut in the middle of a line
            told.begin()
            with self._told:
                self._begun = True
                self._told.notify_all()
            while told.status == HTTPStatus.OK and (line := told.readline()):
                self._take(json.loads(line))
        with self._told:
            self._over = True
            self._told.notify_all()

    def _take(self, event: dict[str, object]) -> None:
        match event:
            case {"Action": "die", "Actor": {"Attributes": {"exitCode": code}}} if code != _KILLED:
                return
            case {"Action": str(action), "Actor": {"ID": str(container)}} if action in _EVENTS:
                with self._told:
                    self._seen[action].add(container)
                    self._told.notify_all()
