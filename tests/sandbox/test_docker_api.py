"""An engine that is absent, mute, rude or gone in the middle is one SandboxError, and never a hang."""

from __future__ import annotations

import gc
import os
import shutil
import socket
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from harness.errors import SandboxError
from harness.sandbox.docker import probe
from harness.sandbox.docker.api import DockerApi, engine_address
from harness.sandbox.docker.engine import DockerEngine
from harness.sandbox.docker.keeper import keeper_lost
from harness.sandbox.docker.remove import remove_owned
from tests.integration.session import landed, spec

# The docker package leaves the socket of a call that failed to the garbage collector.
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning", "ignore::ResourceWarning")


@contextmanager
def listening(answer: Callable[[socket.socket], None]) -> Iterator[str]:
    """A unix socket on which `answer` serves each connection; its address."""
    folder = tempfile.mkdtemp()
    server = socket.socket(socket.AF_UNIX)
    server.bind(f"{folder}/docker.sock")
    server.listen()
    held: list[socket.socket] = []

    def serve() -> None:
        while True:
            try:
                connection, _ = server.accept()
            except OSError:
                return
            held.append(connection)
            threading.Thread(target=answer, args=(connection,), daemon=True).start()

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield f"unix://{folder}/docker.sock"
    finally:
        server.shutdown(socket.SHUT_RDWR)
        server.close()
        thread.join()
        for connection in held:
            connection.close()
        shutil.rmtree(folder)


def test_no_engine_is_said_with_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(SandboxError) as caught:
        DockerApi(address=f"unix://{tmp_path}/none.sock")
    assert "none.sock" in caught.value.message
    assert "docker version" in caught.value.hint


def test_an_engine_that_never_answers_is_given_up() -> None:
    with listening(lambda _: None) as address, pytest.raises(SandboxError):
        DockerApi(address=address, seconds=1)


def test_one_that_talks_nonsense_is_an_error() -> None:
    with listening(talk_nonsense) as address, pytest.raises(SandboxError):
        DockerApi(address=address, seconds=2)


def test_an_address_of_another_kind_is_refused_with_the_way_out() -> None:
    with pytest.raises(SandboxError, match="unix:// and tcp://"):
        DockerApi(address="ssh://somewhere")


def test_the_probe_says_why(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/none.sock")
    assert engine_address() == f"unix://{tmp_path}/none.sock"
    reason = probe()
    assert reason is not None
    assert "none.sock" in reason


@pytest.mark.docker
def test_an_engine_that_goes_away_in_the_middle_is_an_error_and_no_hang() -> None:
    reason = probe()
    if reason is not None:
        pytest.skip(f"docker: {reason}")
    wires: list[socket.socket] = []

    def forward(connection: socket.socket) -> None:
        engine = socket.socket(socket.AF_UNIX)
        engine.connect(engine_address().removeprefix("unix://"))
        wires.extend((connection, engine))
        for source, target in ((connection, engine), (engine, connection)):
            threading.Thread(target=pour, args=(source, target), daemon=True).start()

    with listening(forward) as address:
        engine = DockerEngine(address=address)
        opened = engine.open(spec(trial="cut off"))
        sandbox = opened.__enter__()
        landed(sandbox)
        assert sandbox.run(("echo", "before")).stdout == b"before\n"
        cut = threading.Timer(0.5, lambda: list(map(hang_up, wires)))
        cut.start()
        with pytest.raises(SandboxError):
            sandbox.run(("sleep", "600"), timeout=600)
        cut.join()
    for wire in wires:
        wire.close()
    with pytest.raises(SandboxError):
        sandbox.run(("true",))
    assert os.read(sandbox.fileno(), 100) == b""
    with pytest.raises(SandboxError):
        opened.__exit__(None, None, None)
    with pytest.raises(SandboxError):
        engine.close()
    with DockerApi() as api:
        assert len(remove_owned(api, engine.owner)) == 1
    gc.collect()  # within this test, whose warnings are expected


@pytest.mark.docker
@pytest.mark.parametrize("answer", [b"", b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n"])
def test_an_engine_that_does_not_tell_of_ends_still_runs_sandboxes(answer: bytes) -> None:
    """Podman holds back even the head of its answer until it has something to tell; a proxy may forbid the question."""
    reason = probe()
    if reason is not None:
        pytest.skip(f"docker: {reason}")

    def forward(connection: socket.socket) -> None:
        asked = connection.recv(65536)
        if b"/events?" in asked:
            connection.sendall(answer)
            return
        with socket.socket(socket.AF_UNIX) as engine:
            engine.connect(engine_address().removeprefix("unix://"))
            engine.sendall(asked)
            back = threading.Thread(target=pour, args=(engine, connection), daemon=True)
            back.start()
            pour(connection, engine)
            back.join()

    with listening(forward) as address:
        with DockerEngine(address=address) as engine, engine.open(spec(trial="untold")) as sandbox:
            landed(sandbox)
            assert sandbox.run(("echo", "alive")).stdout == b"alive\n"
            assert not sandbox.killed_by_memory()
        assert [thread for thread in threading.enumerate() if "_listen" in thread.name] == []
    gc.collect()  # within this test, whose warnings are expected


@pytest.mark.docker
def test_an_engine_whose_machine_lists_processes_in_other_columns_cannot_tell_of_the_keeper() -> None:
    """As where its `ps` is busybox's, which has no UID."""
    reason = probe()
    if reason is not None:
        pytest.skip(f"docker: {reason}")

    def forward(connection: socket.socket) -> None:
        with socket.socket(socket.AF_UNIX) as engine:
            engine.connect(engine_address().removeprefix("unix://"))
            threading.Thread(target=pour, args=(connection, engine), daemon=True).start()
            while data := engine.recv(65536):
                connection.sendall(data.replace(b'"UID"', b'"WHO"'))

    with DockerEngine() as engine, engine.open(spec(trial="other columns")) as sandbox:
        landed(sandbox)
        with DockerApi() as api:
            sandbox.run(
                ("sh", "-c", "for p in /proc/[0-9]*; do grep -qx keeper $p/comm && kill -KILL ${p#/proc/}; done")
            )
            assert keeper_lost(api, sandbox.id)
        with listening(forward) as address, DockerApi(address=address) as api:
            assert not keeper_lost(api, sandbox.id)
    gc.collect()  # within this test, whose warnings are expected


def talk_nonsense(connection: socket.socket) -> None:
    try:
        if connection.recv(65536):
            connection.sendall(b"SSH-2.0-nonsense\r\n")
    except OSError:
        return  # it was only looked whether somebody listens


def hang_up(wire: socket.socket) -> None:
    try:
        wire.shutdown(socket.SHUT_RDWR)
    except OSError:
        return  # its other end was first


def pour(source: socket.socket, target: socket.socket) -> None:
    try:
        while data := source.recv(65536):
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)
    except OSError:
        return
