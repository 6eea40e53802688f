"""The connection to a Docker Engine: every call has a deadline, every failure is a SandboxError."""

from __future__ import annotations

import json
import os
import socket
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.client import HTTPResponse
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import quote_from_bytes, urlsplit

import requests
from docker import APIClient
from docker.errors import APIError, DockerException

from harness.errors import SandboxError

CALL_SECONDS = 60  # no single call of ours takes longer than a few seconds on an idle engine
_HEADER_LIMIT = 64 * 1024
_REMOVAL_SECONDS = 30.0
_POLL_SECONDS = 0.02


def engine_address() -> str:
    """Where the engine listens: $DOCKER_HOST, else the system's socket, else the user's own."""
    given = os.environ.get("DOCKER_HOST", "")
    if given:
        return given
    own = Path(os.environ.get("XDG_RUNTIME_DIR", "/nonexistent")) / "docker.sock"
    system = Path("/var/run/docker.sock")
    return f"unix://{own}" if own.exists() and not system.exists() else f"unix://{system}"


class DockerApi:
    """A Docker Engine that answered, over `unix://` or plain `tcp://`. Use as a context manager, or `close` it."""

    def __init__(self, *, address: str | None = None, seconds: int = CALL_SECONDS) -> None:
        self.address = address or engine_address()
        self.seconds = seconds
        if urlsplit(self.address).scheme not in {"unix", "tcp"}:
            raise SandboxError(
                f"the Docker engine at {self.address} cannot be used: only unix:// and tcp:// addresses are",
                hint="forward its socket (ssh -L) and set DOCKER_HOST to the forwarded one",
            )
        with self.failures(f"reaching the Docker engine at {self.address}"):
            self._connect().close()
            self.client = APIClient(base_url=self.address, version="auto", timeout=seconds, max_pool_size=64)
        self.client.headers["Accept-Encoding"] = "identity"  # archives are read as they come, not worth compressing

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the pooled connections."""
        self.client.close()

    @contextmanager
    def failures(self, attempt: str) -> Iterator[None]:
        """Turn whatever the docker package or the transport raises into a SandboxError that names `attempt`."""
        try:
            yield
        except APIError as error:
            said = error.explanation or str(error)
            raise SandboxError(f"{attempt} failed: {said}", hint="the Docker engine refused; see its log") from error
        except (DockerException, requests.RequestException, OSError) as error:
            raise SandboxError(
                f"{attempt} failed: {error}",
                hint="is the Docker engine running, and may this user talk to it? try `docker version`",
            ) from error

    def url(self, path: str, query: Mapping[str, str | bytes] | None = None) -> str:
        """The address of an API call; query values may be raw bytes (paths of the world)."""
        pairs = (f"{key}={quote_from_bytes(os.fsencode(value), safe='')}" for key, value in (query or {}).items())
        text = "&".join(pairs)
        return f"{self.client.base_url}/v{self.client.api_version}{path}" + (f"?{text}" if text else "")

    def image(self, name: str) -> str | None:
        """The engine's id (`sha256:…`) of the image `name`; None if it has none."""
        with self.failures(f"looking for the image {name}"):
            reply = self.client.get(self.url(f"/images/{name}/json"), timeout=self.seconds)
            if reply.status_code == requests.codes.not_found:
                return None
            self._accept(reply, f"looking for the image {name}")
            return str(reply.json()["Id"])

    def create(self, body: Mapping[str, object], *, name: str | None = None) -> str:
        """Create a container from a body of the Engine API; its id."""
        with self.failures("creating a container"):
            url = self.url("/containers/create", {"name": name} if name else None)
            reply = self.client.post(url, json=dict(body), timeout=self.seconds)
            self._accept(reply, "creating a container")
            return str(reply.json()["Id"])

    def _accept(self, reply: requests.Response, attempt: str) -> None:
        if not reply.ok:
            raise SandboxError(
                f"{attempt} failed: {reply.text.strip()[:300]}", hint="the Docker engine refused; see its log"
            )

    def update(self, container: str, values: Mapping[str, int]) -> None:
        """Change resource limits of a running container (Engine API names, e.g. PidsLimit)."""
        with self.failures("changing a container's limits"):
            reply = self.client.post(
                self.url(f"/containers/{container}/update"), json=dict(values), timeout=self.seconds
            )
            self._accept(reply, "changing a container's limits")

    def remove(self, container: str) -> None:
        """Remove a container and its anonymous volumes; returns once the engine knows no such container.

        Asked again while the engine says that it is at it already, or that it could not kill it yet: both
        pass. Raises SandboxError if that lasts for half a minute.
        """
        url = self.url(f"/containers/{container}", {"force": "1", "v": "1"})
        deadline = time.monotonic() + _REMOVAL_SECONDS
        with self.failures("removing a container"):
            while True:
                reply = self.client.delete(url, timeout=self.seconds)
                if reply.ok or reply.status_code == requests.codes.not_found:
                    return
                passing = reply.status_code in {requests.codes.conflict, requests.codes.server_error}
                if not passing or time.monotonic() > deadline:
                    self._accept(reply, "removing a container")
                time.sleep(_POLL_SECONDS)

    def hijack(self, path: str, query: Mapping[str, str], body: Mapping[str, object] | None = None) -> socket.socket:
        """POST and take over the connection as a raw duplex stream.

        The response's header is read byte by byte, so that no output is ever left in a buffer of a
        HTTP library: what the descriptor gives next is the stream's first byte.
        """
        attempt = "attaching to a container"
        with self.failures(attempt):
            stream = self._connect()
            try:
                payload = json.dumps(body).encode() if body is not None else b""
                parts = urlsplit(self.url(path, query))
                head = (
                    f"POST {parts.path}?{parts.query} HTTP/1.1",
                    "Host: docker",
                    "Connection: Upgrade",
                    "Upgrade: tcp",
                    "Content-Type: application/json",
                    f"Content-Length: {len(payload)}",
                    "\r\n",
                )
                stream.sendall("\r\n".join(head).encode() + payload)
                status = _read_header(stream)
                if status not in {101, 200}:
                    raise SandboxError(f"{attempt} failed: the engine answered {status}: {_rest(stream)}")
            except BaseException:
                stream.close()
                raise
        return stream

    def follow(self, path: str, query: Mapping[str, str]) -> tuple[socket.socket, HTTPResponse]:
        """GET an answer that has no end: the connection, to be shut down and closed, and the answer, yet to begin."""
        with self.failures("following what the engine tells"):
            stream = self._connect()
            try:
                parts = urlsplit(self.url(path, query))
                head = f"GET {parts.path}?{parts.query} HTTP/1.1\r\nHost: docker\r\n\r\n"
                stream.sendall(head.encode())
                stream.settimeout(None)
                return stream, HTTPResponse(stream, method="GET")
            except BaseException:
                stream.close()
                raise

    def _connect(self) -> socket.socket:
        parts = urlsplit(self.address)
        if parts.scheme == "tcp":
            return socket.create_connection((parts.hostname or "localhost", parts.port or 2375), timeout=self.seconds)
        stream = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            stream.settimeout(self.seconds)
            stream.connect(parts.path)
        except BaseException:
            stream.close()
            raise
        return stream


def _read_header(stream: socket.socket) -> int:
    head = bytearray()
    while not head.endswith(b"\r\n\r\n"):
        byte = stream.recv(1)
        if not byte or len(head) > _HEADER_LIMIT:
            raise SandboxError("the Docker engine closed the connection before it answered")
        head += byte
    return int(head.split(b" ", 2)[1])


def _rest(stream: socket.socket) -> str:
    text = b""
    while len(text) < 2000 and (more := stream.recv(2000)):
        text += more
        if text.rstrip().endswith(b"}"):
            break
    return text.decode(errors="replace").strip()
