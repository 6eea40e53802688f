"""The listing by which two ways of building an image are compared."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from harness.sandbox.image import content_listing, digest_of


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    root = tmp_path / "root"
    for folder in ("etc", "usr/bin", "dev", "proc/1", "sys"):
        (root / folder).mkdir(parents=True)
    (root / "etc/passwd").write_text("root\n")
    (root / "etc/hostname").write_text("here\n")
    (root / "etc/mörk").symlink_to("passwd")
    (root / "usr/bin/a").write_bytes(b"\0\1")
    (root / "usr/bin/a").chmod(0o4755)
    (root / "usr/bin/b").hardlink_to(root / "usr/bin/a")
    (root / "dev/x").write_text("x")
    (root / ".dockerenv").touch()
    os.mkfifo(root / "etc/pipe")
    return root


def packed(tree: Path) -> Path:
    tar = tree.parent / "root.tar"
    subprocess.run(["tar", "-C", str(tree), "-cf", str(tar), "."], check=True)
    return tar


def test_a_tree_and_its_tar_have_one_listing(tree: Path) -> None:
    assert content_listing(packed(tree)) == content_listing(tree)


def test_it_has_no_times_and_nothing_that_engines_put_in(tree: Path) -> None:
    before = content_listing(tree)
    os.utime(tree / "etc/passwd", (1, 1))
    (tree / "etc/hostname").write_text("there\n")
    (tree / "proc/2").mkdir()
    assert content_listing(tree) == before
    assert [item.path for item in before] == [
        "/etc",
        "/etc/mörk",
        "/etc/passwd",
        "/etc/pipe",
        "/usr",
        "/usr/bin",
        "/usr/bin/a",
        "/usr/bin/b",
    ]
    assert {item.kind for item in before} == {"directory", "symlink", "file", "other"}


@pytest.mark.parametrize(
    "change",
    [
        lambda root: (root / "etc/passwd").write_text("toor\n"),
        lambda root: (root / "etc/passwd").chmod(0o600),
        lambda root: (root / "usr/bin/a").chmod(0o755),
        lambda root: (root / "etc/new").touch(),
        lambda root: (root / "etc/pipe").unlink(),
        lambda root: ((root / "etc/mörk").unlink(), (root / "etc/mörk").symlink_to("/etc/passwd")),
    ],
)
def test_every_other_change_changes_the_digest(tree: Path, change: object) -> None:
    before = digest_of(content_listing(tree))
    assert callable(change)
    change(tree)
    assert digest_of(content_listing(tree)) != before
    assert digest_of(content_listing(packed(tree))) == digest_of(content_listing(tree))
