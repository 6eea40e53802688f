"""Replies typed into a real dash on a real pty: what comes back, and what each line was found to be."""

from __future__ import annotations

import os
import socket
import threading
import time
from pathlib import Path
from select import select

import pytest

from harness.errors import SandboxError
from harness.terminal import CastWriter, ShellTerminal
from harness.values import LineEnd, SessionEnd, Terminal
from render.observation import observation
from tests.terminal.local import NONCE, SECRET, LocalPty, landed, local_pty
from tests.terminal.typed import CONTINUATION, HASTY, PROMPT, WAITING, ends, shown

pytestmark = pytest.mark.slow  # together more than ten seconds: left out of `make check`


def test_the_landing_is_everything_up_to_the_first_prompt(tmp_path: Path) -> None:
    with local_pty(tmp_path, program=("sh", "-c", "echo Welcome; exec dash -i")) as session:
        terminal = ShellTerminal(session, nonce=NONCE, end_secret=SECRET)
        assert observation(terminal.landing(30)) == "Welcome\n$ "
        terminal.close()


def test_a_prompt_that_was_there_before_anyone_looked_is_the_landing(tmp_path: Path) -> None:
    with local_pty(tmp_path) as session:
        while not session.waiting_for_input():
            assert select([session], [], [], 30)[0]
        terminal = ShellTerminal(session, nonce=NONCE, end_secret=SECRET)
        assert observation(terminal.landing(30)) == "$ "
        assert shown(terminal.type_reply("echo on")) == "on\n$ "
        terminal.close()


def test_a_shell_without_a_prompt_is_the_sandbox_s_fault(tmp_path: Path) -> None:
    with local_pty(tmp_path, program=("sh", "-c", "echo no luck; exec sleep 100")) as session:
        terminal = ShellTerminal(session, nonce=NONCE, end_secret=SECRET)
        with pytest.raises(SandboxError, match="no luck"):
            terminal.landing(1)
        terminal.close()


def test_a_shell_that_ends_before_its_prompt_is_the_sandbox_s_fault(tmp_path: Path) -> None:
    with local_pty(tmp_path, program=("sh", "-c", "exit 3")) as session:
        terminal = ShellTerminal(session, nonce=NONCE, end_secret=SECRET)
        with pytest.raises(SandboxError, match="ended before its first prompt"):
            terminal.landing(30)
        terminal.close()


def test_one_command_gives_its_output_and_the_prompt(terminal: ShellTerminal) -> None:
    exchange = terminal.type_reply("echo hello\n\n  ")
    assert shown(exchange) == "hello\n$ "
    (line,) = exchange.lines
    assert (line.text, line.end, line.status, line.parsed, line.resolved) == ("echo hello", PROMPT, 0, True, True)
    assert exchange.end is None


def test_lines_are_typed_one_per_prompt(terminal: ShellTerminal) -> None:
    exchange = terminal.type_reply("  cd /\npwd\n\nfalse\necho é 漢")
    assert shown(exchange) == "$ /\n$ $ $ é 漢\n$ "
    assert [line.status for line in exchange.lines] == [0, 0, 0, 1, 0]


def test_prose_is_found_to_be_no_command(terminal: ShellTerminal) -> None:
    exchange = terminal.type_reply("Sure, here is the command\n# a comment\nThe end | wc -l\nls )")
    assert [line.resolved for line in exchange.lines] == [False, False, False, False]
    assert [line.parsed for line in exchange.lines] == [True, True, True, False]
    assert [line.status for line in exchange.lines] == [127, 127, 0, 2]


def test_prose_with_an_apostrophe_is_interrupted_and_shown(terminal: ShellTerminal) -> None:
    exchange = terminal.type_reply("Let's look around\nand then leave")
    assert shown(exchange) == "> > \n$ "
    assert ends(exchange) == [CONTINUATION, LineEnd.UNFINISHED]
    assert [(line.status, line.parsed, line.resolved) for line in exchange.lines] == [(130, False, None)] * 2
    assert shown(terminal.type_reply("echo on")) == "on\n$ "


def test_backticks_run(terminal: ShellTerminal, tmp_path: Path) -> None:
    exchange = terminal.type_reply("Use `touch made` now")
    assert exchange.lines[0].status == 127
    assert (tmp_path / "made").exists()


def test_a_fenced_block_is_never_clean(terminal: ShellTerminal) -> None:
    exchange = terminal.type_reply("```\nls\n```")
    assert all(line.resolved is False for line in exchange.lines)


def test_a_here_document_is_one_command_of_several_lines(terminal: ShellTerminal, tmp_path: Path) -> None:
    exchange = terminal.type_reply("cat > note <<'END'\nfirst `x`\n\n```\nEND\ncat note")
    assert (tmp_path / "note").read_text() == "first `x`\n\n```\n"
    assert ends(exchange) == [CONTINUATION] * 4 + [PROMPT, PROMPT]
    assert {(line.status, line.parsed, line.resolved) for line in exchange.lines} == {(0, True, True)}


def test_a_loop_over_lines_gets_its_final_status(terminal: ShellTerminal) -> None:
    exchange = terminal.type_reply("for i in 1 2\ndo\n  echo $i; false\ndone\necho after")
    assert shown(exchange) == "> > > 1\n2\n$ after\n$ "
    assert [line.status for line in exchange.lines] == [1, 1, 1, 1, 0]


def test_a_syntax_error_in_a_later_line_is_told_of_all(terminal: ShellTerminal) -> None:
    exchange = terminal.type_reply("if true\nfi")
    assert [(line.status, line.parsed) for line in exchange.lines] == [(2, False)] * 2


def test_a_program_that_waits_gets_the_next_reply(terminal: ShellTerminal) -> None:
    started = terminal.type_reply("cat > note")
    assert (shown(started), ends(started)) == ("[no output]", [WAITING])
    assert (started.lines[0].parsed, started.lines[0].resolved) == (True, True)
    text = terminal.type_reply("some text\nmore text")
    assert ends(text) == [WAITING, WAITING]
    assert {(line.status, line.parsed, line.resolved) for line in text.lines} == {(None, None, None)}
    assert ends(terminal.type_reply("\x04")) == [PROMPT]
    assert shown(terminal.type_reply("cat note")) == "some text\nmore text\n$ "


def test_the_lines_after_a_waiting_program_go_to_it(terminal: ShellTerminal) -> None:
    exchange = terminal.type_reply("read x\nhello world\necho $x")
    assert shown(exchange) == "$ hello world\n$ "
    assert ends(exchange) == [WAITING, PROMPT, PROMPT]
    assert [line.resolved for line in exchange.lines] == [True, None, True]


def test_a_line_too_long_for_the_terminal_is_refused_whole(terminal: ShellTerminal, tmp_path: Path) -> None:
    exchange = terminal.type_reply("touch before\ntouch stump " + "é" * 5000 + "\ntouch after")
    assert ends(exchange) == [PROMPT, LineEnd.REFUSED]
    assert shown(exchange) == "$ [line of 10012 bytes not typed: this terminal takes at most 4094]\n$ "
    assert sorted(path.name for path in tmp_path.iterdir()) == ["before"]


def test_the_longest_line_arrives_whole(terminal: ShellTerminal) -> None:
    exchange = terminal.type_reply("echo " + "x" * 4089)
    assert shown(exchange) == "x" * 4089 + "\n$ "


def test_a_refused_line_takes_its_unfinished_command_with_it(terminal: ShellTerminal, tmp_path: Path) -> None:
    exchange = terminal.type_reply("cat > stump <<END\n" + "y" * 5000 + "\nEND")
    assert ends(exchange) == [CONTINUATION, LineEnd.REFUSED]
    assert shown(exchange).endswith("\n$ ")
    assert not (tmp_path / "stump").exists()
    assert shown(terminal.type_reply("echo on")) == "on\n$ "


def test_a_session_is_recorded_as_a_person_would_see_it(tmp_path: Path) -> None:
    cast = tmp_path / "s.cast"
    with CastWriter(cast, columns=200, rows=50) as recorder, landed(tmp_path, recorder=recorder) as terminal:
        terminal.type_reply("echo hi")
        terminal.type_reply("exit")
    text = cast.read_text()
    assert '"m", "1: echo hi"' in text
    assert r"hi\r\n" in text
    assert NONCE not in text
    assert SECRET not in text


class SocketPty:
    """A pty behind a stream socket, as an engine's attached connection is."""

    def __init__(self, session: LocalPty, *, late: float = 0.0) -> None:
        """`late`: how many seconds what is typed is on its way."""
        self._session = session
        self._late = late
        self._near, self._far = socket.socketpair()
        self._thread = threading.Thread(target=self._carry)
        self._thread.start()

    def fileno(self) -> int:
        return self._near.fileno()

    def waiting_for_input(self) -> bool | None:
        return self._session.waiting_for_input()

    def kill_foreground(self) -> None:
        self._session.kill_foreground()

    def killed_by_memory(self) -> bool:
        return self._session.killed_by_memory()

    def close(self) -> None:
        self._near.close()
        self._thread.join()
        self._far.close()

    def _carry(self) -> None:
        master, far = self._session.fileno(), self._far.fileno()
        while True:
            readable, _, _ = select([master, far], [], [])
            if far in readable:
                typed = self._far.recv(4096)
                if not typed:
                    return
                time.sleep(self._late)
                os.write(master, typed)
            if master in readable:
                self._far.sendall(os.read(master, 65536))


def test_a_socket_serves_as_well_as_a_pty(tmp_path: Path) -> None:
    with local_pty(tmp_path) as session:
        pty = SocketPty(session)
        terminal = ShellTerminal(pty, nonce=NONCE, end_secret=SECRET, limits=HASTY)
        assert observation(terminal.landing(30)) == "$ "
        assert shown(terminal.type_reply("echo a\ncat <<E\nb\nE")) == "a\n$ > > b\n$ "
        assert ends(terminal.type_reply("sleep 100")) == [LineEnd.INTERRUPTED]
        assert ends(terminal.type_reply("cat")) == [WAITING]
        terminal.type_reply("\x04")
        assert terminal.type_reply("exit 3").end == SessionEnd(terminal=Terminal.EXIT, status=3)
        terminal.close()
        pty.close()


def test_a_shell_that_the_line_has_not_reached_yet_does_not_pass_for_a_waiting_program(tmp_path: Path) -> None:
    with local_pty(tmp_path) as session:
        pty = SocketPty(session, late=0.8)
        terminal = ShellTerminal(pty, nonce=NONCE, end_secret=SECRET)
        terminal.landing(30)
        assert shown(terminal.type_reply("echo a")) == "a\n$ "
        assert ends(terminal.type_reply("cat")) == [WAITING]
        terminal.close()
        pty.close()
