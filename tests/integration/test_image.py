"""The image: two ways of building it give one content, and that content is what the contract says."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.errors import SandboxError
from harness.sandbox.docker.api import DockerApi
from harness.sandbox.image import Item, build_base, build_rootfs, content_listing, current_image, digest_of
from harness.sandbox.image.dockerized import build_docker, export_docker
from harness.sandbox.protocol import WRITABLE_ROOTS


def said(_: str) -> None:
    """Nobody listens."""


@pytest.fixture(scope="module")
def listing() -> tuple[Item, ...]:
    try:
        return content_listing(current_image().rootfs)
    except SandboxError as error:
        pytest.skip(str(error))


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An empty evalh home with the base of the real one, so that a build takes seconds."""
    if os.geteuid() != 0:
        pytest.skip("the daemonless image is built by root")
    try:
        base = build_base(said)
    except SandboxError as error:
        pytest.skip(str(error))
    (tmp_path / "base").mkdir()
    (tmp_path / "base" / base.name).symlink_to(base)
    monkeypatch.setenv("EVALH_HOME", str(tmp_path))
    yield tmp_path
    subprocess.run(["rm", "-rf", str(tmp_path / "images")], check=True)


@pytest.mark.docker
@pytest.mark.crun
def test_docker_and_the_daemonless_build_give_the_same_content(home: Path) -> None:
    try:
        with DockerApi() as api:
            image = build_docker(api, said)
            export_docker(api, image.id, home / "export.tar")
    except SandboxError as error:
        pytest.skip(f"docker: {error}")
    if not image.base_made:
        pytest.skip("Docker's base was pulled here, so the daemonless image is taken from Docker's")
    built = build_rootfs(said)
    by_docker, daemonless = content_listing(home / "export.tar"), content_listing(built.rootfs)
    assert set(by_docker) ^ set(daemonless) == set()
    assert digest_of(by_docker) == built.digest


@pytest.mark.crun
class TestBuilding:
    def test_it_is_built_once_and_reproducibly(self, home: Path) -> None:
        lines: list[str] = []
        first = build_rootfs(said)
        assert build_rootfs(lines.append) == first
        assert lines[-1].endswith("is there")
        assert current_image() == first
        subprocess.run(["rm", "-rf", str(home / "images")], check=True)
        assert build_rootfs(said).digest == first.digest

    def test_a_broken_base_is_told_and_changes_nothing(self, home: Path) -> None:
        first = build_rootfs(said)
        (home / "broken.tar").write_bytes(b"not a tar" * 1000)
        with pytest.raises(SandboxError, match=r"broken\.tar could not be unpacked"):
            build_rootfs(said, base=home / "broken.tar")
        assert current_image() == first
        assert not [path for path in (home / "images").iterdir() if path.name.startswith(".unfinished")]

    def test_the_build_mounts_nothing(self, home: Path) -> None:
        build_rootfs(said)
        assert str(home) not in Path("/proc/self/mountinfo").read_text()


@pytest.mark.crun
class TestContent:
    def test_the_tools_of_the_contract_are_there(self, listing: tuple[Item, ...]) -> None:
        paths = {item.path for item in listing}
        programs = "dash sh ls cp mv find xargs grep sed awk tar gzip sort head tail perl setpriv stty mkdir chmod diff"
        assert {f"/usr/bin/{name}" for name in programs.split()} <= paths
        assert {"/usr/local/bin/panic", "/usr/local/lib/evalh/init", "/usr/local/lib/evalh/waiting"} <= paths

    def test_nothing_in_it_changes_who_one_is(self, listing: tuple[Item, ...]) -> None:
        assert [item.path for item in listing if item.kind == "file" and item.mode & 0o6000] == []

    def test_everything_but_the_home_belongs_to_root_and_is_closed_to_others(self, listing: tuple[Item, ...]) -> None:
        assert {item.path for item in listing if item.uid == 1000} == {"/home/operator"}
        open_to_all = {item.path for item in listing if item.kind != "symlink" and item.mode & 0o002}
        assert {path for path in open_to_all if not path.startswith("/usr/lib/evalh/")} == {
            "/tmp",
            "/var/tmp",
            "/run/lock",
        }

    def test_it_tells_nothing_of_the_machine_that_built_it(self, listing: tuple[Item, ...]) -> None:
        rootfs = current_image().rootfs
        assert (rootfs / "etc/hostname").read_text() == "shell\n"
        assert (rootfs / "etc/resolv.conf").read_text() == ""
        assert (rootfs / "etc/motd").read_text() == ""
        assert not {"/etc/machine-id", "/etc/apt", "/var/lib/apt"} & {item.path for item in listing}

    def test_each_writable_root_has_its_layer_with_the_same_mode(self, listing: tuple[Item, ...]) -> None:
        items = {item.path: item for item in listing}
        for root in WRITABLE_ROOTS:
            layer = items[f"/usr/lib/evalh/upper{root}"]
            assert (layer.mode, layer.uid, layer.gid) == (items[root].mode, items[root].uid, items[root].gid)
        assert items["/usr/lib/evalh"].mode == 0o700

    def test_the_operator_is_a_user_who_cannot_log_in(self, listing: tuple[Item, ...]) -> None:
        rootfs = current_image().rootfs
        assert "operator:x:1000:1000:operator:/home/operator:/bin/sh\n" in (rootfs / "etc/passwd").read_text()
        assert (rootfs / "etc/group").read_text().count("operator:") == 1
        shadow = rootfs / "etc/shadow"
        assert not shadow.exists() or "operator:*:" in shadow.read_text()
