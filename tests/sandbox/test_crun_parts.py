"""The crun engine's parts that need no container: paths kept inside, output bounded, the filter's list."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.errors import SandboxError
from harness.sandbox.crun.config import CAPABILITIES, config, process
from harness.sandbox.crun.files import open_inside, opened, without_links
from harness.sandbox.crun.place import place
from harness.sandbox.crun.pump import pump
from harness.sandbox.crun.seccomp import profile
from harness.sandbox.crun.world import CrunWorld
from harness.sandbox.protocol import WRITABLE_ROOTS, PlacedFile, SandboxSpec
from harness.world import EntryKind

OUTSIDE = b"outside"


@pytest.fixture
def root(tmp_path: Path) -> Iterator[tuple[Path, int]]:
    """A directory that plays a container's root, and a secret beside it."""
    inside = tmp_path / "root"
    for folder in ("proc", "home/operator", "etc", "tmp"):
        (inside / folder).mkdir(parents=True)
    (tmp_path / "secret").write_bytes(OUTSIDE)
    (inside / "etc/passwd").write_bytes(b"inside")
    descriptor = os.open(inside, os.O_PATH | os.O_DIRECTORY)
    yield inside, descriptor
    os.close(descriptor)


def _found(root: int, path: str, flags: int, *, by_hand: bool) -> tuple[int, int] | int | None:
    """The file (device and number) that a path leads to, or the error's number."""
    try:
        if by_hand:
            found = open_inside(root, without_links(root, path, flags), flags, symlinks=False)
        else:
            found = open_inside(root, path, flags)
    except OSError as error:
        return error.errno
    try:
        return os.fstat(found).st_dev, os.fstat(found).st_ino
    finally:
        os.close(found)


class TestPathsStayInside:
    @pytest.mark.parametrize(
        "target", ["/etc/passwd", "../../etc/passwd", "../../../../../../etc/passwd", "/../etc/passwd"]
    )
    def test_symlinks_resolve_inside(self, root: tuple[Path, int], target: str) -> None:
        (root[0] / "home/operator/x").symlink_to(target)
        assert CrunWorld(root[1]).read("/home/operator/x", max_bytes=100) == b"inside"

    def test_a_link_of_the_operators_in_a_sticky_directory_is_followed(self, root: tuple[Path, int]) -> None:
        """Where fs.protected_symlinks is 1, as most distributions set it, the kernel itself refuses."""
        (root[0] / "tmp").chmod(0o1777)
        (root[0] / "tmp/x").symlink_to("/etc")
        os.lchown(root[0] / "tmp/x", 1000, 1000)
        assert CrunWorld(root[1]).read("/tmp/x/passwd", max_bytes=100) == b"inside"

    @pytest.mark.parametrize("flags", [os.O_PATH, os.O_PATH | os.O_NOFOLLOW])
    def test_links_followed_by_hand_lead_where_the_kernel_leads(self, root: tuple[Path, int], flags: int) -> None:
        home = root[0] / "home/operator"
        targets = ("/etc/passwd", "../../../../etc", "..", "/", "missing", "a6", "a1/passwd", "a0/", "a0/..", "./a1/.")
        for number, target in enumerate(targets):
            (home / f"a{number}").symlink_to(target)
        for number in range(45):
            (home / f"b{number + 1}").symlink_to(f"b{number}")
        (home / "b0").write_bytes(b"the end")
        names = [f"a{number}{rest}" for number in range(10) for rest in ("", "/", "/passwd", "/../etc", "/.", "/x/..")]
        for name in (*names, "b20", "b40", "b41", "b0/..", "b0/x", "../../.."):
            path = f"/home/operator/{name}"
            assert _found(root[1], path, flags, by_hand=True) == _found(root[1], path, flags, by_hand=False), path

    @pytest.mark.parametrize(
        "target", ["/proc/self/root/etc/passwd", "/dev/stdin", "../../../secret", "x", "y", "/proc/self/fd/0"]
    )
    def test_what_leads_nowhere_inside_is_absent(self, root: tuple[Path, int], target: str) -> None:
        (root[0] / "home/operator/x").symlink_to(target)
        (root[0] / "home/operator/y").symlink_to("x")
        world = CrunWorld(root[1])
        assert world.read("/home/operator/x", max_bytes=100) is None
        assert world.stat("/home/operator/x") is None
        entry = world.stat("/home/operator/x", follow=False)
        assert entry is not None
        assert (entry.kind, entry.target) == (EntryKind.SYMLINK, target)

    @given(
        parts=st.lists(st.sampled_from(["..", ".", "", "home", "operator", "up", "top", "secret", "etc"]), max_size=12)
    )
    def test_no_path_reads_what_is_outside(self, tmp_path_factory: pytest.TempPathFactory, parts: list[str]) -> None:
        folder = tmp_path_factory.getbasetemp() / "hostile"
        inside = folder / "root"
        if not inside.exists():
            (inside / "proc").mkdir(parents=True)
            (inside / "home/operator").mkdir(parents=True)
            (folder / "secret").write_bytes(OUTSIDE)
            (inside / "home/up").symlink_to("../../..")
            (inside / "home/operator/top").symlink_to("/..")
        with opened(os.open("/", os.O_PATH), str(inside), os.O_PATH) as descriptor:
            assert CrunWorld(descriptor).read("/" + "/".join(parts), max_bytes=100) is None

    def test_a_nul_in_a_path_is_no_file(self, root: tuple[Path, int]) -> None:
        assert CrunWorld(root[1]).stat("/etc/\0passwd") is None


class TestHostileFiles:
    def test_nothing_that_is_no_plain_file_is_read(self, root: tuple[Path, int]) -> None:
        os.mkfifo(root[0] / "tmp/pipe")
        (root[0] / "tmp/dir").mkdir()
        world = CrunWorld(root[1])
        assert world.read("/tmp/pipe", max_bytes=10) is None
        assert world.read("/tmp/dir", max_bytes=10) is None
        assert world.read("/tmp/pipe/x", max_bytes=10) is None
        found = world.stat("/tmp/pipe")
        assert found is not None
        assert found.kind is EntryKind.OTHER

    def test_a_huge_sparse_file_costs_what_was_asked_for(self, root: tuple[Path, int]) -> None:
        with (root[0] / "tmp/sparse").open("wb") as file:
            file.truncate(1 << 40)
        assert CrunWorld(root[1]).read("/tmp/sparse", max_bytes=99) == b"\0" * 100

    def test_a_walk_is_sorted_by_path_and_keeps_strange_names(self, root: tuple[Path, int]) -> None:
        names = ("a", "a/x", "a-b", "\udcff\udcfe", "new\nline", "-rf", "\x1b[2J")
        for name in names:
            (root[0] / "tmp" / name).mkdir()
        (root[0] / "tmp/loop").symlink_to("/tmp")
        paths = [entry.path for entry in CrunWorld(root[1]).walk("/tmp", max_entries=100)]
        assert paths == sorted(paths)
        assert set(paths) == {f"/tmp/{name}" for name in (*names, "loop")}
        assert CrunWorld(root[1]).stat("/tmp/\udcff\udcfe") is not None

    def test_a_walk_stops_at_its_limit(self, root: tuple[Path, int]) -> None:
        for number in range(20):
            (root[0] / f"tmp/{number}").touch()
        with pytest.raises(SandboxError, match="more than 19 entries"):
            list(CrunWorld(root[1]).walk("/tmp", max_entries=19))

    def test_a_tree_deeper_than_any_path_ends_the_walk(self, root: tuple[Path, int]) -> None:
        make = "chdir $ARGV[0]; for (1 .. 60) { mkdir $ARGV[1] or die; chdir $ARGV[1] or die }"
        subprocess.run(["perl", "-e", make, str(root[0] / "tmp"), "d" * 200], check=True)
        with pytest.raises(SandboxError, match="deeper than a path"):
            list(CrunWorld(root[1]).walk("/tmp", max_entries=10_000))
        subprocess.run(["rm", "-rf", str(root[0] / "tmp")], check=True)

    def test_walking_what_is_no_directory_gives_nothing(self, root: tuple[Path, int]) -> None:
        world = CrunWorld(root[1])
        assert list(world.walk("/etc/passwd", max_entries=10)) == []
        assert list(world.walk("/none", max_entries=10)) == []

    def test_a_world_whose_container_died_is_an_error(self, root: tuple[Path, int]) -> None:
        with pytest.raises(SandboxError, match="has ended"):
            CrunWorld(root[1], alive=lambda: False).stat("/etc/passwd")


@pytest.mark.skipif(os.geteuid() != 0, reason="placing files as other users needs root")
class TestPlacing:
    def test_files_and_parents_get_their_modes_whatever_the_umask(self, root: tuple[Path, int]) -> None:
        before = os.umask(0o077)
        try:
            files = (
                PlacedFile(path="/srv/a/b/run", content=b"#!", mode=0o751, owner="root"),
                PlacedFile(path="/home/operator/note", content=b"x", mode=0o600),
            )
            place(root[1], SandboxSpec(trial="t", files=files, motd="hello\n"))
        finally:
            os.umask(before)
        world = CrunWorld(root[1])
        found = {path: world.stat(path) for path in ("/srv/a/b", "/srv/a/b/run", "/home/operator/note", "/etc/motd")}
        seen = {path: (entry.mode, entry.uid) for path, entry in found.items() if entry is not None}
        assert seen == {
            "/srv/a/b": (0o755, 0),
            "/srv/a/b/run": (0o751, 0),
            "/home/operator/note": (0o600, 1000),
            "/etc/motd": (0o644, 0),
        }

    def test_a_link_in_the_world_leads_nowhere_else(self, root: tuple[Path, int]) -> None:
        (root[0] / "srv").symlink_to("/tmp")
        (root[0] / "tmp/target").symlink_to("../../secret")
        place(root[1], SandboxSpec(trial="t", files=(PlacedFile(path="/srv/target", content=b"new"),)))
        assert (root[0] / "tmp/target").read_bytes() == b"new"
        assert (root[0].parent / "secret").read_bytes() == OUTSIDE

    @pytest.mark.parametrize(
        "path", ["/usr/bin/x", "etc/x", "/etc/../root/x", "/etc", "/etc/", "/home//x", "/etcetera/x"]
    )
    def test_other_places_are_refused(self, root: tuple[Path, int], path: str) -> None:
        with pytest.raises(SandboxError, match="cannot place"):
            place(root[1], SandboxSpec(trial="t", files=(PlacedFile(path=path, content=b""),)))

    def test_a_directory_in_the_way_is_named(self, root: tuple[Path, int]) -> None:
        files = (PlacedFile(path="/srv/a/b", content=b""), PlacedFile(path="/srv/a", content=b""))
        with pytest.raises(SandboxError, match="cannot place /srv/a: "):
            place(root[1], SandboxSpec(trial="t", files=files))


def child(script: str) -> subprocess.Popen[bytes]:
    pipe = subprocess.PIPE
    return subprocess.Popen(["sh", "-c", script], stdin=pipe, stdout=pipe, stderr=pipe)


class TestPump:
    def test_it_feeds_and_reads_both_streams(self) -> None:
        data = os.urandom(300_000)
        with child("cat; echo oops >&2; exit 3") as process:
            said = pump(process, data, timeout=30, max_output=1 << 20)
            assert (said.ended, said.stdout, said.stderr, said.truncated) == (True, data, b"oops\n", False)
            assert process.wait() == 3

    def test_a_child_that_does_not_read_does_not_hold_it_up(self) -> None:
        with child("exit 0") as process:
            assert pump(process, b"x" * 1_000_000, timeout=30, max_output=10).ended

    def test_output_is_bounded(self) -> None:
        with child("head -c 5000000 /dev/zero; head -c 11 /dev/zero >&2") as process:
            said = pump(process, b"", timeout=30, max_output=10)
            assert (len(said.stdout), len(said.stderr), said.truncated) == (10, 10, True)

    def test_it_returns_at_the_deadline(self) -> None:
        with child("echo early; exec sleep 1000") as process:
            said = pump(process, b"", timeout=0.3, max_output=100)
            assert (said.ended, said.stdout) == (False, b"early\n")
            process.kill()

    def test_the_end_counts_and_not_what_stays_in_the_background(self) -> None:
        with child("yes & echo $! >&2; exec 1>&-; sleep 0.2") as process:
            said = pump(process, b"", timeout=30, max_output=100)
            os.kill(int(said.stderr), 9)
            assert said.ended
            assert said.stdout.startswith(b"y\ny\n")


class TestConfiguration:
    def test_only_root_has_capabilities(self) -> None:
        sets = process(("true",), user="root", env=())["capabilities"]
        assert sets["bounding"] == sets["effective"] == [f"CAP_{name}" for name in CAPABILITIES]
        assert sets["inheritable"] == sets["ambient"] == []
        operator = process(("true",), user="operator", env=())
        assert not any(operator["capabilities"].values())
        assert operator["user"] == {"uid": 1000, "gid": 1000}
        assert operator["noNewPrivileges"]

    def test_every_writable_root_lies_on_the_one_sized_file_system(self) -> None:
        mounts = config(SandboxSpec(trial="t"), rootfs="/r", container="c")["mounts"]
        overlays = {mount["destination"] for mount in mounts if mount["type"] == "overlay"}
        assert overlays == set(WRITABLE_ROOTS)
        sized = [option for mount in mounts for option in mount["options"] if option.startswith("size=")]
        assert sized == ["size=64k", f"size={64 << 20}"]

    def test_no_secret_stands_on_a_command_line(self) -> None:
        document = config(SandboxSpec(trial="t", end_secret="hush-hush"), rootfs="/r", container="c")  # noqa: S106 - that is the point
        assert document["process"]["args"] == ["/usr/local/lib/evalh/init"]
        assert "EVALH_END=hush-hush" in document["process"]["env"]

    @pytest.mark.parametrize("machine", ["x86_64", "aarch64", "riscv64", "ppc64le", "s390x"])
    def test_the_filter_lets_no_way_to_more_power_through(self, machine: str) -> None:
        found = profile(machine)
        assert found is not None
        plain = {
            name
            for rule in found["syscalls"]
            if "args" not in rule
            for name in rule["names"]
            if rule["action"] == "SCMP_ACT_ALLOW"
        }
        forbidden = (
            "mount umount2 unshare setns bpf keyctl add_key clone clone3 socket socketcall reboot kexec_load chroot "
        )
        forbidden += (
            "pivot_root init_module open_by_handle_at perf_event_open io_uring_setup userfaultfd swapon acct syslog"
        )
        assert plain.isdisjoint(forbidden.split())
        assert {"openat", "execve", "wait4", "ioctl", "kill"} <= plain
        assert found["defaultErrnoRet"] == 1

    def test_an_unknown_machine_has_no_filter(self) -> None:
        assert profile("pdp11") is None
