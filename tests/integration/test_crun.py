"""What only the crun engine promises: no trace outside of its containers, whatever dies and whenever."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.errors import SandboxError
from harness.sandbox.cgroups import GroupLimits, discover
from harness.sandbox.crun import CrunEngine, list_containers, remove_owned
from harness.sandbox.crun.registry import groups_of
from harness.sandbox.image import content_listing, current_image, digest_of
from harness.sandbox.owner import new_owner
from harness.sandbox.paths import RUNTIME, containers_dir
from harness.sandbox.protocol import Engine, Limits
from tests.integration.conftest import usable
from tests.integration.session import End, eventually, landed, spec

pytestmark = pytest.mark.crun
MIB = 1 << 20

OPENS_FOR_EVER = """
from harness.sandbox.crun import CrunEngine
from harness.sandbox.protocol import SandboxSpec
engine = CrunEngine()
print(engine.owner, flush=True)
while True:
    with engine.open(SandboxSpec(trial="doomed", setup=":")):
        print("open", flush=True)
"""


@pytest.fixture(scope="module")
def crun() -> Iterator[CrunEngine]:
    engine = usable("crun")
    assert isinstance(engine, CrunEngine)
    with engine:
        yield engine


def mounts(owner: str) -> list[str]:
    """The mounts that this process sees, as far as they are ours."""
    lines = Path("/proc/self/mountinfo").read_text().splitlines()
    return [line for line in lines if owner in line or str(current_image().rootfs) in line]


def traces(owner: str) -> list[str]:
    """Everything that bears the owner's name: groups, folders, processes."""
    found = [f"group {name}" for name in discover().names(owner)]
    found += [f"folder {path}" for path in RUNTIME.glob(f"*/{owner}*")]
    for process in Path("/proc").glob("[0-9]*"):
        try:
            command = (process / "cmdline").read_bytes()
        except OSError:
            continue
        if owner.encode() in command:
            found.append(f"process {command!r}")
    return found


class TestNothingIsLeftBehind:
    def test_no_mount_is_ever_seen_outside(self, crun: CrunEngine) -> None:
        with crun.open(spec(setup="echo x >/srv/x")) as sandbox:
            landed(sandbox)
            assert mounts(crun.owner) == []
        assert mounts(crun.owner) == []

    @pytest.mark.parametrize("death", [signal.SIGKILL, signal.SIGTERM])
    def test_a_harness_that_dies_at_any_moment_leaves_nothing(self, crun: CrunEngine, death: int) -> None:
        doomed = []
        for opened, delay in ((0, 0.0), (0, 0.02), (0, 0.04), (1, 0.0), (1, 0.03), (2, 0.06)):
            child = subprocess.Popen(
                [sys.executable, "-c", OPENS_FOR_EVER], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
            )
            assert child.stdout is not None
            with child, child.stdout:
                owner = child.stdout.readline().strip()
                assert owner
                for _ in range(opened):
                    assert child.stdout.readline() == "open\n"
                with pytest.raises(subprocess.TimeoutExpired):
                    child.wait(delay)
                child.send_signal(death)
                child.wait()
            doomed.append(owner)
        assert eventually(lambda: not [trace for owner in doomed for trace in traces(owner)], seconds=30)

    def test_half_made_containers_are_found_and_removed(self, crun: CrunEngine) -> None:
        owner = new_owner()
        limits = GroupLimits(memory_bytes=64 * MIB, pids=8, cpus=1)
        discover().create(f"{owner}.1", limits)
        discover().create(f"{owner}.2.x7", limits)
        (containers_dir() / f"{owner}.3").mkdir()
        assert {each.id for each in list_containers() if each.owner == owner} == {f"{owner}.{n}" for n in (1, 2, 3)}
        assert remove_owned(owner) == [f"{owner}.1", f"{owner}.2", f"{owner}.3"]
        assert traces(owner) == []
        assert remove_owned(owner) == []

    def test_a_container_is_listed_with_its_owner_and_trial(self, crun: CrunEngine) -> None:
        with crun.open(spec(trial="stock-03.tuned.0")) as sandbox:
            found = next(each for each in list_containers() if each.id == sandbox.id)
            assert (found.owner, found.trial) == (crun.owner, "stock-03.tuned.0")
            assert 0 <= found.age_seconds < 300
        assert sandbox.id not in {each.id for each in list_containers()}

    def test_names_that_begin_alike_are_different_containers(self, crun: CrunEngine) -> None:
        owner = new_owner()
        for number in (1, 10):
            discover().create(f"{owner}.{number}", GroupLimits(memory_bytes=64 * MIB, pids=8, cpus=1))
        assert groups_of(f"{owner}.1", discover()) == [f"{owner}.1"]
        assert len(remove_owned(owner)) == 2

    def test_a_failed_start_leaves_nothing(self, crun: CrunEngine) -> None:
        with pytest.raises(SandboxError), crun.open(spec(banner="x" * (1 << 18))):
            pass
        assert [trace for trace in traces(crun.owner) if not trace.startswith("process")] == []

    def test_the_image_stays_as_it_was_built(self, crun: CrunEngine) -> None:
        with crun.open(spec()) as sandbox:
            landed(sandbox).type("rm -rf /tmp /home/operator/* 2>/dev/null; touch ~/x /tmp/y")
            sandbox.run(("sh", "-c", "rm -rf /etc /var /usr/local; touch /home/z"))
        assert digest_of(content_listing(current_image().rootfs)) == crun.image_digest()


class TestTheWallsHold:
    def test_what_is_writable_shares_one_allowance(self, crun: CrunEngine) -> None:
        with crun.open(spec(limits=Limits(disk_bytes=32 * MIB))) as sandbox:
            session = landed(sandbox)
            session.type("for d in /tmp ~ /dev/shm; do head -c 20M /dev/zero >$d/x; done")
            sizes = [sandbox.world.stat(f"{place}/x") for place in ("/tmp", "/home/operator", "/dev/shm")]
            assert sum(entry.size for entry in sizes if entry is not None) <= 32 * MIB

    @pytest.mark.parametrize(
        ("attempt", "refusal"),
        [
            ("unshare -U true", "Operation not permitted"),
            ("unshare -m true", "Operation not permitted"),
            (
                "perl -e 'syscall(165, my $a = q(x), my $b = q(/tmp), my $c = q(tmpfs), 0, 0); print $!'",
                "not permitted",
            ),
            ("perl -e 'syscall(250, 0, -3, 0); print $!'", "Operation not permitted"),  # keyctl
            ("perl -e 'syscall(425, 1, 0); print $!'", "Operation not permitted"),  # io_uring_setup
            ("perl -e 'syscall(435, 0, 0); print $!'", "Function not implemented"),  # clone3
            ("perl -e 'syscall(41, 40, 1, 0); print $!'", "Operation not permitted"),  # socket(AF_VSOCK)
            ("perl -e 'syscall(135, 0x40000); print $!'", "Operation not permitted"),  # personality without ASLR
            ("dmesg", "Operation not permitted"),
        ],
    )
    def test_the_kernel_refuses(self, crun: CrunEngine, attempt: str, refusal: str) -> None:
        if "syscall" in attempt and os.uname().machine != "x86_64":
            pytest.skip("these system call numbers are those of x86_64")
        with crun.open(spec()) as sandbox:
            assert refusal in landed(sandbox).type(attempt)

    def test_many_small_hogs_do_not_take_pid_1_with_them(self, crun: CrunEngine) -> None:
        with crun.open(spec(limits=Limits(memory_bytes=48 * MIB, disk_bytes=8 * MIB))) as sandbox:
            session = landed(sandbox)
            hog = "perl -e 'my $x = q(x) x 3000000; sleep 1000' &"
            session.send(f"i=0; while [ $i -lt 100 ]; do {hog} i=$((i+1)); done 2>/dev/null; exit 7")
            end = session.end(seconds=60)
            assert end.how in ("exit", "killed")
            assert sandbox.oom_kills()
            sandbox.kill_operator()
            assert sandbox.run(("true",)).status == 0

    def test_pid_1_is_spared_before_the_session_on_every_machine(self, crun: CrunEngine) -> None:
        with crun.open(spec()) as sandbox:
            scores = landed(sandbox).type("cat /proc/1/oom_score_adj /proc/$$/oom_score_adj").split()
            assert int(scores[0]) <= 0 < int(scores[1])

    def test_checks_have_memory_of_their_own(self, crun: CrunEngine) -> None:
        with crun.open(spec(limits=Limits(memory_bytes=64 * MIB, disk_bytes=48 * MIB))) as sandbox:
            session = landed(sandbox)
            session.type("head -c 47M /dev/zero >/tmp/x; perl -e 'my $x = q(x) x 500000000'", seconds=60)
            done = sandbox.run(("perl", "-e", "my $x = q(x) x 20_000_000; print length $x"))
            assert (done.status, done.stdout) == (0, b"20000000")


class TestTheEndOfAContainer:
    def test_a_program_in_the_shells_own_group_can_be_killed(self, crun: CrunEngine) -> None:
        with crun.open(spec()) as sandbox:
            session = landed(sandbox)
            session.send("set +m; trap '' INT; cat")
            assert eventually(lambda: _runs(sandbox, b"cat\0") and bool(sandbox.waiting_for_input()))
            sandbox.kill_foreground()
            session.prompt()
            session.send("exit 3")
            assert session.end() == End("exit", "3", "", "")


def _runs(sandbox: object, command: bytes) -> bool:
    listed = sandbox.run(("sh", "-c", "cat /proc/[0-9]*/cmdline"))  # type: ignore[attr-defined] # as the protocol has it
    return command in listed.stdout


def test_without_root_it_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(SandboxError, match="needs root; use the docker engine"):
        CrunEngine()


def test_without_an_image_it_says_what_to_do(crun: Engine, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("EVALH_HOME", str(tmp_path))
    with pytest.raises(SandboxError, match="evalh sandbox build"):
        CrunEngine()
