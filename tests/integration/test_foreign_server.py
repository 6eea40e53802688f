"""A run against a server in a container of its own, written in another language and knowing nothing of evalh."""

from __future__ import annotations

import os
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.values import Outcome, Terminal
from tests.integration.command import against, evalh, records
from tests.integration.leftovers import wait_for

IMAGE = "evalh-sandbox:latest"
PROGRAM = Path(__file__).parents[1] / "programs" / "chat_server.pl"


@pytest.fixture
def foreign_url(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    monkeypatch.setitem(os.environ, "TESTCONTAINERS_RYUK_DISABLED", "true")  # its reaper's image may be out of reach
    from testcontainers.core.config import testcontainers_config
    from testcontainers.core.container import DockerContainer

    monkeypatch.setattr(testcontainers_config, "ryuk_disabled", True)
    container = (
        DockerContainer(IMAGE)
        .with_kwargs(entrypoint=["/usr/bin/perl", "/srv/chat_server.pl"], labels={"evalh.test": "foreign-server"})
        .with_volume_mapping(str(PROGRAM), "/srv/chat_server.pl", "ro")
        .with_exposed_ports(8000)
    )
    with container:
        url = f"http://{container.get_container_host_ip()}:{container.get_exposed_port(8000)}/v1"
        wait_for(lambda: _answers(f"{url}/models"), seconds=60, what="the foreign server's answer")
        yield url


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=2) as reply:  # noqa: S310 - an http address made here
            return bool(reply.status == 200)
    except OSError:
        return False


@pytest.mark.docker
def test_a_server_in_a_container_is_evaluated_with_nothing_but_its_url_and_two_names(
    docker_engine: None, foreign_url: str, tmp_path: Path
) -> None:
    done = evalh(*against(foreign_url, "auto"), cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    found = records(tmp_path / "run")
    assert {record.outcome for record in found.values()} == {Outcome.FAIL}
    assert found["errand-note.tuned.0"].terminal is Terminal.EXIT
    assert found["errand-note.tuned.0"].prompt_tokens == 10
    assert found["errand-note.base.0"].terminal is not Terminal.EXIT
