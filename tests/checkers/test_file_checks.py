"""File checks over a real directory tree, with everything in it that an adversary may put there."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from checkers.json_equals import equal, parsed
from checkers.judging import LARGEST_FILE, difference
from harness.values import Outcome
from tests.checkers.checking import judge, passes
from tests.checkers.real_world import RealJudgedWorld

PATH = "/srv/box/note.txt"


@pytest.fixture
def box(tmp_path: Path) -> Path:
    """The directory /srv/box of the world."""
    place = tmp_path / "srv" / "box"
    place.mkdir(parents=True)
    return place


@pytest.fixture
def judged(tmp_path: Path, box: Path) -> RealJudgedWorld:
    return RealJudgedWorld(tmp_path)


def test_file_exists_wants_the_right_kind(judged: RealJudgedWorld, box: Path) -> None:
    assert judge(judged, kind="file_exists", path=PATH) == (Outcome.FAIL, 'nothing is at "/srv/box/note.txt"')
    (box / "note.txt").write_text("x")
    assert passes(judged, kind="file_exists", path=PATH)
    assert not passes(judged, kind="file_exists", path=PATH, type="directory")
    assert not passes(judged, kind="file_exists", path=PATH, type="symlink")
    assert passes(judged, kind="file_exists", path="/srv/box", type="directory")
    os.mkfifo(box / "fifo")
    assert judge(judged, kind="file_exists", path="/srv/box/fifo")[1].endswith(
        "is neither file nor directory, not a file"
    )


def test_links_inside_the_world_count_as_what_they_lead_to(judged: RealJudgedWorld, box: Path) -> None:
    (box / "real").write_text("ready\n")
    (box / "note.txt").symlink_to("/srv/box/real")
    (box / "dangling").symlink_to("gone")
    (box / "loop").symlink_to("loop")
    assert passes(judged, kind="file_exists", path=PATH)
    assert passes(judged, kind="file_exists", path=PATH, type="symlink")
    assert passes(judged, kind="file_equals", path=PATH, content="ready")
    for name in ("dangling", "loop"):
        assert not passes(judged, kind="file_exists", path=f"/srv/box/{name}")
        assert passes(judged, kind="file_exists", path=f"/srv/box/{name}", type="symlink")
        assert not passes(judged, kind="file_absent", path=f"/srv/box/{name}")
        assert not passes(judged, kind="file_equals", path=f"/srv/box/{name}", content="")


def test_a_link_out_of_the_world_leads_nowhere(judged: RealJudgedWorld, box: Path, tmp_path: Path) -> None:
    outside = tmp_path.parent / f"{tmp_path.name}-outside.txt"
    outside.write_text("ready")
    (box / "note.txt").symlink_to(outside)
    (box / "up.txt").symlink_to(f"../../../../../../../..{outside}")
    assert not passes(judged, kind="file_equals", path=PATH, content="ready")
    assert not passes(judged, kind="file_equals", path="/srv/box/up.txt", content="ready")


def test_file_absent_means_nothing_at_all(judged: RealJudgedWorld, box: Path) -> None:
    assert passes(judged, kind="file_absent", path=PATH)
    assert passes(judged, kind="file_absent", path="/srv/none/at/all")
    (box / "file").write_text("")
    assert passes(judged, kind="file_absent", path="/srv/box/file/below")
    (box / "note.txt").mkdir()
    assert judge(judged, kind="file_absent", path=PATH) == (Outcome.FAIL, f'"{PATH}" is there, a directory')


@pytest.mark.parametrize(
    ("found", "expected", "strip", "same"),
    [
        (b"ready", "ready", True, True),
        (b"ready\n", "ready", True, True),
        (b"ready  \t\r\n\n\n", "ready", True, True),
        (b"ready", "ready\n\n", True, True),
        (b" ready", "ready", True, False),
        (b"\nready", "ready", True, False),
        (b"ready\n\nsteady", "ready\nsteady", True, False),
        (b"ready\nsteady\n", "ready", True, False),
        (b"", "", True, True),
        (b"\n", "", True, True),
        (b"ready\n", "ready", False, False),
        (b"ready\n", "ready\n", False, True),
        (b"ready\r\n", "ready\n", False, False),
        (b"ready\xff", "ready\ufffd", True, False),
        (b"ready\xff", "ready\ufffd", False, False),
        (b"ready\0", "ready", True, False),
        ("bereit ä".encode(), "bereit ä", True, True),
        (b"ready\x0b", "ready", True, False),
        (b"ready\xc2\xa0", "ready", True, False),
    ],
)
def test_file_equals_compares_texts(
    judged: RealJudgedWorld, box: Path, found: bytes, expected: str, *, strip: bool, same: bool
) -> None:
    (box / "note.txt").write_bytes(found)
    assert passes(judged, kind="file_equals", path=PATH, content=expected, strip=strip) is same


def test_a_difference_is_told_by_its_line(judged: RealJudgedWorld, box: Path) -> None:
    (box / "note.txt").write_text("one\ntwo\n")
    for content, said in [
        ("one\n2", 'line 2 is "two", not "2"'),
        ("one\ntwo\nthree", 'line 3 is missing: "three"'),
        ("one", 'line 2 is one too many: "two"'),
    ]:
        assert judge(judged, kind="file_equals", path=PATH, content=content) == (Outcome.FAIL, f'"{PATH}": {said}')


def test_what_the_model_wrote_is_shown_escaped(judged: RealJudgedWorld, box: Path) -> None:
    (box / "note.txt").write_bytes(b"\x1b]0;owned\x07\x1b[2J\xff\xe2\x80\xae" + b"y" * 1000)
    _, reason = judge(judged, kind="file_equals", path=PATH, content="x")
    assert reason.isprintable()
    assert len(reason) < 400


@given(found=st.binary(max_size=60), text=st.text(max_size=60), strip=st.booleans())
@settings(deadline=None)
def test_a_text_differs_from_all_but_itself(found: bytes, text: str, *, strip: bool) -> None:
    assert difference(text.encode(), text, strip=strip) == ""
    if not strip:
        assert (difference(found, text, strip=False) == "") is (found == text.encode())


def test_a_file_larger_than_the_cap_fails_and_is_not_read_whole(judged: RealJudgedWorld, box: Path) -> None:
    with (box / "note.txt").open("wb") as file:
        file.truncate(1 << 40)
    for check in (
        {"kind": "file_equals", "content": ""},
        {"kind": "file_matches", "pattern": "x", "negate": True},
        {"kind": "json_equals", "value": "1"},
        {"kind": "line_count", "count": 0},
    ):
        outcome, reason = judge(judged, path=PATH, **check)
        assert outcome is Outcome.FAIL
        assert f"larger than the {LARGEST_FILE} bytes" in reason


def test_a_directory_or_a_fifo_instead_of_a_file_fails(judged: RealJudgedWorld, box: Path) -> None:
    (box / "folder").mkdir()
    os.mkfifo(box / "fifo")
    for name, noun in (("folder", "a directory"), ("fifo", "neither file nor directory")):
        outcome, reason = judge(judged, kind="file_equals", path=f"/srv/box/{name}", content="")
        assert (outcome, reason) == (Outcome.FAIL, f'"/srv/box/{name}" is {noun}, not a file')


def test_file_matches_searches_the_whole_text(judged: RealJudgedWorld, box: Path) -> None:
    (box / "note.txt").write_bytes(b"first\nOrder 66 \xff\nlast\n")
    for pattern, found in [("Order [0-9]+", True), ("^Order", False), ("(?m)^Order", True), (r"(?s)first.*last", True)]:
        assert passes(judged, kind="file_matches", path=PATH, pattern=pattern) is found
        assert passes(judged, kind="file_matches", path=PATH, pattern=pattern, negate=True) is not found


def test_a_missing_file_matches_nothing_and_its_opposite_neither(judged: RealJudgedWorld) -> None:
    assert not passes(judged, kind="file_matches", path=PATH, pattern="x")
    assert not passes(judged, kind="file_matches", path=PATH, pattern="x", negate=True)


@pytest.mark.slow
def test_a_text_made_to_be_slow_fails_either_way(judged: RealJudgedWorld, box: Path) -> None:
    (box / "note.txt").write_text("a" * 60 + "!")
    for negate in (False, True):
        outcome, reason = judge(judged, kind="file_matches", path=PATH, pattern=r"^(a+)+$", negate=negate)
        assert outcome is Outcome.FAIL
        assert "needs more than" in reason


def test_mode_is_exact_and_of_what_a_link_leads_to(judged: RealJudgedWorld, box: Path) -> None:
    (box / "real").write_text("")
    (box / "real").chmod(0o640)
    (box / "note.txt").symlink_to("real")
    assert passes(judged, kind="mode", path="/srv/box/real", mode="640")
    assert passes(judged, kind="mode", path=PATH, mode="0640")
    assert judge(judged, kind="mode", path=PATH, mode="4640") == (Outcome.FAIL, f'"{PATH}" has the mode 640, not 4640')
    (box / "real").chmod(0o4640)
    assert passes(judged, kind="mode", path=PATH, mode="4640")
    assert not passes(judged, kind="mode", path="/srv/gone", mode="640")


def test_owner_is_root_or_the_operator(judged: RealJudgedWorld, box: Path) -> None:
    (box / "note.txt").write_text("")
    assert passes(judged, kind="owner", path=PATH, owner="root")
    outcome, reason = judge(judged, kind="owner", path=PATH, owner="operator")
    assert (outcome, reason) == (Outcome.FAIL, f'"{PATH}" belongs to the user 0, not to operator (1000)')
    assert not passes(judged, kind="owner", path="/srv/gone", owner="root")


def tree(judged: RealJudgedWorld, **files: str) -> tuple[Outcome, str]:
    return judge(judged, kind="tree_equals", path="/srv/box", files={k.replace("__", "/"): v for k, v in files.items()})


def test_tree_equals_wants_each_file_and_no_other(judged: RealJudgedWorld, box: Path) -> None:
    (box / "sub").mkdir()
    (box / "empty").mkdir()
    (box / "a").write_text("one\n")
    (box / "sub" / "b").write_text("two\n")
    assert tree(judged, a="one", sub__b="two")[0] is Outcome.PASS
    assert tree(judged, a="one")[1] == '"/srv/box" holds "sub/b", which should not be there'
    assert tree(judged, a="one", sub__b="two", c="")[1] == '"/srv/box" lacks "c"'
    assert tree(judged, a="one", sub__b="2")[1] == '"sub/b" in "/srv/box": line 1 is "two", not "2"'


def test_tree_equals_of_an_empty_tree_still_wants_the_directory(judged: RealJudgedWorld, box: Path) -> None:
    assert tree(judged)[0] is Outcome.PASS
    box.rmdir()
    assert tree(judged) == (Outcome.FAIL, 'at "/srv/box" is nothing, not a directory')
    box.write_text("")
    assert tree(judged) == (Outcome.FAIL, 'at "/srv/box" is a file, not a directory')


def test_tree_equals_takes_links_to_files_only(judged: RealJudgedWorld, box: Path) -> None:
    (box.parent / "elsewhere").write_text("one")
    (box / "a").symlink_to("../elsewhere")
    assert tree(judged, a="one")[0] is Outcome.PASS
    for target, said in (("..", "is a directory, not a file"), ("gone", "there is no file"), ("b", "there is no file")):
        (box / "b").symlink_to(target)
        assert said in tree(judged, a="one", b="")[1]
        assert tree(judged, a="one")[1] == '"/srv/box" holds "b", which should not be there'
        (box / "b").unlink()
    os.mkfifo(box / "b")
    assert "is neither file nor directory, not a file" in tree(judged, a="one", b="")[1]
    assert tree(judged, a="one")[1] == '"/srv/box" holds "b", which should not be there'


def test_tree_equals_survives_names_made_to_hurt(judged: RealJudgedWorld, box: Path) -> None:
    Path(os.fsdecode(bytes(box) + b"/\xff\n\x1b[2J")).write_text("")
    outcome, reason = tree(judged)
    assert outcome is Outcome.FAIL
    assert reason.isprintable()


def test_a_tree_of_too_many_entries_fails(judged: RealJudgedWorld, box: Path) -> None:
    for number in range(10_001):
        (box / str(number)).touch()
    assert tree(judged, a="") == (Outcome.FAIL, '"/srv/box" holds too much to be listed')


@pytest.mark.parametrize(
    ("found", "expected", "at", "same"),
    [
        ('{"a": 1, "b": [true, null]}', '{"b":[true,null],"a":1}', "", True),
        ("1", "1.0", "", True),
        ("1e0", "1", "", True),
        ("0.1", "0.10", "", True),
        ("100000000000000000000000001", "1e26", "", False),
        ("true", "1", "", False),
        ("0", "false", "", False),
        ('"1"', "1", "", False),
        ("[1, 2]", "[2, 1]", "", False),
        ("[1]", "[1, 2]", "", False),
        ('{"a": null}', "{}", "", False),
        ('"\\u00e4"', '"ä"', "", True),
        ('{"a": {"b/c": [5, 6]}}', "6", "/a/b~1c/1", True),
        ('{"a": {"~": 5}}', "5", "/a/~0", True),
        ('{"": 5}', "5", "/", True),
        ("[1]", "1", "/1", False),
        ("[1]", "1", "/-", False),
        ("[1, 2]", "2", "/01", False),
        ('{"a": 1}', "1", "/b", False),
        ("5", "5", "/a", False),
        ("", "null", "", False),
        ("1 2", "1", "", False),
        ("NaN", "1", "", False),
        ("-Infinity", "1", "", False),
        ('{"a": 1, "a": 1}', '{"a": 1}', "", False),
        ("[" * 100_000, "1", "", False),
        ('{"a":' * 100_000, "1", "", False),
        ("9" * 100_000, "1", "", False),
        ("1." + "9" * 100_000, "1", "", False),
        ("1e999999999", "1", "", False),
        ("1e9999999999999999999999999", "1", "", False),
        ("1e999999999", "1e999999999", "", True),
        ("\ufeff1", "1", "", False),
        ("'a'", '"a"', "", False),
        ('"\\ud800"', '"x"', "", False),
    ],
)
def test_json_equals_compares_values(
    judged: RealJudgedWorld, box: Path, found: str, expected: str, at: str, *, same: bool
) -> None:
    (box / "note.txt").write_text(found)
    assert passes(judged, kind="json_equals", path=PATH, value=expected, at=at) is same


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)


@settings(deadline=None)
@given(JSON, JSON)
def test_json_values_are_equal_exactly_if_their_canonical_texts_are(left: object, right: object) -> None:
    one, two = (json.dumps(value, sort_keys=True) for value in (left, right))
    assert equal(parsed(one, "x"), parsed(one, "x"))
    if one != two and not any(isinstance(value, float) for value in (left, right)):
        numbers = isinstance(left, int) and isinstance(right, int)
        assert not numbers or not equal(parsed(one, "x"), parsed(two, "x"))
    assert equal(parsed(one, "x"), parsed(two, "x")) is equal(parsed(two, "x"), parsed(one, "x"))


@pytest.mark.parametrize(
    ("found", "pattern", "count"),
    [
        (b"", None, 0),
        (b"\n \n\t\n", None, 0),
        (b"a\nb\n\nc", None, 3),
        (b"a\r\nb\r\n", None, 2),
        (b"ERROR a\ninfo\nERROR b\n", "^ERROR", 2),
        (b"ERROR a\ninfo\nERROR b\n", "ERROR|info", 3),
        (b"a\x0bb\x0cc\xe2\x80\xa8d", None, 1),
        (b"\xff\n", None, 1),
    ],
)
def test_line_count_counts_lines_that_are_not_blank(
    judged: RealJudgedWorld, box: Path, found: bytes, pattern: str | None, count: int
) -> None:
    (box / "note.txt").write_bytes(found)
    more = {} if pattern is None else {"pattern": pattern}
    assert passes(judged, kind="line_count", path=PATH, count=count, **more)
    assert not passes(judged, kind="line_count", path=PATH, count=count + 1, **more)
