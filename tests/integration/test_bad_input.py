"""What a user gets wrong: one clear line, exit code 30 or 40, and nothing left behind."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.endpoint.scripted import scripted_server
from tests.integration.command import SUITE, against, evalh, script, started
from tests.integration.leftovers import leftovers, wait_for
from tests.tiny_model import make_tiny_adapter, make_tiny_llama

RELAY = Path(__file__).parents[1] / "programs" / "relay.py"


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with two bases of different widths, `base` and `other`, and an adapter of the first, `ckpt`."""
    folder = tmp_path_factory.mktemp("models")
    make_tiny_llama(folder / "base")
    make_tiny_llama(folder / "other", hidden_size=96)
    make_tiny_adapter(folder / "ckpt", folder / "base", seed=1, scale=1.0)
    return folder


def _refused(done: subprocess.CompletedProcess[str], folder: Path, code: int, *words: str) -> None:
    assert done.returncode == code, done.stderr
    lines = done.stderr.strip().splitlines()
    assert lines[0].startswith("evalh: ")
    assert "Traceback" not in done.stderr
    for word in words:
        assert word in done.stderr, done.stderr
    assert not (folder / "run").exists()
    assert not (folder / "runs").exists()


def test_a_missing_adapter(tmp_path: Path) -> None:
    done = evalh("run", "--adapter", "nowhere", "--out", "run", cwd=tmp_path)
    _refused(done, tmp_path, 30, "--adapter nowhere: no such directory")
    assert len(done.stderr.splitlines()) == 1


def test_a_directory_that_is_no_adapter(tmp_path: Path) -> None:
    (tmp_path / "ckpt").mkdir()
    _refused(evalh("run", "--adapter", "ckpt", cwd=tmp_path), tmp_path, 30, "adapter_config.json")


def test_an_adapter_whose_base_is_not_here(tmp_path: Path, models: Path) -> None:
    shutil.copytree(models / "ckpt", tmp_path / "ckpt")
    config = tmp_path / "ckpt" / "adapter_config.json"
    content = json.loads(config.read_text())
    config.write_text(json.dumps(content | {"base_model_name_or_path": "someone/some-model-7b"}))
    done = evalh("run", "--adapter", "ckpt", cwd=tmp_path)
    _refused(done, tmp_path, 30, "base_model_name_or_path", "someone/some-model-7b", "--base")


def test_an_adapter_of_another_base(tmp_path: Path, models: Path) -> None:
    arguments = ("run", "--adapter", str(models / "ckpt"), "--base", str(models / "other"), "--scenarios", str(SUITE))
    _refused(evalh(*arguments, cwd=tmp_path), tmp_path, 30, "ckpt", "another base", "other")


def test_a_broken_bundle_is_named_by_file_line_and_key(tmp_path: Path) -> None:
    suite = tmp_path / "suite" / "errand"
    suite.mkdir(parents=True)
    text = (SUITE / "errand" / "errand-note.toml").read_text()
    (suite / "errand-note.toml").write_text(text.replace('kind = "file_equals"', 'kind = "file_equal"'))
    line = text.splitlines().index('kind = "file_equals"') + 1
    done = evalh(*against("http://127.0.0.1:9/v1", "auto", suite=tmp_path / "suite"), cwd=tmp_path)
    _refused(done, tmp_path, 30, f"errand-note.toml:{line}", "checks[0].kind", "file_equals")


def test_toml_that_is_none(tmp_path: Path) -> None:
    suite = tmp_path / "suite" / "errand"
    suite.mkdir(parents=True)
    (suite / "errand-note.toml").write_text('schema_version = 1\nid = "errand-note\n')
    done = evalh(*against("http://127.0.0.1:9/v1", "auto", suite=tmp_path / "suite"), cwd=tmp_path)
    _refused(done, tmp_path, 30, "errand-note.toml:2")


def test_more_scenarios_than_there_are(tmp_path: Path) -> None:
    done = evalh(*against("http://127.0.0.1:9/v1", "auto", "--n", "3"), cwd=tmp_path)
    _refused(done, tmp_path, 30, "there are 2")


def test_a_policy_that_does_not_exist(tmp_path: Path) -> None:
    done = evalh(*against("http://127.0.0.1:9/v1", "auto", "--gate", "lenient"), cwd=tmp_path)
    _refused(done, tmp_path, 30, "lenient")


def test_a_dead_endpoint(tmp_path: Path, engine_name: str) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{taken.getsockname()[1]}/v1"
        done = evalh(*against(url, engine_name), cwd=tmp_path)
    _refused(done, tmp_path, 40, url)


def test_a_model_that_the_server_does_not_have(tmp_path: Path, engine_name: str) -> None:
    with scripted_server({"models": {"plain": {"replies": ["exit"]}}}) as url:
        done = evalh(*against(url, engine_name), cwd=tmp_path)
    _refused(done, tmp_path, 30, "trained", "plain")


def test_an_engine_that_is_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", "unix:///nowhere/docker.sock")
    done = evalh(*against("http://127.0.0.1:9/v1", "docker"), cwd=tmp_path)
    _refused(done, tmp_path, 40, "docker")


@pytest.fixture
def mortal_docker(docker_engine: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[subprocess.Popen[bytes]]:
    """The Docker engine behind a relay; killing that is the engine's death to whoever speaks to it."""
    with tempfile.TemporaryDirectory(dir="/tmp") as short:  # a socket's path has 107 bytes at most
        near = Path(short) / "docker.sock"
        with subprocess.Popen([sys.executable, str(RELAY), str(near), "/var/run/docker.sock"]) as relay:
            wait_for(near.exists, seconds=30, what="relay")
            monkeypatch.setenv("DOCKER_HOST", f"unix://{near}")
            yield relay
            relay.kill()


@pytest.mark.docker
def test_a_docker_that_dies_in_mid_run_is_named_by_what_it_did_to_the_trials(
    mortal_docker: subprocess.Popen[bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with scripted_server(script([{"text": "true", "delay": 3.0}], ["true"])) as url:
        child = started(*against(url, "docker", "--concurrency", "1"), cwd=tmp_path)
        audit = tmp_path / "run" / "logs" / "audit.jsonl"
        wait_for(
            lambda: audit.exists() and "trial_started" in audit.read_text(), seconds=120, what="trial", child=child
        )
        mortal_docker.kill()
        output, _ = child.communicate(timeout=120)
    monkeypatch.delenv("DOCKER_HOST")
    left = [line.split()[1] for line in leftovers(child.pid) if line.startswith("container ")]
    if left:  # nobody could remove it
        subprocess.run(["docker", "rm", "-f", *left], check=True, capture_output=True)
    assert child.returncode == 40, output
    assert "note: listing containers failed" in output
    last = output.splitlines()[-1]
    assert last.startswith("evalh: 4 trials in a row were INVALID, the last one by sandbox")
    assert "evalh resume run" in output


def test_a_run_directory_of_another_run(tmp_path: Path, engine_name: str) -> None:
    with scripted_server(script(["exit"])) as url:
        assert evalh(*against(url, engine_name), cwd=tmp_path).returncode == 0
        before = (tmp_path / "run" / "trials.jsonl").read_bytes()
        done = evalh(*against(url, engine_name), cwd=tmp_path)
    assert done.returncode == 30
    assert "is not empty" in done.stderr
    assert (tmp_path / "run" / "trials.jsonl").read_bytes() == before
