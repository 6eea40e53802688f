"""Engines for the integration tests: every kind that this machine can use."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from harness.sandbox.protocol import Engine
from harness.sandbox.select import kind

DOCKER = pytest.param("docker", marks=pytest.mark.docker)
REMOTE = pytest.param("docker by its interface alone", marks=(pytest.mark.docker, pytest.mark.slow))
CRUN = pytest.param("crun", marks=pytest.mark.crun)


def usable(name: str) -> Engine:
    """A new engine, or a skip that says what to do."""
    found = kind(name)
    reason = found.probe()
    if reason is not None:
        pytest.skip(f"{name}: {reason}")
    return found.make()


def remote_docker() -> Engine:
    """The docker engine used as if it were on another machine, or by a user who is not root."""
    usable("docker").close()
    from harness.sandbox.docker import DockerEngine

    return DockerEngine(look_inside=False)


@pytest.fixture(scope="module", params=[DOCKER, REMOTE, CRUN])
def engine(request: pytest.FixtureRequest) -> Iterator[Engine]:
    made = remote_docker() if request.param == "docker by its interface alone" else usable(request.param)
    yield made
    made.close()
