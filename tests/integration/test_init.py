"""PID 1 and `panic`: a session's end is told truly, whatever the operator did to its terminal and its files."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from harness.errors import InfrastructureError
from harness.sandbox.protocol import OPERATOR, Engine
from harness.sandbox.select import choose
from tests.integration.session import End, eventually, landed, spec

PANIC = End("panic", "", "", "no such mount")
pytestmark = [pytest.mark.crun, pytest.mark.docker]


@pytest.fixture(scope="module")
def best() -> Iterator[Engine]:
    """The best engine that answers: PID 1 and `panic` are the same programs in all of them."""
    try:
        made = choose()
    except InfrastructureError as error:
        pytest.skip(str(error))
    yield made
    made.close()


class TestTheEndMark:
    @pytest.mark.parametrize(
        "mischief",
        [
            "stty olcuc",
            "stty raw",
            "stty tostop; sleep 100 &",
            "stty 0",
            "perl -e 'ioctl(STDIN, 0x540A, 0)'",
            "perl -e 'ioctl(STDIN, 0x5423, pack(q(i), 27))'",
            "perl -e 'while (1) { ioctl(STDIN, 0x540A, 0) }' &",
            "while :; do stty olcuc; stty -olcuc; done 2>/dev/null &",
            "yes flood &",
            "trap '' HUP TERM INT; (trap '' HUP TERM INT; cat /dev/zero >/dev/tty) &",
            "setsid sh -c 'sleep 1000' & setsid yes >/dev/tty &",
        ],
    )
    def test_no_state_of_the_terminal_keeps_it_back(self, best: Engine, mischief: str) -> None:
        with best.open(spec()) as sandbox:
            session = landed(sandbox)
            session.send(f"{mischief} {'' if mischief.endswith('&') else ';'} exit 41")
            assert session.end() == End("exit", "41", "", "")
            sandbox.kill_operator()

    def test_stopped_output_does_not_keep_it_back(self, best: Engine) -> None:
        with best.open(spec()) as sandbox:
            session = landed(sandbox)
            os.write(sandbox.fileno(), b"read x; exit 42\n")
            assert eventually(sandbox.waiting_for_input)
            os.write(sandbox.fileno(), b"\x13go\n")
            assert session.end() == End("exit", "42", "", "")

    def test_it_comes_when_every_process_of_the_operator_is_dead(self, best: Engine) -> None:
        with best.open(spec()) as sandbox:
            session = landed(sandbox)
            session.send("for i in 1 2 3 4 5; do setsid perl -e 'while (1) { fork }' & done; exit 43")
            assert session.end() == End("exit", "43", "", "")
            listed = sandbox.run(("sh", "-c", "grep -h ^Uid: /proc/[0-9]*/status")).stdout.decode().splitlines()
            assert {line.split()[1] for line in listed} == {"0"}

    def test_what_root_started_in_the_setup_outlives_it(self, best: Engine) -> None:
        with best.open(spec(setup="setsid sleep 1000 >/dev/null 2>&1 </dev/null &")) as sandbox:
            session = landed(sandbox)
            session.send("exit")
            session.end()
            sandbox.kill_operator()
            shown = sandbox.run(("sh", "-c", "cat /proc/[0-9]*/cmdline | tr '\\0' ' '")).stdout
            assert b"sleep 1000" in shown

    def test_the_operator_cannot_make_one_end_as_a_panic_or_hide_one(self, best: Engine) -> None:
        with best.open(spec()) as sandbox:
            session = landed(sandbox)
            shown = session.type(
                "rm -f /run/evalh/panic; mv /run/evalh/panic /tmp/; ln -s /etc/passwd /run/evalh/panic"
            )
            assert shown.count("Permission denied") + shown.count("File exists") == 3
            session.send("exit 1")
            assert session.end() == End("exit", "1", "", "")

    def test_pid_1_cannot_be_signalled_traced_or_read(self, best: Engine) -> None:
        with best.open(spec()) as sandbox:
            session = landed(sandbox)
            shown = session.type("kill -KILL 1; kill -STOP 1; kill -ALRM 1; cat /proc/1/environ; cat /proc/1/mem")
            assert shown.count("ermitted") + shown.count("Permission denied") == 5

    def test_after_it_pid_1_has_no_power_left(self, best: Engine) -> None:
        with best.open(spec()) as sandbox:
            session = landed(sandbox)
            session.send("exit")
            session.end()

            def powerless() -> bool:
                status = sandbox.run(("cat", "/proc/1/status")).stdout.decode().splitlines()
                sets = [line.split()[1] for line in status if line.startswith(("CapPrm", "CapEff", "CapBnd"))]
                return sets == ["0000000000000000"] * 3

            assert eventually(powerless)


def test_every_engine_tells_an_end_that_was_held_back(engine: Engine) -> None:
    with engine.open(spec()) as sandbox:
        session = landed(sandbox)
        session.send("perl -e 'while (1) { ioctl(STDIN, 0x540A, 0) }' & exit 44")
        assert session.end() == End("exit", "44", "", "")


class TestPanic:
    @pytest.mark.parametrize(
        "line",
        [
            "panic no such mount",
            "panic 'no such' mount; echo never",
            "(panic no such mount); echo never",
            "echo x | panic no such mount; echo never",
            "panic no such mount | cat; sleep 60; echo never",
            "panic no such mount >/dev/null 2>&1 </dev/null; echo never",
            "setsid panic no such mount; sleep 60; echo never",
            "panic no such mount & sleep 60; echo never",
            "x=$(panic no such mount); echo never",
            "exec panic no such mount",
            "sh -c 'panic no such mount'; echo never",
            "find / -maxdepth 0 -exec panic no such mount \\; ; echo never",
            "cd /; PATH=; /usr/local/bin/panic no such mount; echo never",
        ],
    )
    def test_it_ends_the_session_at_once(self, best: Engine, line: str) -> None:
        with best.open(spec()) as sandbox:
            session = landed(sandbox)
            session.send(line)
            assert session.end() == PANIC
            assert b"never" not in session.seen

    @pytest.mark.parametrize(
        "trouble",
        [
            "cat /dev/zero >/tmp/full 2>/dev/null; cat /dev/zero >~/full 2>/dev/null",
            "i=0; while : >/tmp/$i; do i=$((i+1)); done 2>/dev/null",
        ],
    )
    def test_it_works_on_a_full_disk(self, best: Engine, trouble: str) -> None:
        with best.open(spec()) as sandbox:
            session = landed(sandbox)
            session.type(f"({trouble})", seconds=60)
            session.send("panic no such mount")
            assert session.end() == PANIC

    def test_it_works_when_no_process_can_be_made(self, best: Engine) -> None:
        with best.open(spec()) as sandbox:
            session = landed(sandbox)
            session.type("perl -e 'while (defined(my $p = fork)) { sleep 1000 unless $p }' >/dev/null 2>&1")
            session.send("exec panic no such mount")
            assert session.end() == PANIC

    @pytest.mark.parametrize(
        ("typed", "reason"),
        [
            ("panic", ""),
            ("panic ''", ""),
            ("panic -- -n '\\t%s' \"it's\"", "-- -n \\t%s it's"),
            ("panic 'two\nlines'", "two\nlines"),
            ("panic 'Größe: 1 µm'", "Größe: 1 µm"),
        ],
    )
    def test_it_tells_its_reason(self, best: Engine, typed: str, reason: str) -> None:
        with best.open(spec()) as sandbox:
            session = landed(sandbox)
            session.send(typed)
            assert session.end() == End("panic", "", "", reason)

    def test_a_long_reason_is_cut(self, best: Engine) -> None:
        with best.open(spec()) as sandbox:
            session = landed(sandbox)
            session.send("panic $(head -c 9000 /dev/zero | tr '\\0' x)")
            assert session.end() == End("panic", "", "", "x" * 4096)

    def test_its_help_says_what_it_is_for_and_ends_nothing(self, best: Engine) -> None:
        with best.open(spec()) as sandbox:
            session = landed(sandbox)
            shown = session.type("panic --help")
            assert shown.startswith("usage: panic")
            assert shown.count("\n") == 1
            assert session.type("echo on") == "on\n"


class TestTheProbe:
    """`waiting`, for engines whose processes this machine cannot see."""

    @pytest.mark.parametrize(
        ("line", "answer"),
        [
            ("cat", "1"),
            ("read x", "1"),
            ("cat | cat", "1"),
            ("bash -i", "1"),
            ("perl -e 'my $r = q(); vec($r, 0, 1) = 1; select($r, undef, undef, undef)'", "1"),
            ("sh -c 'sleep 100 & cat'", "1"),
            ("sleep 100", "0"),
            ("sleep 100 | cat", "0"),
            ("while :; do :; done", "0"),
            ("perl -e 'select(undef, undef, undef, 100)'", "0"),
        ],
    )
    def test_it_agrees_with_the_view_from_outside(self, best: Engine, line: str, answer: str) -> None:
        with best.open(spec()) as sandbox:
            landed(sandbox)
            assert eventually(sandbox.waiting_for_input)
            os.write(sandbox.fileno(), line.encode() + b"\n")

            def told() -> bool:
                probe = sandbox.run(("/usr/local/lib/evalh/waiting",), user=OPERATOR)
                shown = probe.stdout.decode().strip()
                return probe.stderr == b"" and shown == answer and sandbox.waiting_for_input() in (answer == "1", None)

            assert eventually(told)
