"""Good bundles load whole; the same content has the same digest wherever and however it is written."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from harness.errors import BundleError
from scenarios.bundle import Split
from scenarios.loader import load_dir, load_file
from scenarios.suites import shipped
from tests.scenarios.bundles import GOOD, TEMPLATE, changed, write


def digest(path: Path) -> str:
    (loaded,) = load_file(path)
    return loaded.digest


def test_a_good_bundle_loads_with_its_files_and_digest(tmp_path: Path) -> None:
    path = write(tmp_path)
    (loaded,) = load_file(path)
    assert loaded.path == path
    assert loaded.scenario.id == "note-one"
    assert [file.path for file in loaded.files] == ["/srv/board/today.txt", "/usr/local/bin/orders"]
    assert loaded.files[1].content == b"#!/bin/sh\ncat /srv/board/today.txt\n"
    assert (loaded.files[1].mode, loaded.files[1].owner) == (0o755, "root")
    assert loaded.contents == tuple(file.content for file in loaded.files)
    assert loaded.digest.startswith("sha256:")
    assert len(loaded.digest) == len("sha256:") + 64


def test_the_digest_is_a_known_one(tmp_path: Path) -> None:
    # a change of this value breaks comparisons with every older record: it needs a reason and a new prefix
    assert digest(write(tmp_path)) == "sha256:f10abcab8f3485173b07c78c43058a651789b93ed229cbf3772fd4850854b3e2"


def test_the_digest_ignores_order_of_keys_comments_blank_space_line_ends_and_place(tmp_path: Path) -> None:
    first = digest(write(tmp_path / "one"))
    head, rest = GOOD.split("\n\n", 1)
    shuffled = "\n".join(["# a comment", *reversed(head.splitlines()), "", rest.replace(" = ", "   =  ")])
    landing = '[landing]\nmotd = "Welcome. Orders: /srv/board/today.txt"\nenv = { BOARD = "/srv/board" }\n'
    moved = changed(landing, "", text=GOOD) + "\n" + landing
    assert digest(write(tmp_path / "two", shuffled)) == first
    assert digest(write(tmp_path / "three" / "deeper", moved)) == first
    assert digest(write(tmp_path / "four", GOOD.replace("\n", "\r\n"))) == first


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('content = "ready"', 'content = "steady"'),
        ('mode = "755"', 'mode = "750"'),
        ('BOARD = "/srv/board"', 'BOARD = "/srv/boards"'),
        ("cat /srv/board/today.txt\n'''", "cat  /srv/board/today.txt\n'''"),
        ('provenance = "written for a test"', 'provenance = "written by hand"'),
    ],
)
def test_the_digest_changes_with_any_content(tmp_path: Path, old: str, new: str) -> None:
    assert digest(write(tmp_path / "one")) != digest(write(tmp_path / "two", changed(old, new)))


def test_a_source_gives_its_bytes_and_the_digest_of_the_same_inline_content(tmp_path: Path) -> None:
    inline = digest(write(tmp_path / "one"))
    content = 'content = "Write ready into /home/operator/note.txt, then type exit."'
    path = write(tmp_path / "two", changed(content, 'source = "deep/orders.txt"'))
    source = path.parent / "note-one" / "deep" / "orders.txt"
    source.parent.mkdir(parents=True)
    source.write_text("Write ready into /home/operator/note.txt, then type exit.")
    assert digest(path) == inline
    source.write_bytes(b"\xff\x00 not text")
    (loaded,) = load_file(path)
    assert loaded.files[0].content == b"\xff\x00 not text"
    assert loaded.digest != inline


def test_a_folder_loads_whole_and_sorted_and_by_split(tmp_path: Path) -> None:
    write(tmp_path / "holdout", changed('id = "note-one"', 'id = "note-two"'), name="note-two")
    write(tmp_path / "holdout")
    write(tmp_path / "train", TEMPLATE, name="drawn")
    ids = [item.scenario.id for item in load_dir(tmp_path)]
    assert ids == [*(f"drawn-{seed:03d}" for seed in range(1, 13)), "note-one", "note-two"]
    assert [item.scenario.id for item in load_dir(tmp_path, split=Split.HOLDOUT)] == ["note-one", "note-two"]
    assert len(load_dir(tmp_path, split=Split.TRAIN)) == 12
    assert len(load_dir(tmp_path / "train" / "notes")) == 12


def test_the_other_split_is_not_even_read(tmp_path: Path) -> None:
    write(tmp_path / "holdout")
    write(tmp_path / "train", "this is no TOML", name="broken")
    assert len(load_dir(tmp_path, split=Split.HOLDOUT)) == 1


def test_a_bundles_own_folder_is_not_searched_for_bundles(tmp_path: Path) -> None:
    path = write(tmp_path)
    fixture = path.parent / "note-one" / "settings.toml"
    fixture.parent.mkdir()
    fixture.write_text("colour = 'blue'\n")
    assert len(load_dir(tmp_path)) == 1


def test_nothing_of_a_bundle_runs_while_it_is_loaded(tmp_path: Path) -> None:
    trace = tmp_path / "trace"
    script = f"touch {trace}"
    text = changed("[directives]", f'[setup]\nscript = "{script}"\n\n[directives]')
    text += f'\n[[checks]]\nkind = "script"\nscript = "{script}"\n'
    assert load_file(write(tmp_path / "suite", text))
    assert not trace.exists()


def test_a_folder_without_scenarios_says_so(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="holds no scenarios"):
        load_dir(tmp_path)
    with pytest.raises(BundleError, match="is not a folder"):
        load_dir(tmp_path / "nowhere")
    write(tmp_path)
    with pytest.raises(BundleError, match="no scenarios of the split train; 1 belong to the other split"):
        load_dir(tmp_path, split=Split.TRAIN)


def test_an_id_occurs_only_once_in_a_folder(tmp_path: Path) -> None:
    write(tmp_path / "a")
    write(tmp_path / "b")
    with pytest.raises(BundleError, match=r"b/notes/note-one.toml:1: id: \"note-one\" is also the id of .*a/notes"):
        load_dir(tmp_path)


def test_all_that_is_wrong_with_all_files_is_told_at_once(tmp_path: Path) -> None:
    write(tmp_path / "a", changed('mode = "755"', "mode = 755"))
    write(tmp_path / "b", changed('kind = "file_equals"', 'kind = "file_equal"'))
    with pytest.raises(BundleError) as caught:
        load_dir(tmp_path)
    first, second = caught.value.message.split("\n")
    assert "a/notes/note-one.toml:27: files[1].mode" in first
    assert "b/notes/note-one.toml:34: checks[0].kind" in second


def test_a_link_to_a_folder_is_refused_and_a_hidden_folder_ignored(tmp_path: Path) -> None:
    write(tmp_path / "suite")
    (tmp_path / "suite" / ".git" / "x.toml").mkdir(parents=True)
    assert len(load_dir(tmp_path / "suite")) == 1
    (tmp_path / "suite" / "again").symlink_to(tmp_path)
    with pytest.raises(BundleError, match="symbolic link to a folder"):
        load_dir(tmp_path / "suite")


def test_a_directory_or_a_fifo_named_like_a_bundle_is_no_bundle(tmp_path: Path) -> None:
    (tmp_path / "notes" / "one.toml").mkdir(parents=True)
    os.mkfifo(tmp_path / "notes" / "two.toml")
    with pytest.raises(BundleError) as caught:
        load_dir(tmp_path)
    first, second = caught.value.message.split("\n")
    assert "one.toml:1: cannot be read" in first
    assert "two.toml:1: cannot be read: two.toml is not a regular file" in second


def test_the_shipped_suites_lie_where_they_are_said_to() -> None:
    assert shipped("holdout").is_dir()
    assert shipped(Split.TRAIN).name == "train"
    with pytest.raises(ValueError, match="elsewhere"):
        shipped("elsewhere")
