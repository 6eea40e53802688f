"""What never ends, floods or will not stop is bounded, and the session goes on."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from harness.terminal import ShellTerminal, TerminalLimits
from harness.values import LineEnd
from tests.terminal.local import landed
from tests.terminal.typed import HASTY, PROMPT, WAITING, ends, shown

pytestmark = pytest.mark.slow  # together more than ten seconds: left out of `make check`

CURT = TerminalLimits(turn_seconds=1.0, interrupt_seconds=0.5)


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


def test_an_ignored_interrupt_leaves_the_command_to_be_finished(tmp_path: Path) -> None:
    with landed(tmp_path, limits=TerminalLimits(interrupt_seconds=1)) as terminal:
        terminal.type_reply("trap '' INT")
        exchange = terminal.type_reply("echo it's")
        assert ends(exchange) == [LineEnd.UNFINISHED]
        exchange = terminal.type_reply("so'\necho on")
        assert shown(exchange).endswith("so\n$ on\n$ ")
