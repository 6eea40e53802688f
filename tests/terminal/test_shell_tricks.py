"""Prompts that are hidden, forged or drawn over never put the session out of step."""

from __future__ import annotations

import shutil

import pytest

from harness.terminal import ShellTerminal
from harness.values import SessionEnd, Terminal
from tests.terminal.local import NONCE
from tests.terminal.typed import PROMPT, WAITING, ends, shown

pytestmark = pytest.mark.slow  # together more than ten seconds: left out of `make check`


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


@pytest.mark.parametrize(
    "modes", ["-icanon", "raw", "echo", "-onlcr", "-isig", "sane", "raw -echo min 0 time 0 icanon"]
)
def test_terminal_modes_left_behind_are_survived(terminal: ShellTerminal, modes: str) -> None:
    terminal.type_reply(f"stty {modes}")
    exchange = terminal.type_reply("echo a\nfalse\necho b")
    assert [line.status for line in exchange.lines] == [0, 1, 0]
    terminal.type_reply("stty sane -echo")
    assert shown(terminal.type_reply("echo on")) == "on\n$ "


@pytest.mark.parametrize(
    "command", ["clear", "reset", "tput reset", "set -x; echo a", "set -v", "printf '\\033]0;title'"]
)
def test_drawing_and_tracing_leave_a_prompt(terminal: ShellTerminal, command: str) -> None:
    exchange = terminal.type_reply(command)
    assert ends(exchange) == [PROMPT]
    assert shown(exchange).endswith("$ ")
    assert terminal.type_reply("false").lines[0].status == 1
