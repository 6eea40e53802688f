"""Nothing outlives a harness for long, however it dies: not its containers, volumes, mounts, groups or processes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from harness.errors import SandboxError
from harness.sandbox.protocol import Engine
from harness.sandbox.reap import find, reap
from harness.sandbox.select import kind
from tests.integration.conftest import CRUN, DOCKER, usable
from tests.integration.session import eventually, landed, spec
from tests.integration.test_engines import traces

PROGRAM = Path(__file__).parent.parent / "programs" / "open_sandboxes.py"
SECONDS = 60.0


@pytest.fixture(params=[DOCKER, CRUN])
def name(request: pytest.FixtureRequest) -> str:
    usable(request.param).close()
    return str(request.param)


@contextmanager
def harness(name: str, count: int) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """A child that opens `count` sandboxes; yields it and its owner label once it has begun."""
    child = subprocess.Popen(
        [sys.executable, str(PROGRAM), name, str(count)], stdout=subprocess.PIPE, text=True, start_new_session=True
    )
    try:
        assert child.stdout is not None
        yield child, child.stdout.readline().strip()
    finally:
        child.kill()
        child.wait()
        if child.stdout is not None:
            child.stdout.close()


def await_open(child: subprocess.Popen[str], count: int) -> None:
    assert child.stdout is not None
    for _ in range(count):
        assert child.stdout.readline().startswith("open"), "a sandbox could not be opened"


def owned(name: str, owner: str) -> list[str]:
    return [each.id for each in find(name) if each.owner == owner]


def watchdogs(owner: str) -> list[str]:
    found = []
    for file in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            command = file.read_bytes().split(b"\0")
        except OSError:
            continue
        if b"harness.sandbox.watchdog" in command and owner.encode() in command:
            found.append(file.parent.name)
    return found


def volumes(owner: str) -> list[str]:
    from harness.sandbox.docker.api import DockerApi

    with DockerApi() as api:
        listed = api.client.volumes(filters={"label": f"evalh.owner={owner}"})["Volumes"] or []
        return [str(each["Name"]) for each in listed]


def nothing_left(name: str, owner: str, idents: list[str]) -> None:
    assert eventually(lambda: not watchdogs(owner), SECONDS), "the watchdog is still there"
    assert owned(name, owner) == []
    assert [trace for ident in idents for trace in traces(ident)] == []
    if name == "docker":
        assert volumes(owner) == []


def test_a_killed_harness_leaves_nothing(name: str) -> None:
    with harness(name, 3) as (child, owner):
        await_open(child, 3)
        idents = owned(name, owner)
        assert len(idents) == 3
        child.kill()
        child.wait()
        nothing_left(name, owner, idents)


@pytest.mark.parametrize("delay", [0.0, 0.02, 0.08, 0.2])
def test_one_killed_while_it_starts_containers_leaves_nothing(name: str, delay: float) -> None:
    with harness(name, 6) as (child, owner):
        time.sleep(delay)  # not to wait for something, but to hit another moment each time
        child.kill()
        child.wait()
        nothing_left(name, owner, owned(name, owner))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_one_cleans_up_and_dismisses_its_watchdog(name: str, number: signal.Signals) -> None:
    with harness(name, 2) as (child, owner):
        await_open(child, 2)
        idents = owned(name, owner)
        child.send_signal(number)
        child.wait(SECONDS)
        assert child.returncode == 130
        assert owned(name, owner) == []
        nothing_left(name, owner, idents)


def test_an_interruption_of_the_whole_process_group_spares_the_watchdog(name: str) -> None:
    with harness(name, 2) as (child, owner):
        await_open(child, 2)
        idents = owned(name, owner)
        os.killpg(child.pid, signal.SIGKILL)
        child.wait()
        nothing_left(name, owner, idents)


def test_the_next_engine_sweeps_what_a_harness_without_watchdog_left(name: str) -> None:
    with harness(name, 2) as (child, owner):
        await_open(child, 2)
        idents = owned(name, owner)
        for watchdog in watchdogs(owner):
            os.kill(int(watchdog), signal.SIGKILL)
        child.kill()
        child.wait()
        kind(name).make().close()
        nothing_left(name, owner, idents)


def test_reaping_takes_the_abandoned_and_spares_the_living(name: str) -> None:
    engine: Engine = kind(name).make()
    try:
        with engine.open(spec(trial="living")) as sandbox, harness(name, 1) as (child, owner):
            landed(sandbox)
            await_open(child, 1)
            for watchdog in watchdogs(owner):
                os.kill(int(watchdog), signal.SIGKILL)
            child.kill()
            child.wait()
            done = reap()
            assert sandbox.id in [each.id for each in done.kept]
            assert sandbox.run(("echo", "alive")).stdout == b"alive\n"
        assert owned(name, owner) == []
    finally:
        engine.close()


def test_a_failing_start_leaves_nothing(name: str) -> None:
    engine: Engine = kind(name).make()
    try:
        with pytest.raises(SandboxError), engine.open(spec(trial="failing-start", setup="exit 1")):
            pass
        assert not [each for each in find(name) if each.trial == "failing-start"]
    finally:
        engine.close()


def test_a_closed_engine_has_no_watchdog(name: str) -> None:
    engine: Engine = kind(name).make()
    owner: str = engine.owner  # type: ignore[attr-defined] # both have it
    assert eventually(lambda: len(watchdogs(owner)) == 1)
    engine.close()
    assert watchdogs(owner) == []
    engine.close()
