"""What a Harbor task has and a bundle has not is refused by name, with its file and line."""

from __future__ import annotations

from pathlib import Path

import pytest

from scenarios.interop import RefusedError, read_harbor
from scenarios.interop.absent import absent_programs
from scenarios.interop.places import Moves
from tests.integration.command import evalh
from tests.scenarios.harbor import CONFIG, DOCKERFILE, SOLVE, TEST, change

REFUSED = [
    (DOCKERFILE, "debian:bookworm-slim", "python:3.12-slim", "environment/Dockerfile:2: FROM: worlds are Debian 12"),
    (DOCKERFILE, "WORKDIR", "FROM alpine AS two\nWORKDIR", "FROM: a build of several stages"),
    (
        DOCKERFILE,
        "WORKDIR /app",
        "RUN apt-get update && apt-get install -y jq\nWORKDIR /app",
        ":7: RUN apt-get: it ins",
    ),
    (DOCKERFILE, "WORKDIR /app", "RUN true && \\\n  pip install x\nWORKDIR /app", ":7: RUN pip: it installs software"),
    (DOCKERFILE, "WORKDIR /app", "RUN curl -O http://h/x\nWORKDIR /app", "RUN curl: worlds have no network"),
    (
        DOCKERFILE,
        "WORKDIR /app",
        "RUN useradd ann\nWORKDIR /app",
        "RUN useradd: worlds have the users root and operator",
    ),
    (DOCKERFILE, "WORKDIR /app", "RUN --mount=type=cache true\nWORKDIR /app", "RUN: --mount has no counterpart"),
    (DOCKERFILE, "WORKDIR /app", "USER ann\nWORKDIR /app", ":7: USER ann: worlds have the users root and operator"),
    (DOCKERFILE, "WORKDIR /app", "ENV API_KEY=abc\nWORKDIR /app", "ENV: API_KEY looks like a secret"),
    (DOCKERFILE, "WORKDIR /app", "ENV PATH=/x\nWORKDIR /app", "ENV: PATH is the session's own"),
    (DOCKERFILE, "WORKDIR /app", "VOLUME /x\nWORKDIR /app", "VOLUME /x: it has no counterpart"),
    (DOCKERFILE, "WORKDIR /app", "WORKDIR /usr/share/x", 'WORKDIR: "/usr/share/x" is not below one of'),
    (DOCKERFILE, "COPY data/", "COPY --from=other data/", "COPY: --from has no counterpart"),
    (DOCKERFILE, "COPY data/", "COPY lost/", "COPY: lost/ is not in the build context"),
    (DOCKERFILE, "COPY data/", "COPY ../x", "COPY: ../x leaves the build context"),
    (DOCKERFILE, "COPY data/ ./data/", "ADD http://h/x .", "ADD: http://h/x comes from the network"),
    (DOCKERFILE, "COPY data/ ./data/", "COPY data/ /lib/data/", '"/lib/data/readings.csv" is not below one of'),
    (DOCKERFILE, "./data/", "$PLACE/", "COPY: the variable PLACE is not known here"),
    (DOCKERFILE, "\nNOTES\n", "\n", "the here-document NOTES has no end"),
    (CONFIG, '"1.4"', '"2.0"', "task.toml:1: schema_version: this is version 2.0"),
    (CONFIG, "cpus = 1", "gpus = 1", "task.toml:20: environment.gpus: worlds have no GPUs"),
    (CONFIG, "cpus = 1", 'mcp_servers = [{ name = "x" }]', "environment.mcp_servers: worlds have no MCP servers"),
    (CONFIG, "cpus = 1", 'allowed_hosts = ["h"]', "environment.allowed_hosts: network allow-lists"),
    (CONFIG, '"no-network"', '"allowlist"', "task.toml:23: environment.network_mode: network allow-lists"),
    (CONFIG, "cpus = 1", 'os = "windows"', "environment.os: worlds are Debian"),
    (CONFIG, "cpus = 1", 'env = { HOST = "${HOST}" }', "environment.env.HOST: its value comes from the host"),
    (CONFIG, "cpus = 1", 'env = { A_TOKEN = "x" }', "environment.env.A_TOKEN: it looks like a secret"),
    (CONFIG, "cpus = 1", 'healthcheck = { command = "true" }', "environment.healthcheck: worlds run no services"),
    (CONFIG, "[verifier]", '[verifier]\nuser = "ann"', "verifier.user: worlds have the users root and operator"),
    (CONFIG, "[verifier]", '[verifier]\nenvironment_mode = "separate"', "verifier.environment_mode: a verifier with"),
    (CONFIG, "[verifier]", '[[steps]]\nname = "one"\n\n[verifier]', "steps: a task of several steps"),
    (CONFIG, "timeout_sec = 300.0", 'timeout_sec = "long"', "task.toml:13: agent.timeout_sec: Input should be a valid"),
    (CONFIG, "[agent]", "[agent", "task.toml: it cannot be read"),
    (SOLVE, "cp report.txt", "python3 solve.py report.txt", "solution/solve.sh:6: python3: worlds do not have this"),
    (SOLVE, "cp report.txt", "cp /solution/report.txt", "solve.sh:6: a solution is typed, so it has no other files"),
    (SOLVE, "#!/bin/bash", "#!/usr/bin/env perl", "solve.sh:1: worlds have no such interpreter"),
    (TEST, "reward=0", "uvx pytest || reward=0", "tests/test.sh:3: uvx: it installs software"),
    (TEST, "#!/bin/bash", "#!/usr/bin/python3", "tests/test.sh:1: worlds have no such interpreter"),
    ("instruction.md", "/app/report.txt", "/report.txt", "/report.txt lies directly below /"),
]


@pytest.mark.parametrize(("file", "old", "new", "said"), REFUSED, ids=[row[3][:60] for row in REFUSED])
def test_what_has_no_counterpart_is_refused_by_name(task: Path, file: str, old: str, new: str, said: str) -> None:
    change(task / file, old, new)
    with pytest.raises(RefusedError) as refused:
        read_harbor(task)
    assert said in refused.value.message
    assert len(refused.value.message.split("\n")) == 1
    assert refused.value.exit_code == 30


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("environment/docker-compose.yaml", "compose services have no counterpart"),
        ("trajectory.json", "a conversation that went before has no counterpart"),
        ("tests/Dockerfile", "a verifier with an environment of its own has no counterpart"),
    ],
)
def test_a_file_that_has_no_counterpart_is_refused_by_name(task: Path, name: str, said: str) -> None:
    (task / name).write_text("FROM debian:bookworm\n")
    with pytest.raises(RefusedError, match=said):
        read_harbor(task)


@pytest.mark.parametrize("name", ["instruction.md", DOCKERFILE, SOLVE, TEST])
def test_a_part_that_is_missing_is_named(task: Path, name: str) -> None:
    (task / name).unlink()
    with pytest.raises(RefusedError, match=name):
        read_harbor(task)


def test_everything_without_a_counterpart_is_told_at_once_and_nothing_is_written(task: Path, tmp_path: Path) -> None:
    change(task / CONFIG, "cpus = 1", "gpus = 1")
    change(task / DOCKERFILE, "WORKDIR /app", "RUN apt-get update\nRUN git clone x\nWORKDIR /app")
    done = evalh("scenario", "import", "--harbor", str(task), "--out", "suite", cwd=tmp_path)
    assert done.returncode == 30
    assert [word in done.stderr for word in ("gpus", "apt-get", "git")] == [True] * 3
    assert not (tmp_path / "suite").exists()


def test_another_base_is_accepted_where_that_is_said(task: Path) -> None:
    change(task / DOCKERFILE, "debian:bookworm-slim", "python:3.12-slim")
    assert any("python:3.12-slim was taken for" in note for note in read_harbor(task, accept_base=True).notes)


@pytest.mark.parametrize("base", ["ubuntu:24.04", "debian", "docker.io/library/debian:12", "debian:trixie@sha256:0a"])
def test_debian_and_ubuntu_need_no_saying(task: Path, base: str) -> None:
    change(task / DOCKERFILE, "debian:bookworm-slim", base)
    read_harbor(task)


def test_programs_are_looked_for_in_command_position_only() -> None:
    text = (
        "echo 'pip install' # curl\nx=apt; cat <<E\nwget\nE\n[ -e python3 ] && (env -i A=1 python3.11 -c 'make\ngit')"
    )
    assert [(line, name) for line, name, _ in absent_programs(text)] == [(5, "python3")]
    assert not list(absent_programs("jq . x", present={"jq"}))


def test_only_whole_paths_are_moved() -> None:
    moves = Moves.of(["/app/x", "/etc/x", "/usr/x", "/data", "/tests/x"])
    assert moves.names == ("app", "data")
    text = "/app '/app/x' (/app). /application ~/app $D/app ${D}/app http://h/app /srv/app x:/data"
    moved = "/srv/app '/srv/app/x' (/srv/app). /application ~/app $D/app ${D}/app http://h/app /srv/app x:/srv/data"
    assert moves.rewrite(text) == moved
