"""`evalh scenario try`, by hands that a pty lends: the model's own session, and the author's terminal whole again."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pexpect

import scenarios
from tests.certify.bundles import drafted, written

PROMPT, MORE = "\n$ ", "> "


@contextmanager
def author(bundle: Path, engine: str, *more: str) -> Iterator[pexpect.spawn[str]]:
    arguments = ["-m", "evalh", "scenario", "try", str(bundle), "--engine", engine, *more]
    child = pexpect.spawn(sys.executable, arguments, encoding="utf-8", timeout=60, dimensions=(24, 80))
    try:
        child.expect_exact(PROMPT)
        yield child
    finally:
        child.close(force=True)


def finished(child: pexpect.spawn[str]) -> str:
    child.expect(pexpect.EOF)
    child.close()
    return str(child.before)


def test_what_is_typed_is_offered_judged_and_saved(engine_name: str, tmp_path: Path) -> None:
    bundle = written(tmp_path, drafted())
    with author(bundle, engine_name, "--save") as child:
        child.send("catt\x7f /srv/desk/orders.txt\r")
        child.expect_exact("numbers of the open tickets")
        child.expect_exact(PROMPT)
        child.send("cat > /srv/desk/open.txt <<END\r")
        child.expect_exact(MORE)
        child.send("T-102\rT-105\rEND\r")
        child.expect_exact("$ ")
        child.send("exit\r")
        said = finished(child)
    assert child.exitstatus == 0
    assert "the session ended: exit" in said
    assert "as a model's replies: PASS" in said
    assert scenarios.load_file(bundle)[0].scenario.reference.replies == (
        "cat /srv/desk/orders.txt",
        "cat > /srv/desk/open.txt <<END\nT-102\nT-105\nEND",
        "exit",
    )


def test_the_session_is_a_models_whatever_the_window_does(engine_name: str, tmp_path: Path) -> None:
    with author(written(tmp_path, drafted()), engine_name) as child:
        child.setwinsize(50, 132)
        child.send("stty size; stty -a | tr ' ' '\\n' | grep echo$; echo $TERM\r")
        child.expect_exact("50 200")
        child.expect_exact("-echo")
        child.expect_exact("dumb")
        child.expect_exact(PROMPT)
        child.send("exit\r")
        assert "as a model's replies: FAIL" in finished(child)


def test_lines_for_a_waiting_program_and_lines_typed_ahead_arrive_one_by_one(engine_name: str, tmp_path: Path) -> None:
    with author(written(tmp_path, drafted()), engine_name) as child:
        child.send('read first; read second; echo "<$first-$second>"\rone\rtwo\r')
        child.expect_exact("<one-two>")
        child.expect_exact(PROMPT)
        child.send("exit 3\r")
        said = finished(child)
    assert "'one',\r\n  'two',\r\n  'exit 3',\r\n]" in said


def test_an_interrupted_line_is_no_reply(engine_name: str, tmp_path: Path) -> None:
    with author(written(tmp_path, drafted()), engine_name) as child:
        child.send("echo begun; sleep 600\r")
        child.expect_exact("begun")
        child.send("\x03")
        child.expect_exact(PROMPT)
        child.send("exit\r")
        assert "sleep 600" not in finished(child).partition("[reference]")[2]


def test_leaving_gives_the_terminal_back_as_it_was(engine_name: str, tmp_path: Path) -> None:
    bundle = written(tmp_path, drafted())
    before = bundle.read_text()
    arguments = [
        "-c",
        f'stty -a > before; "$0" -m evalh scenario try {bundle} --engine {engine_name} --save; '
        'echo "status $?"; stty -a > after',
        sys.executable,
    ]
    child = pexpect.spawn("/bin/sh", arguments, encoding="utf-8", timeout=60, cwd=str(tmp_path), env={**os.environ})
    child.expect_exact(PROMPT)
    child.send("ls\r")
    child.expect_exact(PROMPT)
    child.send("\x1d")
    child.expect_exact("left before the session ended")
    child.expect_exact("status 30")
    finished(child)
    assert (tmp_path / "before").read_text() == (tmp_path / "after").read_text()
    assert bundle.read_text() == before
