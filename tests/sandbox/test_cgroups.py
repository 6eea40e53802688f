"""Control groups: which hierarchies are found, and that limits and kills reach every process."""

from __future__ import annotations

import os
import secrets
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.errors import SandboxError
from harness.sandbox.cgroups import Cgroups, GroupLimits, discover, unified_mounts

V1 = """\
24 1 254:0 / / rw,relatime - ext4 /dev/vda rw
30 24 0:26 / /sys/fs/cgroup rw - tmpfs tmpfs rw,mode=755
31 30 0:27 / /sys/fs/cgroup/cpu,cpuacct rw,nosuid - cgroup cgroup rw,cpu,cpuacct
32 30 0:28 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory
33 30 0:29 / /sys/fs/cgroup/pids rw shared:7 - cgroup cgroup rw,pids
"""
UNIFIED = "34 30 0:30 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n"
V2 = "24 1 254:0 / / rw - ext4 /dev/vda rw\n29 22 0:25 / /sys/fs/cgroup rw shared:4 - cgroup2 cgroup2 rw,nsdelegate\n"


def test_version_1_is_found_controller_by_controller() -> None:
    found = discover(V1)
    assert found.version == 1
    assert dict(found.roots) == {
        "memory": Path("/sys/fs/cgroup/memory"),
        "pids": Path("/sys/fs/cgroup/pids"),
        "cpu": Path("/sys/fs/cgroup/cpu,cpuacct"),
    }


def test_version_2_is_one_tree() -> None:
    found = discover(V2)
    assert found.version == 2
    assert {root for _, root in found.roots} == {Path("/sys/fs/cgroup")}
    assert found.join_files("a") == (Path("/sys/fs/cgroup/evalh/a/cgroup.procs"),)


def test_where_both_are_mounted_version_1_has_the_controllers_and_the_other_is_hidden() -> None:
    assert discover(V1 + UNIFIED).version == 1
    assert unified_mounts(V1 + UNIFIED) == (Path("/sys/fs/cgroup/unified"),)
    assert unified_mounts(V1) == ()
    assert unified_mounts(V2) == ()


def test_a_machine_without_them_is_told_what_to_do() -> None:
    with pytest.raises(SandboxError, match="mount /sys/fs/cgroup"):
        discover("24 1 254:0 / / rw - ext4 /dev/vda rw\n")
    with pytest.raises(SandboxError, match="docker engine"):
        discover("\n".join(line for line in V1.splitlines() if "pids" not in line))


def test_version_2_gets_its_controllers_handed_down_and_its_limits_written(tmp_path: Path) -> None:
    """The files that the kernel would make are made by hand here: this shows what is written, not what it does."""
    group = tmp_path / "evalh" / "a"
    (tmp_path / "evalh").mkdir()
    for folder in (tmp_path, tmp_path / "evalh"):
        (folder / "cgroup.subtree_control").write_text("")
    found = Cgroups(version=2, roots=tuple((name, tmp_path) for name in ("memory", "pids", "cpu")))
    found.prepare()
    assert (tmp_path / "evalh" / "cgroup.subtree_control").read_text() == "+cpu +memory +pids"
    found.create("a", GroupLimits(memory_bytes=1 << 26, pids=9, cpus=0.5))
    assert (group / "memory.max").read_text() == "67108864"
    assert (group / "cpu.max").read_text() == "50000 100000"
    assert (group / "pids.max").read_text() == "9"
    (group / "memory.events").write_text("low 0\noom 4\noom_kill 3\noom_group_kill 0\n")
    assert found.oom_kills("a") == 3


def test_a_kernel_that_refuses_is_an_error_with_an_address(tmp_path: Path) -> None:
    found = Cgroups(version=2, roots=tuple((name, tmp_path / "missing") for name in ("memory", "pids", "cpu")))
    with pytest.raises(SandboxError, match="run as root on the host"):
        found.create("a", GroupLimits(memory_bytes=1, pids=1, cpus=1))


@pytest.fixture
def group() -> Iterator[tuple[Cgroups, str]]:
    if os.geteuid() != 0:
        pytest.skip("control groups need root")
    try:
        cgroups = discover()
        cgroups.prepare()
    except SandboxError as error:
        pytest.skip(str(error))
    name = f"test-{secrets.token_hex(4)}"
    cgroups.create(name, GroupLimits(memory_bytes=1 << 26, pids=20, cpus=1))
    yield cgroups, name
    cgroups.remove(name)
    cgroups.tidy()


def inside(cgroups: Cgroups, name: str, script: str) -> subprocess.Popen[bytes]:
    join = "; ".join(f"echo 0 >{file}" for file in cgroups.join_files(name))
    return subprocess.Popen(["sh", "-c", f"{join}; echo in; {script}"], stdout=subprocess.PIPE)


@pytest.mark.crun
class TestAgainstTheKernel:
    def test_a_process_joins_and_all_it_starts_is_killed(self, group: tuple[Cgroups, str]) -> None:
        cgroups, name = group
        bomb = "perl -e '$SIG{TERM} = q(IGNORE); while (1) { fork }' & exec sleep 1000"
        with inside(cgroups, name, bomb) as process:
            assert process.stdout is not None
            assert process.stdout.readline() == b"in\n"
            spared = process.pid
            cgroups.forbid_forks(name)
            cgroups.kill(name, only=lambda pid: pid != spared)
            assert cgroups.processes(name) == {spared}
            cgroups.kill(name, only=lambda _: True)
            assert process.wait() == -9

    def test_removal_kills_what_is_left_and_a_second_one_is_no_error(self, group: tuple[Cgroups, str]) -> None:
        cgroups, name = group
        with inside(cgroups, name, "exec sleep 1000") as process:
            assert process.stdout is not None
            assert process.stdout.readline() == b"in\n"
            cgroups.remove(name)
            assert process.wait() == -9
        assert name not in cgroups.names()
        cgroups.remove(name)

    def test_a_process_elsewhere_is_never_signalled(self, group: tuple[Cgroups, str]) -> None:
        cgroups, name = group
        with subprocess.Popen(["sleep", "1000"]) as bystander:
            cgroups.signal(bystander.pid, name)
            assert bystander.poll() is None
            bystander.kill()

    def test_memory_beyond_the_limit_is_counted_as_a_kill(self, group: tuple[Cgroups, str]) -> None:
        cgroups, name = group
        with inside(cgroups, name, "perl -e 'my $x = q(x) x 200_000_000'; echo done") as process:
            out, _ = process.communicate()
        assert out == b"in\ndone\n"
        assert cgroups.oom_kills(name) == 1
