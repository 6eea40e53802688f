"""How worlds are read from outside, by every engine and on each way it has: nothing escapes, nothing hangs."""

from __future__ import annotations

import os

import pytest

from harness.errors import SandboxError
from harness.sandbox.protocol import Engine, Sandbox
from harness.world import EntryKind
from tests.integration.session import landed, spec

LINKS = """
mkdir -p /srv/a/b /srv/other
echo deep > /srv/a/b/file
echo above > /srv/above
ln -s b/file /srv/a/relative
ln -s /srv/a/b /srv/absolute
ln -s ../../../../../../srv/above /srv/a/climbs
ln -s /srv/absolute/../b/file /srv/through
ln -s nowhere /srv/dangling
ln -s round2 /srv/round1
ln -s round1 /srv/round2
ln -s myself /srv/myself
ln -s /etc/hostname-of-nobody /srv/broken
ln -s /proc/1/root/etc/passwd /srv/magic
ln -s /srv/a/b/file/ /srv/slashed
i=0; ln -s /srv/above /srv/chain0
while [ $i -lt 60 ]; do ln -s chain$i /srv/chain$((i + 1)); i=$((i + 1)); done
"""


def text(sandbox: Sandbox, path: str) -> bytes | None:
    return sandbox.world.read(path, max_bytes=1000)


def reads_any_name(engine: Engine) -> bool:
    """Docker's archives cannot be asked for a name that is not UTF-8; `walk` shows it nevertheless."""
    return getattr(engine, "look_inside", True) is True


def test_symlinks_resolve_inside_the_world(engine: Engine) -> None:
    with engine.open(spec(setup=LINKS)) as sandbox:
        assert text(sandbox, "/srv/a/relative") == b"deep\n"
        assert text(sandbox, "/srv/absolute/file") == b"deep\n"
        assert text(sandbox, "/srv/absolute/../b/file") == b"deep\n"
        assert text(sandbox, "/srv/a/climbs") == b"above\n"
        assert text(sandbox, "/srv/through") == b"deep\n"
        assert text(sandbox, "/../../../srv/above") == b"above\n"
        assert text(sandbox, "//srv/./a//b/file") == b"deep\n"
        assert text(sandbox, "/srv/chain20") == b"above\n"


def test_links_that_lead_nowhere_are_nothing_when_followed_and_links_when_not(engine: Engine) -> None:
    with engine.open(spec(setup=LINKS)) as sandbox:
        for path in ("dangling", "round1", "myself", "broken", "chain60"):
            assert text(sandbox, f"/srv/{path}") is None, path
            assert sandbox.world.stat(f"/srv/{path}") is None, path
            entry = sandbox.world.stat(f"/srv/{path}", follow=False)
            assert entry is not None, path
            assert entry.kind is EntryKind.SYMLINK, path
        dangling = sandbox.world.stat("/srv/dangling", follow=False)
        assert dangling is not None
        assert (dangling.target, dangling.uid) == ("nowhere", 0)


def test_a_link_to_where_no_file_can_be_leads_nowhere(engine: Engine) -> None:
    with engine.open(spec()) as sandbox:
        session = landed(sandbox)
        session.type("mkdir here; ln -s $(printf %0300d 0) long; ln -s here/$(printf %0300d 0)/x below")
        session.type("ln -s /etc/passwd/x file")
        session.type("ln -s $(perl -e 'print join q(/), (q(d) x 190) x 21') deep")
        for path in ("long", "below", "deep", "file", "0" * 300):
            assert text(sandbox, f"/home/operator/{path}") is None, path
            assert sandbox.world.stat(f"/home/operator/{path}") is None, path
            assert list(sandbox.world.walk(f"/home/operator/{path}", max_entries=10)) == [], path
        entry = sandbox.world.stat("/home/operator/long", follow=False)
        assert entry is not None
        assert entry.kind is EntryKind.SYMLINK
        assert sandbox.world.stat(f"/home/operator/{'0' * 300}", follow=False) is None


def test_what_is_not_there_or_no_file_reads_as_none(engine: Engine) -> None:
    with engine.open(spec(setup=LINKS)) as sandbox:
        for path in ("/srv/none", "/none/at/all", "/srv/above/below", "/srv", "/", "/srv/above/"):
            assert text(sandbox, path) is None, path
        assert sandbox.world.stat("/srv/above/below") is None
        assert list(sandbox.world.walk("/srv/none", max_entries=10)) == []
        assert list(sandbox.world.walk("/srv/above", max_entries=10)) == []


def test_no_path_reaches_this_machines_files(engine: Engine, tmp_path: object) -> None:
    secret = f"{tmp_path}/secret"
    with open(secret, "w", encoding="utf-8") as file:  # noqa: PTH123 - tmp_path is a path
        file.write("the machine's own")
    setup = f"ln -s {secret} /tmp/out; ln -s /proc/1/cwd/../../..{secret} /tmp/magic; ln -s / /tmp/root"
    with engine.open(spec(setup=setup)) as sandbox:
        for path in (secret, "/tmp/out", "/tmp/magic", f"/tmp/root/../..{secret}", f"/proc/self/root{secret}"):
            assert text(sandbox, path) is None, path


def test_reading_is_capped(engine: Engine) -> None:
    setup = "head -c 100000 /dev/zero > /tmp/large; truncate -s 1T /tmp/sparse"
    with engine.open(spec(setup=setup)) as sandbox:
        assert sandbox.world.read("/tmp/large", max_bytes=10) == b"\0" * 11
        assert sandbox.world.read("/tmp/large", max_bytes=100000) == b"\0" * 100000
        assert sandbox.world.read("/tmp/sparse", max_bytes=10) == b"\0" * 11
        sparse = sandbox.world.stat("/tmp/sparse")
        assert sparse is not None
        assert sparse.size == 1 << 40


def test_pipes_sockets_and_devices_neither_hang_nor_read(engine: Engine) -> None:
    with engine.open(spec()) as sandbox:
        session = landed(sandbox)
        session.type(
            "mkfifo /tmp/pipe; "
            "perl -MSocket -e 'socket(S, PF_UNIX, SOCK_STREAM, 0); bind(S, sockaddr_un(q(/tmp/sock)))'"
        )
        session.type("ln -s /tmp/pipe /tmp/topipe")
        for path in ("/tmp/pipe", "/tmp/topipe", "/tmp/sock", "/dev/zero", "/dev/full"):
            assert text(sandbox, path) is None, path
            entry = sandbox.world.stat(path)
            assert entry is None or entry.kind is EntryKind.OTHER, path
        pipe = sandbox.world.stat("/tmp/pipe")
        assert pipe is not None
        assert (pipe.kind, pipe.uid) == (EntryKind.OTHER, 1000)


def test_odd_names_and_modes_are_told_as_they_are(engine: Engine) -> None:
    names = [b"two\nlines", b"\xff\xfe", b"-rf", b" ", b"a" * 255, "grüße".encode(), b"\x1b[31m", b"%2e%2e", b"a?b#c"]
    with engine.open(spec()) as sandbox:
        session = landed(sandbox)
        session.type("mkdir ~/odd; chmod 1751 ~/odd")
        for name in names:
            escaped = "".join(f"\\{byte:03o}" for byte in b"/home/operator/odd/" + name)
            session.type(f"""p="$(printf '{escaped}x')"; echo text > "${{p%x}}"; chmod 4640 "${{p%x}}" """)
        walked = {entry.path: entry for entry in sandbox.world.walk("/home/operator/odd", max_entries=100)}
        assert sorted(os.fsencode(path) for path in walked) == sorted(b"/home/operator/odd/" + name for name in names)
        for path, entry in walked.items():
            assert (entry.kind, entry.mode, entry.uid, entry.gid, entry.size) == (EntryKind.FILE, 0o4640, 1000, 1000, 5)
            if reads_any_name(engine) or "\udcff" not in path:
                assert text(sandbox, path) == b"text\n"
        directory = sandbox.world.stat("/home/operator/odd")
        assert directory is not None
        assert (directory.kind, directory.mode) == (EntryKind.DIRECTORY, 0o1751)


def test_walking_is_sorted_complete_and_follows_no_link(engine: Engine) -> None:
    setup = "cd /srv; mkdir -p t/z/y t/empty; echo 1 > t/z/y/f; ln -s / t/all; ln t/z/y/f t/hard; echo 22 > t/z.x"
    with engine.open(spec(setup=setup)) as sandbox:
        walked = list(sandbox.world.walk("/srv/t", max_entries=100))
        assert [(entry.path, entry.kind.value) for entry in walked] == [
            ("/srv/t/all", "symlink"),
            ("/srv/t/empty", "directory"),
            ("/srv/t/hard", "file"),
            ("/srv/t/z", "directory"),
            ("/srv/t/z.x", "file"),
            ("/srv/t/z/y", "directory"),
            ("/srv/t/z/y/f", "file"),
        ]
        assert walked[0].target == "/"
        assert [entry.size for entry in walked if entry.kind is EntryKind.FILE] == [2, 3, 2]
        with pytest.raises(SandboxError):
            list(sandbox.world.walk("/srv/t", max_entries=6))


def test_a_deep_tree_neither_hangs_nor_overflows(engine: Engine) -> None:
    with engine.open(spec()) as sandbox:
        session = landed(sandbox)
        down = "mkdir q(dddddddd) or last; chdir q(dddddddd) or last"
        session.type(f"perl -e 'mkdir q(/tmp/deep); chdir q(/tmp/deep); for (1 .. 1500) {{ {down} }}'")
        try:
            assert len(list(sandbox.world.walk("/tmp/deep", max_entries=5000))) > 100
        except SandboxError as error:
            assert "/tmp/deep" in error.message  # noqa: PT017 - either is right: told whole, or refused by name


def test_what_the_session_changes_is_seen_at_once(engine: Engine) -> None:
    with engine.open(spec()) as sandbox:
        session = landed(sandbox)
        for number in range(3):
            session.type(f"echo {number} > /tmp/note")
            assert text(sandbox, "/tmp/note") == f"{number}\n".encode()
        session.type("rm /tmp/note")
        assert sandbox.world.stat("/tmp/note") is None


def test_a_container_that_is_gone_is_a_sandbox_error(engine: Engine) -> None:
    with engine.open(spec()) as sandbox:
        world = sandbox.world
        landed(sandbox)
    with pytest.raises(SandboxError):
        world.read("/etc/passwd", max_bytes=10)
