"""A bundle's sources come from its own folder, and from nowhere else."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from harness.errors import BundleError
from scenarios.loader import load_file
from tests.scenarios.bundles import changed, write

CONTENT = 'content = "Write ready into /home/operator/note.txt, then type exit."'


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("gone.txt", 'there is no file "gone.txt"; a source is a path inside the folder note-one/ beside the bundle'),
        ("../other.txt", '"../other.txt" has an empty part, `.` or `..` in it'),
        ("/etc/hostname", '"/etc/hostname" is an absolute path'),
        ("link.txt", '"link.txt" goes through the symbolic link "link.txt"; put the file itself there'),
        ("linked/secret.txt", '"linked/secret.txt" goes through the symbolic link "linked"'),
        ("folder", '"folder" cannot be read: Is a directory'),
        ("fifo", '"fifo" cannot be read: fifo is not a regular file'),
        ("", "the path is empty"),
    ],
)
def test_a_source_stays_in_the_bundles_own_folder(tmp_path: Path, source: str, said: str) -> None:
    path = write(tmp_path, changed(CONTENT, f'source = "{source}"'))
    own, secret = path.parent / "note-one", tmp_path / "secret"
    (own / "folder").mkdir(parents=True)
    secret.mkdir()
    (secret / "secret.txt").write_text("secret")
    (own / "link.txt").symlink_to(secret / "secret.txt")
    (own / "linked").symlink_to(secret)
    os.mkfifo(own / "fifo")
    with pytest.raises(BundleError) as caught:
        load_file(path)
    assert f"{path}:19: files[0].source: {said}" in caught.value.message


def test_a_bundles_folder_may_not_be_a_link_itself(tmp_path: Path) -> None:
    path = write(tmp_path, changed(CONTENT, 'source = "secret.txt"'))
    (tmp_path / "secret").mkdir()
    (tmp_path / "secret" / "secret.txt").write_text("secret")
    (path.parent / "note-one").symlink_to(tmp_path / "secret")
    with pytest.raises(BundleError, match='goes through the symbolic link "note-one"'):
        load_file(path)


def test_a_world_has_a_largest_size(tmp_path: Path) -> None:
    path = write(tmp_path, changed(CONTENT, 'source = "large.bin"'))
    (path.parent / "note-one").mkdir()
    with (path.parent / "note-one" / "large.bin").open("wb") as file:
        file.truncate(1 << 40)
    with pytest.raises(BundleError, match="files: the files hold more than 8388608 bytes together"):
        load_file(path)
