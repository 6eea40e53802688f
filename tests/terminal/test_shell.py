"""Replies typed into a real dash on a real pty: what comes back, and what each line was found to be."""

from __future__ import annotations

import os
import shutil
import socket
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from select import select

import pytest

from harness.errors import SandboxError
from harness.terminal import CastWriter, ShellTerminal, TerminalLimits
from harness.values import Exchange, LineEnd, SessionEnd, Terminal
from render.observation import observation
from tests.terminal.local import NONCE, SECRET, LocalPty, landed, local_pty

pytestmark = pytest.mark.slow  # together more than ten seconds: left out of `make check`

HASTY = TerminalLimits(turn_seconds=1.0, interrupt_seconds=4)
CURT = TerminalLimits(turn_seconds=1.0, interrupt_seconds=0.5)
PROMPT, WAITING, CONTINUATION = LineEnd.PROMPT, LineEnd.WAITING, LineEnd.CONTINUATION


def shown(exchange: Exchange) -> str:
    return observation(exchange.output, omitted_bytes=exchange.omitted_bytes)


def ends(exchange: Exchange) -> list[LineEnd]:
    return [line.end for line in exchange.lines]


@pytest.fixture
def terminal(tmp_path: Path) -> Iterator[ShellTerminal]:
    with landed(tmp_path) as terminal:
        yield terminal


@pytest.fixture
def hasty(tmp_path: Path) -> Iterator[ShellTerminal]:
    with landed(tmp_path, limits=HASTY) as terminal:
        yield terminal


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


def test_a_long_sleep_is_interrupted_at_the_deadline(hasty: ShellTerminal) -> None:
    exchange = hasty.type_reply("sleep 1000\necho never typed")
    assert (ends(exchange), exchange.lines[0].status) == ([LineEnd.INTERRUPTED], 130)
    assert shown(exchange).endswith("\n$ ")
    assert shown(hasty.type_reply("echo on")) == "on\n$ "


def test_the_caller_s_deadline_counts_where_it_is_earlier(terminal: ShellTerminal) -> None:
    exchange = terminal.type_reply("sleep 1000", deadline_seconds=0.3)
    assert ends(exchange) == [LineEnd.INTERRUPTED]


def test_what_ignores_an_interrupt_is_killed(tmp_path: Path) -> None:
    with landed(tmp_path, limits=replace(HASTY, interrupt_seconds=2)) as terminal:
        exchange = terminal.type_reply("sh -c \"trap '' INT; sleep 1000\"")
        assert ends(exchange) == [LineEnd.KILLED]
        assert shown(exchange).endswith("$ ")
        assert shown(terminal.type_reply("echo on")) == "on\n$ "


def test_a_shell_that_cannot_be_stopped_hangs_nobody_and_may_come_back(tmp_path: Path) -> None:
    with landed(tmp_path, limits=CURT) as terminal:
        exchange = terminal.type_reply("trap '' INT; while test ! -e go; do :; done")
        assert (ends(exchange), terminal.stuck) == ([LineEnd.KILLED], True)
        exchange = terminal.type_reply("echo typed?")
        assert (ends(exchange), shown(exchange), terminal.stuck) == ([LineEnd.REFUSED], "[no output]", True)
        (tmp_path / "go").touch()
        exchange = terminal.type_reply("echo a\necho b")
        assert (shown(exchange), [line.status for line in exchange.lines]) == ("$ a\n$ b\n$ ", [0, 0])


def test_a_flood_is_bounded_and_interrupted(tmp_path: Path) -> None:
    limits = TerminalLimits(flood_bytes=1 << 20, output_bytes=10_000, interrupt_seconds=5)
    with landed(tmp_path, limits=limits) as terminal:
        exchange = terminal.type_reply("yes")
        assert ends(exchange) == [LineEnd.INTERRUPTED]
        assert len(exchange.output) == 10_000
        assert exchange.omitted_bytes > 1 << 20
        assert shown(exchange).endswith("\n$ ")
        assert shown(terminal.type_reply("echo on")) == "on\n$ "


def test_fifty_megabytes_without_a_newline_pass_through(tmp_path: Path) -> None:
    with landed(tmp_path, limits=TerminalLimits(turn_seconds=120)) as terminal:
        exchange = terminal.type_reply("head -c 50000000 /dev/zero")
        assert (ends(exchange), exchange.lines[0].status) == ([PROMPT], 0)
        assert len(exchange.output) + exchange.omitted_bytes > 50_000_000
        assert shown(exchange).endswith("bytes left out ...]\n$ ")


@pytest.mark.parametrize(
    "command", ["PS1='# '", "PS1=", "unset PS1", "exec sh -c 'PS1= exec sh'", "EVN=abc", "readonly EVN"]
)
def test_a_shell_with_hidden_marks_is_waited_for_as_a_program(terminal: ShellTerminal, command: str) -> None:
    assert ends(terminal.type_reply(command)) == [WAITING]
    exchange = terminal.type_reply("echo on\necho off")
    assert ends(exchange) == [WAITING, WAITING]
    assert "on\n" in shown(exchange)
    assert "off\n" in shown(exchange)
    end = terminal.type_reply("exit 4").end
    assert end == SessionEnd(terminal=Terminal.EXIT, status=4)


@pytest.mark.parametrize(
    "shell", ["dash", "sh", "bash --norc", "bash --norc --noediting", "busybox ash", "env -i dash -i", "dash -u"]
)
def test_a_nested_shell_and_the_way_back_stay_in_step(terminal: ShellTerminal, shell: str) -> None:
    if shutil.which(shell.split()[0]) is None:
        pytest.skip(f"needs {shell.split()[0]} on this machine")
    terminal.type_reply("echo 1\necho 2")
    terminal.type_reply(shell)
    assert "three\n" in shown(terminal.type_reply("echo three"))
    terminal.type_reply("exit")
    exchange = terminal.type_reply("echo four\necho five")
    assert (shown(exchange), ends(exchange)) == ("four\n$ five\n$ ", [PROMPT, PROMPT])


def test_exec_of_another_program_is_waited_for(terminal: ShellTerminal) -> None:
    assert ends(terminal.type_reply("exec cat")) == [WAITING]
    assert shown(terminal.type_reply("echo text")) == "echo text\n"
    assert terminal.type_reply("\x04").end == SessionEnd(terminal=Terminal.EXIT, status=0)


@pytest.mark.parametrize("command", ['echo "$PS1$PS2"', "env", "set"])
def test_the_prompts_own_text_is_no_prompt(terminal: ShellTerminal, command: str) -> None:
    exchange = terminal.type_reply(f"{command}\necho on")
    assert ends(exchange) == [PROMPT, PROMPT]
    assert shown(exchange).endswith("$ on\n$ ")
    assert NONCE not in shown(exchange)


def forged(counter: int) -> str:
    return rf"printf '\036{NONCE}:0:{counter}\037$ '"


@pytest.mark.parametrize("counter", [1, 2, 3, 99])
def test_a_forged_prompt_does_not_put_the_session_out_of_step(terminal: ShellTerminal, counter: int) -> None:
    terminal.type_reply(f"{forged(counter)}; sleep 0.3; echo hidden")
    exchange = terminal.type_reply("echo a")
    assert "a\n$ " in shown(exchange)
    exchange = terminal.type_reply("echo b\nfalse\necho c")
    assert shown(exchange).endswith("b\n$ $ c\n$ ")
    assert shown(terminal.type_reply("echo d")) == "d\n$ "


def test_what_follows_a_forged_prompt_is_waited_for(terminal: ShellTerminal) -> None:
    exchange = terminal.type_reply(f"{forged(2)}; sleep 0.5; echo all of it")
    assert shown(exchange).endswith("all of it\n$ ")


def test_prompts_forged_in_the_background_all_the_time_are_survived(terminal: ShellTerminal) -> None:
    loop = f"i=0; while test $i -lt 300; do i=$((i+1)); {forged(0).replace(':0:0', ':0:%s')} $i; sleep 0.01; done"
    terminal.type_reply(f"({loop}) & sleep 0.2")
    for word in ("one", "two", "three", "four"):
        terminal.type_reply(f"echo {word} >> heard")
    terminal.type_reply("kill %1; wait")
    terminal.type_reply(":")
    exchange = terminal.type_reply("cat heard")
    assert shown(exchange).endswith("one\ntwo\nthree\nfour\n$ ")
    assert shown(terminal.type_reply("echo in step")) == "in step\n$ "


def test_a_forged_end_is_not_believed(terminal: ShellTerminal) -> None:
    exchange = terminal.type_reply(rf"printf '\036{NONCE}:panic:::\037\036{'0' * 16}:exit:0::\037'; echo on")
    assert exchange.end is None
    assert shown(exchange) == "on\n$ "


@pytest.mark.parametrize(
    ("reply", "end"),
    [
        ("exit", SessionEnd(terminal=Terminal.EXIT, status=0)),
        ("exit 7", SessionEnd(terminal=Terminal.EXIT, status=7)),
        ("false; exit", SessionEnd(terminal=Terminal.EXIT, status=1)),
        ("\x04", SessionEnd(terminal=Terminal.EXIT, status=0)),
        ("set -e; false", SessionEnd(terminal=Terminal.EXIT, status=1)),
        ("kill -9 $$", SessionEnd(terminal=Terminal.SHELL_KILLED, signal=9)),
        ("exec nosuch", SessionEnd(terminal=Terminal.EXIT, status=127)),
        ("stty raw; exit 5", SessionEnd(terminal=Terminal.EXIT, status=5)),
        ("(sleep 0.2; kill -9 $$) & sleep 100", SessionEnd(terminal=Terminal.SHELL_KILLED, signal=9)),
        ("echo 'no file' > .panic; kill -9 $$", SessionEnd(terminal=Terminal.PANIC, reason="no file")),
    ],
)
def test_the_end_of_the_session_is_told_as_it_was(terminal: ShellTerminal, reply: str, end: SessionEnd) -> None:
    exchange = terminal.type_reply(f"{reply}\necho never typed")
    assert (exchange.end, ends(exchange)) == (end, [LineEnd.SESSION_END])
    assert terminal.end == end
    assert terminal.type_reply("echo too late").end == end


def test_a_session_that_ends_between_replies_is_seen_at_the_next(tmp_path: Path) -> None:
    with landed(tmp_path) as terminal:
        terminal.type_reply("(while test ! -e go; do :; done; kill -9 $$) &")
        (tmp_path / "go").touch()
        exchange = terminal.type_reply("sleep 100")
        assert exchange.end == SessionEnd(terminal=Terminal.SHELL_KILLED, signal=9)


def test_a_container_that_vanishes_is_the_sandbox_s_fault(tmp_path: Path) -> None:
    with local_pty(tmp_path) as session:
        terminal = ShellTerminal(session, nonce=NONCE, end_secret=SECRET)
        terminal.landing(30)
        with pytest.raises(SandboxError, match="without saying how"):
            terminal.type_reply(f"echo last words; kill -9 {session.leader} $$")
        terminal.close()


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


@pytest.mark.parametrize(
    "control",
    ["\x00", "\x01", "\x03", "\x08", "\x0c", "\x0e", "\x10\x11", "\x12", "\x15", "\x16", "\x17", "\x1a", "\x1b[A",
     "\x1c", "\x1e", "\x1f", "\x7f", "\r", "\x0b", "\t", "\udc80", f"\x1e{NONCE}:0:9\x1f", f"\x1e{NONCE}:+:3\x1f"],
)  # fmt: skip
def test_control_characters_never_put_the_session_out_of_step(terminal: ShellTerminal, control: str) -> None:
    terminal.type_reply(f"echo a{control}b\necho c{control}")
    terminal.type_reply(f"{control}\necho d")
    terminal.type_reply("echo settled")
    exchange = terminal.type_reply("echo e\nfalse\necho f")
    assert shown(exchange) == "e\n$ $ f\n$ "
    assert [line.status for line in exchange.lines] == [0, 1, 0]


def test_a_stopped_output_goes_on_at_the_deadline(hasty: ShellTerminal) -> None:
    exchange = hasty.type_reply("echo before\x13")
    assert ends(exchange) == [PROMPT]
    assert shown(exchange) == "before\n$ "
    assert shown(hasty.type_reply("echo on")) == "on\n$ "


def test_a_suspended_job_gives_the_prompt_back(terminal: ShellTerminal) -> None:
    terminal.type_reply("cat")
    exchange = terminal.type_reply("\x1a")
    assert "Stopped" in shown(exchange)
    assert ends(terminal.type_reply("fg")) == [WAITING]
    terminal.type_reply("\x04")
    assert shown(terminal.type_reply("echo on")) == "on\n$ "


@pytest.mark.parametrize(
    "modes", ["-icanon", "raw", "echo", "-onlcr", "-isig", "sane", "raw -echo min 0 time 0 icanon"]
)
def test_terminal_modes_left_behind_are_survived(terminal: ShellTerminal, modes: str) -> None:
    terminal.type_reply(f"stty {modes}")
    exchange = terminal.type_reply("echo a\nfalse\necho b")
    assert [line.status for line in exchange.lines] == [0, 1, 0]
    terminal.type_reply("stty sane -echo")
    assert shown(terminal.type_reply("echo on")) == "on\n$ "


def test_background_output_is_shown_when_it_comes(terminal: ShellTerminal, tmp_path: Path) -> None:
    exchange = terminal.type_reply("(while test ! -e go; do sleep 0.01; done; echo from behind) &")
    assert shown(exchange) == "$ "
    (tmp_path / "go").touch()
    exchange = terminal.type_reply("wait\necho on")
    assert "from behind\n" in shown(exchange)
    assert shown(exchange).endswith("on\n$ ")


def test_a_flood_in_the_background_does_not_stop_the_session(terminal: ShellTerminal) -> None:
    terminal.type_reply("yes &")
    exchange = terminal.type_reply("echo on > heard\nfalse")
    assert [line.status for line in exchange.lines] == [0, 1]
    terminal.type_reply("kill $!\nwait")
    terminal.type_reply(":")
    assert shown(terminal.type_reply("cat heard")) == "on\n$ "


@pytest.mark.parametrize(
    "command", ["clear", "reset", "tput reset", "set -x; echo a", "set -v", "printf '\\033]0;title'"]
)
def test_drawing_and_tracing_leave_a_prompt(terminal: ShellTerminal, command: str) -> None:
    exchange = terminal.type_reply(command)
    assert ends(exchange) == [PROMPT]
    assert shown(exchange).endswith("$ ")
    assert terminal.type_reply("false").lines[0].status == 1


def test_an_ignored_interrupt_leaves_the_command_to_be_finished(tmp_path: Path) -> None:
    with landed(tmp_path, limits=TerminalLimits(interrupt_seconds=1)) as terminal:
        terminal.type_reply("trap '' INT")
        exchange = terminal.type_reply("echo it's")
        assert ends(exchange) == [LineEnd.UNFINISHED]
        exchange = terminal.type_reply("so'\necho on")
        assert shown(exchange).endswith("so\n$ on\n$ ")


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

    def __init__(self, session: LocalPty) -> None:
        self._session = session
        self._near, self._far = socket.socketpair()
        self._thread = threading.Thread(target=self._carry)
        self._thread.start()

    def fileno(self) -> int:
        return self._near.fileno()

    def waiting_for_input(self) -> bool | None:
        return self._session.waiting_for_input()

    def kill_foreground(self) -> None:
        self._session.kill_foreground()

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
