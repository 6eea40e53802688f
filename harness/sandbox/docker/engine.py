"""The docker engine: opens sandboxes as containers of a Docker Engine, and removes all it opened."""

from __future__ import annotations

import os
import secrets
import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from harness.errors import SandboxError
from harness.sandbox.crun.world import CrunWorld
from harness.sandbox.docker.api import DockerApi
from harness.sandbox.docker.archive import ArchiveWorld
from harness.sandbox.docker.create import HOST_LABEL, LABEL, OWNER_LABEL, TRIAL_LABEL, container_body
from harness.sandbox.docker.deaths import Deaths
from harness.sandbox.docker.local import HostView, host_view
from harness.sandbox.docker.remove import docker_containers, remove_owned, this_host
from harness.sandbox.docker.sandbox import DockerSandbox
from harness.sandbox.docker.seed import GO, SETUP_SCRIPT, Skeleton, read_skeleton, world_archive
from harness.sandbox.image.tree import image_name
from harness.sandbox.owner import new_owner, owner_is_dead
from harness.sandbox.protocol import Sandbox, SandboxSpec
from harness.sandbox.watchdog import Watchdog
from harness.world import World

_SEED_SECONDS = 60.0
_PROBE_SECONDS = 10
_LATEST_API = (1, 41)  # the oldest that we know to work: PidsLimit by update, volumes with labels
_RARE_KEYS = ("ctrl-^", "ctrl-_", "ctrl-]", "ctrl-\\")


class DockerEngine:
    """Sandboxes on a Docker Engine. As `protocol.Engine`; also a context manager that closes itself.

    Making one connects to the engine, removes what dead harnesses left there, and starts a watchdog.
    Raises SandboxError when the engine does not answer or the image is missing.
    """

    name = "docker"

    def __init__(self, *, image: str | None = None, address: str | None = None, look_inside: bool = True) -> None:
        """By default the engine that answers, and the image that `evalh sandbox build` makes of these sources.

        `address` is as in $DOCKER_HOST; `look_inside=False` uses the engine's interface alone, as if it were
        on another machine.
        """
        self.look_inside = look_inside
        self._owner = new_owner()
        self._starting = threading.BoundedSemaphore(max(2, os.cpu_count() or 2))
        self._skeleton_lock = threading.Lock()
        self._skeleton: Skeleton | None = None
        with ExitStack() as undo:
            self._api = undo.enter_context(DockerApi(address=address))
            self._image = _image_id(self._api, image or image_name())
            sweep(self._api)
            self._deaths = Deaths(self._api, self._owner)
            undo.callback(self._deaths.close)
            self._watchdog = undo.enter_context(Watchdog.start(self.name, self._owner, address=self._api.address))
            self._undo = undo.pop_all()

    def __enter__(self) -> DockerEngine:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    @property
    def owner(self) -> str:
        """The label that every container of this engine object carries."""
        return self._owner

    def image_digest(self) -> str:
        """The engine's own identity of the image: the digest of its configuration and layers."""
        return self._image

    @contextmanager
    def open(self, spec: SandboxSpec) -> Iterator[Sandbox]:
        """A fresh container for `spec`; see `protocol.Engine.open`."""
        labels = self._labels(spec.trial)
        name = f"evalh-{secrets.token_hex(8)}"
        with self._watchdog.guarding(), ExitStack() as undo:
            undo.callback(self._api.remove, name)
            with self._starting:
                sandbox = self._start(name, spec, labels, undo)
            yield sandbox

    def close(self) -> None:
        """As in `Engine.close`; safe to call twice."""
        self._watchdog.close()
        with self._undo:
            remove_owned(self._api, self._owner)
            self._watchdog.dismiss()

    def _labels(self, trial: str) -> dict[str, str]:
        return {LABEL: "1", OWNER_LABEL: self._owner, TRIAL_LABEL: trial, HOST_LABEL: this_host()}

    def _start(self, name: str, spec: SandboxSpec, labels: dict[str, str], undo: ExitStack) -> DockerSandbox:
        skeleton = self._read_skeleton()
        content = world_archive(skeleton, spec)
        body = container_body(spec, image=self._image, labels=labels, occupied=skeleton.occupied)
        container = self._api.create(body, name=name)
        terminal = undo.enter_context(self._attach(container))
        with self._api.failures("starting a container"):
            self._api.client.start(container)
        host = host_view(self._api, container) if self.look_inside else None
        world = self._world(container, host, spec, undo)
        sandbox = DockerSandbox(
            self._api, container, terminal=terminal, spec=spec, world=world, host=host, deaths=self._deaths
        )
        self._fill(sandbox, content)
        if spec.setup:
            self._set_up(sandbox, spec)
        return sandbox

    def _world(self, container: str, host: HostView | None, spec: SandboxSpec, undo: ExitStack) -> World:
        """The files as this machine's kernel shows them where it can, else as the engine's archives do."""
        root = host.open_root() if host is not None else None
        if host is None or root is None:
            return ArchiveWorld(self._api, container, walk_bytes=16 * spec.limits.disk_bytes)
        undo.callback(os.close, root)
        return CrunWorld(root, alive=host.alive)

    def _attach(self, container: str) -> socket.socket:
        """Attach before the start, so that not a byte of the session can be missed."""
        query = {"stream": "1", "stdin": "1", "stdout": "1", "stderr": "1", "detachKeys": _detach_keys()}
        terminal = self._api.hijack(f"/containers/{container}/attach", query)
        terminal.settimeout(None)
        return terminal

    def _fill(self, sandbox: DockerSandbox, content: bytes) -> None:
        unpacked = sandbox.run(("/bin/tar", "-xpPf", "-"), stdin=content, timeout=_SEED_SECONDS)
        if unpacked.status != 0:
            said = (unpacked.stderr + unpacked.stdout).decode(errors="replace").strip()[-500:]
            raise SandboxError(
                f"the world's files could not be placed: {said or 'no end within a minute'}",
                hint="are the scenario's files larger than the disk limit, or in each other's way?",
            )

    def _set_up(self, sandbox: DockerSandbox, spec: SandboxSpec) -> None:
        done = sandbox.run(("/bin/sh", SETUP_SCRIPT), timeout=spec.setup_seconds)
        if done.status != 0:
            how = f"exit status {done.status}" if done.status is not None else f"no end within {spec.setup_seconds:g} s"
            said = (done.stdout + done.stderr).decode(errors="replace").strip()[-500:]
            raise SandboxError(
                f"the setup script of {spec.trial} failed ({how}): {said}", hint="mend [setup] of the scenario"
            )
        go = sandbox.run(("/bin/sh", "-c", 'rm -f "$1" && : > "$2"', "sh", SETUP_SCRIPT, GO))
        if go.status != 0:
            raise SandboxError(f"the session could not be released: {go.stderr.decode(errors='replace').strip()}")

    def _read_skeleton(self) -> Skeleton:
        with self._skeleton_lock:
            if self._skeleton is None:
                self._skeleton = read_skeleton(self._api, self._image, self._labels("image"))
            return self._skeleton


def probe() -> str | None:
    """Why the docker engine cannot be used now, with what to do about it; None if it can."""
    try:
        with DockerApi(seconds=_PROBE_SECONDS) as api:
            version = tuple(int(part) for part in api.client.api_version.split("."))
            if version < _LATEST_API:
                return (
                    f"the engine at {api.address} is too old (API {api.client.api_version}); 20.10 or newer is needed"
                )
            _image_id(api, image_name())
    except SandboxError as error:
        return str(error)
    return None


def sweep(api: DockerApi) -> list[str]:
    """Remove what owners of this host left that are surely dead; the ids of the containers removed."""
    host = this_host()
    owners = {each.owner for each in docker_containers(api) if each.host == host and owner_is_dead(each.owner)}
    return [ident for owner in sorted(owners) for ident in remove_owned(api, owner)]


def _image_id(api: DockerApi, image: str) -> str:
    found = api.image(image)
    if found is None:
        raise SandboxError(f"the Docker engine has no image {image}", hint="run `evalh sandbox build`")
    return found


def _detach_keys() -> str:
    """A sequence that nobody types by chance or can guess: a detached terminal would end the session."""
    return ",".join(secrets.choice(_RARE_KEYS) for _ in range(40))
