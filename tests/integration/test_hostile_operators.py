"""What an operator can do at its worst, and what it comes to: the same on every engine."""

from __future__ import annotations

import re

import pytest

from harness.sandbox.protocol import Engine, Limits, Sandbox
from tests.integration.session import eventually, landed, spec

MIB = 1 << 20
# Forks for ever, deaf to what can be ignored, in a session of its own, and keeps trying at the limit.
BOMB = "setsid perl -e '$SIG{$_} = q(IGNORE) for qw(INT TERM HUP QUIT); while (1) { fork }' >/dev/null 2>&1 &"


def operator_processes(sandbox: Sandbox) -> int:
    """How many processes of the operator live, zombies apart, as root in the container sees them."""
    listed = sandbox.run(("sh", "-c", "cat /proc/[0-9]*/status 2>/dev/null"), max_output=4 * MIB).stdout.decode()
    blocks = listed.split("Name:")[1:]
    return sum("Uid:\t1000" in block and "State:\tZ" not in block for block in blocks)


def test_a_fork_bomb_is_bounded_and_killed(engine: Engine) -> None:
    with engine.open(spec(limits=Limits(pids=64))) as sandbox:
        session = landed(sandbox)
        session.type(BOMB)
        assert eventually(lambda: "Cannot fork" in session.type("echo $(true)"))
        sandbox.kill_operator()
        assert operator_processes(sandbox) == 0
        assert sandbox.run(("echo", "alive")).stdout == b"alive\n"


def test_commands_get_in_at_the_process_limit(engine: Engine) -> None:
    grab = "my $p = fork; if (!defined $p) { select undef, undef, undef, 0.01 } elsif (!$p) { sleep 600 }"
    hoard = f"perl -e 'while (1) {{ {grab} }}' &"
    with engine.open(spec(limits=Limits(pids=48))) as sandbox:
        session = landed(sandbox)
        session.type(hoard)
        assert eventually(lambda: "Cannot fork" in session.type("echo $(true)"))
        assert sandbox.run(("sh", "-c", "echo in | cat")).stdout == b"in\n"
        sandbox.kill_operator()
        assert operator_processes(sandbox) == 0


def test_a_full_disk_shuts_nobody_out(engine: Engine) -> None:
    with engine.open(spec(limits=Limits(disk_bytes=8 * MIB))) as sandbox:
        session = landed(sandbox)
        for place in ("/home/operator/fill", "/tmp/fill", "/dev/shm/fill"):
            assert "No space left" in session.type(f"head -c {16 * MIB} /dev/zero > {place}")
        assert session.type("echo x 2>/dev/null > ~/more || echo full") in {"full\n", ""}
        filled = [sandbox.world.stat(place) for place in ("/home/operator/fill", "/tmp/fill")]
        assert sum(entry.size for entry in filled if entry is not None) <= 8 * MIB
        sandbox.kill_operator()
        assert sandbox.run(("echo", "alive")).stdout == b"alive\n"
        assert sandbox.world.read("/home/operator/fill", max_bytes=3) == b"\0\0\0\0"


def test_inodes_are_bounded_too(engine: Engine) -> None:
    with engine.open(spec(limits=Limits(disk_bytes=8 * MIB))) as sandbox:
        session = landed(sandbox)
        made = session.type(
            "perl -e 'my $n = 0; while ($n < 200000 && open my $f, q(>), qq(/tmp/f$n)) { $n++ } print qq($n\\n)'"
        )
        assert 0 < int(made) < 200000


def test_a_memory_hog_dies_and_the_container_lives(engine: Engine) -> None:
    with engine.open(spec(limits=Limits(memory_bytes=64 * MIB))) as sandbox:
        session = landed(sandbox)
        assert "status 137" in session.type("perl -e 'my $x = q(x) x 200_000_000; print 1'; echo status $?")
        kills = sandbox.oom_kills()
        assert kills is None or kills >= 1
        assert sandbox.run(("echo", "alive")).stdout == b"alive\n"


@pytest.mark.parametrize("kind", ["msgget(0, 01600)", "shmget(0, 4096, 01600)", "semget(0, 1, 01600)"])
def test_no_memory_of_the_kernels_outlives_the_process_that_filled_it(engine: Engine, kind: str) -> None:
    with engine.open(spec()) as sandbox:
        session = landed(sandbox)
        assert (
            session.type(f"perl -e 'print defined({kind}) ? q(made) : qq($!), qq(\\n)'") == "No space left on device\n"
        )


def test_memory_filled_from_message_queues_does_not_end_the_container(engine: Engine) -> None:
    fill = "for (1 .. 15) { msgsnd $i, pack(q(l!a*), 1, q(x) x 1000), 04000 or last }"
    with engine.open(spec(limits=Limits(memory_bytes=64 * MIB))) as sandbox:
        session = landed(sandbox)
        session.type(f"perl -e 'for (1 .. 30000) {{ $i = msgget 0, 01600; defined $i or last; {fill} }}'")
        session.type("ls / | cat")
        sandbox.kill_operator()
        assert sandbox.run(("echo", "alive")).stdout == b"alive\n"


def test_the_network_is_gone(engine: Engine) -> None:
    connect = (
        "perl -MSocket -e 'socket(S, PF_INET, SOCK_STREAM, 0); "
        'connect(S, sockaddr_in(80, inet_aton("192.0.2.1"))) or print "$!\\n"\''
    )
    with engine.open(spec()) as sandbox:
        session = landed(sandbox)
        assert "Network is unreachable" in session.type(connect)
        assert re.findall(r"^\s*(\w+):", session.type("cat /proc/net/dev"), re.MULTILINE) == ["lo"]


def test_the_system_is_read_only_even_for_root(engine: Engine) -> None:
    with engine.open(spec()) as sandbox:
        for path in ("/x", "/usr/x", "/usr/bin/sh", "/bin/sh", "/lib/x", "/root/x"):
            refused = sandbox.run(("sh", "-c", f"echo x > {path}"))
            assert b"Read-only file system" in refused.stderr, path


def test_the_kernels_knobs_are_out_of_reach(engine: Engine) -> None:
    attempts = (
        "echo x > /proc/sys/kernel/hostname",
        "echo b > /proc/sysrq-trigger",
        "mount -t tmpfs t /mnt",
        "mknod /tmp/d b 8 0",
    )
    with engine.open(spec()) as sandbox:
        for attempt in attempts:
            assert sandbox.run(("sh", "-c", attempt)).status != 0, attempt


def test_the_operator_cannot_touch_the_harnesss_processes(engine: Engine) -> None:
    with engine.open(spec()) as sandbox:
        landed(sandbox).send("(while :; do kill -STOP 1; done) 2>/dev/null & while :; do kill -KILL -1; done")
        assert sandbox.run(("sh", "-c", "sleep 0.3; echo done"), timeout=20).stdout == b"done\n"
        sandbox.kill_operator()
        assert operator_processes(sandbox) == 0
