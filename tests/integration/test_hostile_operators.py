"""What an operator can do at its worst, and what it comes to: the same on every engine."""

from __future__ import annotations

import os
import re
import struct
import subprocess
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass, replace

import pytest

from harness.errors import SandboxError
from harness.sandbox.protocol import Engine, Limits, PlacedFile, Sandbox
from harness.sandbox.reap import find
from harness.trial import ReferenceModel, TrialPlan, play
from harness.values import Arm, Completion, Message, Outcome, Role, Terminal
from scenarios import load_file
from tests.integration.command import SUITE
from tests.integration.conftest import usable
from tests.integration.session import eventually, landed, spec

MIB = 1 << 20
# Forks for ever, deaf to what can be ignored, in a session of its own, and keeps trying at the limit.
BOMB = "setsid perl -e '$SIG{$_} = q(IGNORE) for qw(INT TERM HUP QUIT); while (1) { fork }' >/dev/null 2>&1 &"
# Takes on the score that the kernel's choice of a victim gives to PID 1, and fills the memory from many processes that
# are each smaller than PID 1 is.
AS_WORTHY_AS_PID_1 = "echo 0 >/proc/$$/oom_score_adj; mkfifo /tmp/never; x=$(head -c 700000 /dev/zero | tr '\\0' x)"
SMALL_HOGS = "i=0; while [ $i -lt 110 ]; do (y=$x; z=$x; read q </tmp/never) & i=$((i+1)); done 2>/dev/null"
HOG = "perl -e 'my $x = q(x) x 200_000_000'"
# Machine code of x86_64: clone(CLONE_VM | FS | FILES | SIGHAND | THREAD | SYSVSEM) with a stack of its own, then
# exit(0) of the first thread alone, and pause() for ever in the other.
BEHEADED = bytes.fromhex(
    "b838000000bf000f0500488db42400f0ffff31d24531d24531c00f0585c07409b83c00000031ff0f05b8220000000f05ebf7"
)


def gone(sandbox: Sandbox) -> bool:
    try:
        return sandbox.world.stat("/") is None
    except SandboxError:
        return True


def operator_processes(sandbox: Sandbox) -> int:
    """How many processes of the operator live, zombies apart, as root in the container sees them."""
    listed = sandbox.run(("sh", "-c", "cat /proc/[0-9]*/status 2>/dev/null"), max_output=4 * MIB).stdout.decode()
    blocks = listed.split("Name:")[1:]
    return sum("Uid:\t1000" in block and "State:\tZ" not in block for block in blocks)


def elf(code: bytes) -> bytes:
    """A program of x86_64 that is this machine code and nothing else."""
    base, head = 0x400000, 64 + 56
    header = struct.pack(
        "<16sHHIQQQIHHHHHH", b"\x7fELF\x02\x01\x01", 2, 62, 1, base + head, 64, 0, 0, 64, 56, 1, 0, 0, 0
    )
    size = head + len(code)
    return header + struct.pack("<IIQQQQQQ", 1, 5, 0, base, base, size, size, 4096) + code


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


@pytest.mark.skipif(os.uname().machine != "x86_64", reason="its program is for x86_64")
@pytest.mark.parametrize("user", ["root", "operator"])
def test_a_command_whose_first_thread_has_ended_dies_at_its_deadline(engine: Engine, user: str) -> None:
    program = PlacedFile(path="/srv/beheaded", content=elf(BEHEADED), mode=0o755)
    with engine.open(spec(files=(program,))) as sandbox:
        landed(sandbox)
        sandbox.kill_operator()
        assert sandbox.run(("/srv/beheaded",), user=user, timeout=1.0).status is None
        listed = sandbox.run(("sh", "-c", "cat /proc/[0-9]*/status")).stdout.decode()
        left = [block for block in listed.split("Name:") if "beheaded" in block]
        assert [block for block in left if "Threads:\t1\n" not in block] == []  # a zombie has one


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


def test_an_operator_that_has_pid_1_killed_for_want_of_memory_cannot_blame_the_machine(engine: Engine) -> None:
    with engine.open(spec(limits=Limits(memory_bytes=96 * MIB))) as sandbox:
        session = landed(sandbox)
        session.send(f"{AS_WORTHY_AS_PID_1} 2>/dev/null; {SMALL_HOGS}")
        if engine.name == "crun":  # where PID 1 is in a group of its own
            assert eventually(lambda: bool(sandbox.oom_kills()), seconds=60)
            sandbox.kill_operator()
            assert sandbox.run(("echo", "alive")).stdout == b"alive\n"
            assert not sandbox.killed_by_memory()
        else:
            assert eventually(lambda: sandbox.killed_by_memory(), seconds=60)


def test_a_time_to_live_that_passes_after_a_hog_was_killed_is_not_the_operators_doing(engine: Engine) -> None:
    with engine.open(spec(limits=Limits(memory_bytes=64 * MIB, ttl_seconds=4))) as sandbox:
        assert "status 137" in landed(sandbox).type(f"{HOG}; echo status $?")
        assert eventually(lambda: gone(sandbox))
        assert not sandbox.killed_by_memory()


@pytest.mark.docker
def test_a_container_that_somebody_removed_after_a_hog_was_killed_was_not_killed_by_its_memory_limit() -> None:
    with closing(usable("docker")) as engine, engine.open(spec(limits=Limits(memory_bytes=64 * MIB))) as sandbox:
        assert "status 137" in landed(sandbox).type(f"{HOG}; echo status $?")
        subprocess.run(["docker", "rm", "-f", sandbox.id], check=True, capture_output=True)
        assert not sandbox.killed_by_memory()


@pytest.mark.docker
def test_a_keeper_that_was_killed_for_want_of_memory_was_killed_by_the_operator() -> None:
    with closing(usable("docker")) as engine, engine.open(spec(limits=Limits(memory_bytes=64 * MIB))) as sandbox:
        session = landed(sandbox)
        assert "status 137" in session.type(f"{HOG}; echo status $?")
        session.type("perl -e '$0 = q(keeper); sleep 600' &")
        assert not sandbox.killed_by_memory()
        kill = "for p in /proc/[0-9]*; do [ $(cat $p/comm) != keeper ] || kill -KILL ${p#/proc/}; done"
        sandbox.run(("sh", "-c", kill))
        assert sandbox.killed_by_memory()


HOGGING = f"{AS_WORTHY_AS_PID_1}; {SMALL_HOGS}"


@dataclass
class Hog:
    """A model that uses up the container's memory, and says nothing more once that has `happened`."""

    happened: Callable[[], bool]

    def reply(self, messages: Sequence[Message], *, seed: int, max_tokens: int) -> Completion:
        begun = any(message.role is Role.ASSISTANT for message in messages)
        if begun:
            assert eventually(self.happened, seconds=60)
        text = "" if begun else f"{AS_WORTHY_AS_PID_1}\n(sleep 2; {SMALL_HOGS}; sleep 30) &"
        return Completion(text=text, finish_reason="stop", model="hog", seconds=0.0)


def trial(**changes: object) -> TrialPlan:
    (scenario,) = load_file(SUITE / "errand" / "errand-note.toml")
    plan = TrialPlan(scenario=scenario, arm=Arm.TUNED, repeat=0, attempt=1, seed=0, model="hog")
    return replace(plan, **changes)  # type: ignore[arg-type] # keyword by keyword, as each test says


def test_a_model_that_has_its_container_killed_for_want_of_memory_has_lost(engine: Engine) -> None:
    plan = trial(container=Limits(memory_bytes=96 * MIB))
    record = play(plan, engine, ReferenceModel([f"{HOGGING}\n{HOG}", "exit"]))
    assert record.outcome is Outcome.FAIL, record.reason
    if engine.name == "docker":
        assert record.terminal is Terminal.SHELL_KILLED
        assert "memory limit" in record.reason


@pytest.mark.docker
def test_it_has_lost_too_where_the_container_died_while_nobody_looked() -> None:
    with closing(usable("docker")) as engine:
        plan = trial(container=Limits(memory_bytes=96 * MIB))
        record = play(plan, engine, Hog(lambda: not [each for each in find("docker") if each.trial == str(plan.key)]))
        assert (record.outcome, record.terminal) == (Outcome.FAIL, Terminal.EMPTY_REPLY), record.reason
        assert ["memory limit" in check.verdict.reason for check in record.checks] == [True]
        assert record.metrics.task is False


def test_a_hog_whose_container_reached_its_time_to_live_has_not_lost(engine: Engine) -> None:
    plan = trial(container=Limits(memory_bytes=64 * MIB, ttl_seconds=5))
    record = play(plan, engine, ReferenceModel([HOG, "sleep 15", "exit"]))
    assert record.outcome is Outcome.INVALID, record.reason
    assert record.failure is not None
    assert record.failure.address == "sandbox"
