"""`evalh sandbox`, as a person or a script calls it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest
from click.testing import CliRunner

from harness.cli.sandbox import sandbox
from harness.errors import InfrastructureError
from harness.sandbox.doctor import Health, doctor
from harness.sandbox.protocol import Sandbox, SandboxSpec
from harness.sandbox.select import kind
from harness.world import Entry, ExecResult, World

ENGINES = [pytest.param("docker", marks=pytest.mark.docker), pytest.param("crun", marks=pytest.mark.crun)]


def evalh(*arguments: str, env: Mapping[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "evalh", "sandbox", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, env={**os.environ, **(env or {})})


@pytest.mark.parametrize("name", ENGINES)
def test_the_doctor_says_what_it_looked_at(name: str) -> None:
    reason = kind(name).probe()
    if reason is not None:
        pytest.skip(f"{name}: {reason}")
    done = evalh("doctor", "--engine", name, "--json")
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    assert said["engine"] == name
    assert {finding["health"] for finding in said["findings"]} <= {"ok", "warn"}
    assert {"root of its own", "no capabilities", "no network", "memory limit", "time to live"} <= {
        finding["name"] for finding in said["findings"]
    }


def test_without_an_engine_there_is_one_clear_message_and_exit_code_40(tmp_path: Path) -> None:
    done = evalh("doctor", env={"DOCKER_HOST": f"unix://{tmp_path}/none.sock", "EVALH_HOME": str(tmp_path)})
    assert done.returncode == InfrastructureError.exit_code
    assert "Traceback" not in done.stderr
    assert "none.sock" in done.stderr


def test_reaping_says_what_it_could_not_ask(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/none.sock")
    done = CliRunner().invoke(sandbox, ["reap", "--json"])
    assert done.exit_code == 0
    assert any("docker: " in reason for reason in json.loads(done.stdout)["unreachable"])


class HostEngine:
    """An engine as an engine inside a plain chroot is: what it `runs` runs on this machine."""

    name = "host"

    def image_digest(self) -> str:
        return "sha256:" + "0" * 64

    @contextmanager
    def open(self, spec: SandboxSpec) -> Iterator[Sandbox]:
        yield HostSandbox()

    def close(self) -> None:
        return


class HostSandbox:
    id = "host"
    engine = "host"

    def __init__(self) -> None:
        self.world: World = self

    def run(
        self,
        argv: tuple[str, ...],
        *,
        user: str = "root",
        stdin: bytes = b"",
        timeout: float = 30.0,
        max_output: int = 1 << 20,
        env: tuple[tuple[str, str], ...] = (),
    ) -> ExecResult:
        assert argv[0] in {"cat", "touch"}, "the doctor went on, on this machine"
        done = subprocess.run(argv, capture_output=True, check=False)
        return ExecResult(status=done.returncode, stdout=done.stdout, stderr=done.stderr)

    def read(self, path: str, *, max_bytes: int) -> bytes | None:
        return Path(path).read_bytes()[: max_bytes + 1]

    def stat(self, path: str, *, follow: bool = True) -> Entry | None:
        raise AssertionError

    def walk(self, path: str, *, max_entries: int) -> Iterator[Entry]:
        raise AssertionError

    def fileno(self) -> int:
        raise AssertionError

    def waiting_for_input(self) -> bool | None:
        raise AssertionError

    def kill_foreground(self) -> None:
        raise AssertionError

    def kill_operator(self) -> None:
        raise AssertionError

    def oom_kills(self) -> int | None:
        raise AssertionError

    def killed_by_memory(self) -> bool:
        raise AssertionError


def test_an_engine_that_runs_on_this_machine_is_found_out_and_nothing_more_is_tried() -> None:
    findings = doctor(HostEngine())
    assert [(finding.name, finding.health) for finding in findings] == [("root of its own", Health.FAIL)]
    assert not list(Path("/tmp").glob("evalh-doctor-*"))


def test_a_failed_examination_is_exit_code_40(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("harness.cli.sandbox.choose", lambda _: HostEngine())
    done = CliRunner().invoke(sandbox, ["doctor"])
    assert done.exit_code == 40
    assert "never use this engine" in done.stdout
    assert "1 of 1 failed" in done.stdout
