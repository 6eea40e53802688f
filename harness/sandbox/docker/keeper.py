"""Orders to the keeper, the process of root's that minds the operator's processes inside of a container.

They travel over the archive API as the mode and time of a directory, so that they get in where the operator
has used up processes or disk, and also where the engine is on another machine.
"""

from __future__ import annotations

import base64
import io
import json
import tarfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from enum import IntEnum

import requests

from harness.errors import SandboxError
from harness.sandbox.docker.api import DockerApi

PLACE = "/run/evalh"
NAME = "keeper"  # as boot.pl calls itself
ORDER, DONE = "order", "done"  # directories in PLACE, made by the seed with time 0
_SECONDS = 60.0
_POLL_SECONDS = 0.01


class Order(IntEnum):
    """What to do with every process of the operator; the value is the directory's mode."""

    KILL = 0o701
    STOP = 0o702
    CONTINUE = 0o704


class Keeper:
    """Gives orders to one container's keeper, one at a time, and waits until each is carried out."""

    def __init__(self, api: DockerApi, container: str) -> None:
        self._api = api
        self._container = container
        self._lock = threading.RLock()
        self._number = 0

    def order(self, order: Order) -> None:
        """Return once `order` was carried out; SandboxError if it is not within a minute."""
        with self._lock:
            self._number += 1
            self._write(order, self._number)
            deadline = time.monotonic() + _SECONDS
            while self._done() < self._number:
                if time.monotonic() > deadline:
                    raise SandboxError(
                        f"the operator's processes do not obey: {order.name} is not done after {_SECONDS:.0f} s",
                        hint="the machine or the Docker engine is stuck or overloaded",
                    )
                time.sleep(_POLL_SECONDS)

    @contextmanager
    def held(self) -> Iterator[None]:
        """While the block runs, the operator's processes stand still."""
        with self._lock:
            self.order(Order.STOP)
            try:
                yield
            finally:
                self.order(Order.CONTINUE)

    def _write(self, order: Order, number: int) -> None:
        out = io.BytesIO()
        with tarfile.open(fileobj=out, mode="w") as tar:
            member = tarfile.TarInfo(ORDER)
            member.type, member.mode, member.mtime = tarfile.DIRTYPE, order.value, number
            tar.addfile(member)
        url = self._api.url(f"/containers/{self._container}/archive", {"path": PLACE})
        with self._api.failures("reaching a container"):
            self._accept(self._api.client.put(url, data=out.getvalue(), timeout=self._api.seconds))

    def _done(self) -> int:
        """The number of the order that was carried out last."""
        url = self._api.url(f"/containers/{self._container}/archive", {"path": f"{PLACE}/{DONE}"})
        with self._api.failures("reaching a container"):
            reply = self._api.client.head(url, timeout=self._api.seconds)
            self._accept(reply)
            said = json.loads(base64.b64decode(reply.headers["X-Docker-Container-Path-Stat"]))
        return int(datetime.fromisoformat(str(said["mtime"])[:19] + "+00:00").timestamp())

    def _accept(self, reply: requests.Response) -> None:
        if not reply.ok:
            raise SandboxError(
                f"the container cannot be reached: the engine answered {reply.status_code} {reply.text.strip()[:300]}",
                hint="the container has ended: its time to live passed, or somebody removed it",
            )


def keeper_lost(api: DockerApi, container: str) -> bool:
    """Whether PID 1 lives and the container's keeper does not; False where the engine does not list the processes.

    The operator can name a process as it likes, but the keeper belongs to the user that PID 1 belongs to. A PID 1
    that is dying has lost its command line before it takes the keeper with it.
    """
    try:
        with api.failures("listing a container's processes"):
            first = str(api.client.inspect_container(container)["State"]["Pid"])
            found = api.client.top(container)
    except SandboxError:
        return False
    titles = found["Titles"]
    if not {"PID", "UID", "CMD"} <= set(titles):  # those of another `ps` on the engine's machine
        return False
    columns = [titles.index(title) for title in ("PID", "UID", "CMD")]
    rows = [[row[column] for column in columns] for row in found["Processes"]]
    owners = {user for pid, user, command in rows if pid == first and not command.startswith("[")}
    return bool(owners) and not any(user in owners and command == NAME for _, user, command in rows)
