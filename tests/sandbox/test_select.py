"""Which engine is chosen, and what is said when none can be."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.errors import InfrastructureError
from harness.sandbox import choose
from harness.sandbox.select import kind


@pytest.fixture
def no_engine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/none.sock")
    monkeypatch.setenv("EVALH_HOME", str(tmp_path / "empty"))


def test_where_none_can_be_used_each_says_why_and_what_to_do(no_engine: None) -> None:
    with pytest.raises(InfrastructureError) as caught:
        choose()
    assert caught.value.exit_code == 40
    assert "crun: " in caught.value.message
    assert "docker: " in caught.value.message
    assert "none.sock" in caught.value.message
    assert "evalh sandbox build" in str(caught.value)


@pytest.mark.parametrize("name", ["docker", "crun"])
def test_a_named_engine_is_not_replaced_by_another(no_engine: None, name: str) -> None:
    with pytest.raises(InfrastructureError) as caught:
        choose(name)
    assert {"docker", "crun"} - {name} != {word for word in ("docker:", "crun:") if word in caught.value.message}
    assert f"{name}: " in caught.value.message


def test_an_unknown_engine_is_refused_with_the_known_ones() -> None:
    with pytest.raises(InfrastructureError, match="podman") as caught:
        choose("podman")
    assert "crun" in caught.value.hint


@pytest.mark.crun
def test_auto_takes_the_daemonless_engine_where_it_can() -> None:
    reason = kind("crun").probe()
    if reason is not None:
        pytest.skip(f"crun: {reason}")
    engine = choose("auto")
    try:
        assert engine.name == "crun"
    finally:
        engine.close()


@pytest.mark.docker
def test_auto_takes_docker_where_that_is_all_there_is(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    reason = kind("docker").probe()
    if reason is not None:
        pytest.skip(f"docker: {reason}")
    monkeypatch.setenv("EVALH_HOME", str(tmp_path))
    engine = choose("auto")
    try:
        assert engine.name == "docker"
    finally:
        engine.close()
