"""A training repository's parity test: one import, two options, real pytest runs."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from harness.parity.conversations import hard_conversations
from tests.parity.faults import PLANTED
from tests.parity.served import Served
from tests.render.kinds import CHATML


@pytest.fixture
def repository(served: Served, tmp_path: Path) -> Path:
    """A training repository with a tokenizer and the one import."""
    served.tokenizer.save_pretrained(tmp_path / "words")
    (tmp_path / "test_serving.py").write_text("from evalh.testing import test_parity\n")
    return tmp_path


def run(repository: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "pytest", "-q", "-rs", "-p", "no:cacheprovider", *arguments]
    return subprocess.run(command, cwd=repository, capture_output=True, text=True, check=False, timeout=120)


@pytest.mark.slow
def test_each_conversation_and_the_stop_token_are_a_test(served: Served, repository: Path) -> None:
    options = ("--evalh-endpoint", served.url, "--evalh-tokenizer", "words", "--evalh-model", "base")
    done = run(repository, *options)
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{len(hard_conversations()) + 1} passed" in done.stdout
    with served.wearing(CHATML, PLANTED["folds with one newline"].fault):
        done = run(repository, *options, "-k", "leading or emoji")
    assert done.returncode == 1
    assert "test_parity[base-leading system]" in done.stdout
    assert "(fold_one_newline)" in done.stdout
    assert "2 failed, 2 passed" in done.stdout  # neither the emoji nor the leading blanks have a system text


def test_without_the_options_it_is_skipped_and_says_how_to_give_them(repository: Path) -> None:
    done = run(repository)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "1 skipped" in done.stdout
    assert "give --evalh-endpoint URL and --evalh-tokenizer DIR" in done.stdout


@pytest.mark.slow
def test_a_server_that_is_not_there_is_one_line(repository: Path) -> None:
    done = run(repository, "--evalh-endpoint", "http://127.0.0.1:9", "--evalh-tokenizer", "words")
    assert done.returncode != 0
    assert "cannot be reached" in done.stdout + done.stderr
    assert "Traceback" not in done.stdout + done.stderr


def test_the_plugin_costs_no_heavy_import() -> None:
    code = (
        "import sys, evalh.pytest_plugin; print([m for m in ('torch', 'openai', 'transformers') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.strip() == "[]"
