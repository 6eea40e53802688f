"""The script check runs the bundle's words and not the world's; all that a model can provoke is a FAIL."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from harness.values import Outcome
from tests.checkers.checking import judge, passes
from tests.checkers.real_world import RealJudgedWorld


@pytest.fixture
def judged(tmp_path: Path) -> RealJudgedWorld:
    return RealJudgedWorld(tmp_path)


@pytest.mark.parametrize(
    ("script", "outcome", "said"),
    [
        ("true", Outcome.PASS, "the script exited with 0"),
        ("test -e gone", Outcome.FAIL, "the script exited with 1"),
        ("grep x gone", Outcome.FAIL, 'the script exited with 2, saying "grep: gone: No such file or directory"'),
        ("if", Outcome.FAIL, "the script exited with 2, saying"),
        ("gone", Outcome.FAIL, "the script exited with 127, saying"),
        ("exit 126", Outcome.FAIL, "the script exited with 126"),
        ("kill -9 $$", Outcome.FAIL, "the script exited with "),
        ("echo one; echo two; exit 1", Outcome.FAIL, 'the script exited with 1, saying "two"'),
        ("printf '\\033[2J\\377' >&2; exit 1", Outcome.FAIL, 'saying "\\x1b[2J\\ufffd"'),
        ("cat; exit 0", Outcome.PASS, "the script exited with 0"),
    ],
)
def test_only_exit_0_passes(judged: RealJudgedWorld, script: str, outcome: Outcome, said: str) -> None:
    found, reason = judge(judged, kind="script", script=script)
    assert found is outcome
    assert said in reason
    assert reason.isprintable()


def test_a_script_that_hangs_on_what_the_model_left_fails(judged: RealJudgedWorld, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "note.txt")
    outcome, reason = judge(judged, kind="script", script="cat note.txt", timeout=0.5)
    assert (outcome, reason) == (Outcome.FAIL, "the script did not finish in 0.5 s")


def test_the_words_of_a_script_are_the_systems_own(
    judged: RealJudgedWorld, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "test").write_text("#!/bin/sh\nexit 0\n")
    (tmp_path / "test").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("ENV", str(tmp_path / "test"))
    assert passes(judged, kind="script", script='case "$PATH" in /usr/sbin:/usr/bin:/sbin:/bin) ;; *) exit 1 ;; esac')
    assert passes(judged, kind="script", script='test -z "$ENV"')
