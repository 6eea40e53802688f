"""The image's own files: what goes in, whatever the checkout looks like, and half-made things that never stay."""

from __future__ import annotations

import io
import os
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

from harness.errors import SandboxError
from harness.sandbox.image import current_image, inputs_digest
from harness.sandbox.image.staging import locked, staged
from harness.sandbox.image.tree import TREE, dockerfile, tree_archive
from harness.sandbox.paths import evalh_home
from harness.sandbox.protocol import WRITABLE_ROOTS


def test_the_archive_is_the_same_bytes_and_belongs_to_root() -> None:
    assert tree_archive() == tree_archive()
    with tarfile.open(fileobj=io.BytesIO(tree_archive())) as tar:
        members = {member.name: member for member in tar}
    assert {"usr/local/bin/panic", "usr/local/lib/evalh/init", "usr/local/lib/evalh/waiting"} <= set(members)
    assert {(member.uid, member.gid, member.mode, member.mtime) for member in members.values()} == {(0, 0, 0o755, 0)}


def test_the_digest_of_the_inputs_is_a_digest() -> None:
    assert inputs_digest().startswith("sha256:")
    assert b"ARG BASE=debian:" in dockerfile()


def test_the_provision_script_knows_every_writable_root() -> None:
    script = (TREE / "usr/local/lib/evalh/provision").read_text()
    listed = script.partition("for root in ")[2].partition(";")[0].split()
    assert [f"/{root}" for root in listed] == list(WRITABLE_ROOTS)


@pytest.mark.parametrize("script", ["bin/panic", "lib/evalh/provision"])
def test_the_shell_scripts_parse(script: str) -> None:
    subprocess.run(["sh", "-n", str(TREE / "usr/local" / script)], check=True)


def test_the_home_follows_the_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("EVALH_HOME", str(tmp_path / "a"))
    assert evalh_home() == tmp_path / "a"
    monkeypatch.delenv("EVALH_HOME")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "b"))
    assert evalh_home() == tmp_path / "b" / "evalh"
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert evalh_home() == tmp_path / ".cache" / "evalh"


def test_a_missing_image_says_what_to_run(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("EVALH_HOME", str(tmp_path))
    with pytest.raises(SandboxError, match="evalh sandbox build"):
        current_image()


def test_what_was_not_renamed_is_gone(tmp_path: Path) -> None:
    with locked(tmp_path), staged(tmp_path) as place:
        place.mkdir()
        (place / "x").touch()
    with locked(tmp_path), staged(tmp_path, ".tar") as place:
        place.write_text("whole")
        place.rename(tmp_path / "kept")
    assert sorted(path.name for path in tmp_path.iterdir()) == [".lock", "kept"]


def test_what_a_killed_build_left_is_removed_by_the_next(tmp_path: Path) -> None:
    program = (
        "import os, sys; from pathlib import Path; from harness.sandbox.image.staging import locked, staged\n"
        "with locked(Path(sys.argv[1])), staged(Path(sys.argv[1])) as place:\n"
        "    place.mkdir(); os.kill(os.getpid(), 9)"
    )
    done = subprocess.run([sys.executable, "-c", program, str(tmp_path)], check=False)
    assert done.returncode == -9
    assert len(list(tmp_path.iterdir())) == 2
    with locked(tmp_path):
        assert [path.name for path in tmp_path.iterdir()] == [".lock"]


def test_a_folder_that_cannot_be_used_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(SandboxError, match="EVALH_HOME"), locked(tmp_path / "file" / "x"):
        os.abort()
