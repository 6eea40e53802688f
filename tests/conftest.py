"""What all tests share: the engines that this machine has."""

from __future__ import annotations

import signal
from functools import cache

import pytest
from hypothesis import settings

from harness.sandbox.select import kind

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # a shell's background job: the commands under test heed ^C
    signal.signal(signal.SIGINT, signal.default_int_handler)

settings.register_profile("untimed", deadline=None)  # a slow machine is no failure
settings.load_profile("untimed")

CRUN = pytest.param("crun", marks=pytest.mark.crun)
DOCKER = pytest.param("docker", marks=pytest.mark.docker)


@cache
def _why_not(name: str) -> str | None:
    return kind(name).probe()


def _usable(name: str) -> str:
    if reason := _why_not(name):
        pytest.skip(f"{name}: {reason}")
    return name


@pytest.fixture(scope="module", params=[CRUN, DOCKER])
def engine_name(request: pytest.FixtureRequest) -> str:
    """The name of each engine that can be used here; the others are skipped with what to do about it."""
    return _usable(str(request.param))


@pytest.fixture
def any_engine() -> str:
    """The name of the quickest engine that can be used here; skips where there is none."""
    return next((name for name in ("crun", "docker") if _why_not(name) is None), None) or _usable("crun")


@pytest.fixture
def docker_engine() -> None:
    """Skips the test where no Docker engine answers."""
    _usable("docker")
