"""A recording is valid asciicast v2, whole after each turn, bounded, and free of marks."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from harness.errors import StoreError
from harness.terminal import CastWriter

MARK = b"\x1e0123456789abcdef:0:1\x1f"


def written(path: Path) -> tuple[dict[str, Any], list[tuple[float, str, str]]]:
    header, *events = map(json.loads, path.read_text(encoding="utf-8").splitlines())
    return header, [(time, kind, data) for time, kind, data in events]


def text_of(path: Path) -> str:
    return "".join(data for _, kind, data in written(path)[1] if kind == "o")


def recorded(path: Path, *chunks: bytes, cap_bytes: int = 1 << 20) -> None:
    with CastWriter(path, columns=200, rows=50, title="t", cap_bytes=cap_bytes) as recorder:
        for chunk in chunks:
            recorder.output(chunk)


def test_the_header_says_what_players_need(tmp_path: Path) -> None:
    recorded(tmp_path / "a.cast", b"hi\r\n")
    header, events = written(tmp_path / "a.cast")
    assert (header["version"], header["width"], header["height"], header["title"]) == (2, 200, 50, "t")
    assert [(kind, data) for _, kind, data in events] == [("o", "hi\r\n")]


def test_a_turn_is_on_disk_once_the_next_is_marked(tmp_path: Path) -> None:
    with CastWriter(tmp_path / "a.cast", columns=80, rows=24) as recorder:
        recorder.output(b"one")
        recorder.marker("2: ls\x1b[31m\n" + "x" * 200)
        _, events = written(tmp_path / "a.cast")
    assert [kind for _, kind, _ in events] == ["o", "m"]
    assert events[1][2].startswith("2: ls [31m x")
    assert len(events[1][2]) == 80


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50)
@given(st.lists(st.sampled_from([MARK, "é漢".encode(), b"plain\r\n", b"\xff", b"\x1b[1m"]), max_size=10), st.data())
def test_characters_and_marks_survive_any_cut(tmp_path: Path, pieces: list[bytes], data: st.DataObject) -> None:
    stream = b"".join([*pieces, b"."])
    cut = data.draw(st.integers(0, len(stream)))
    recorded(tmp_path / "a.cast", stream[:cut], *(bytes([byte]) for byte in stream[cut:]))
    assert text_of(tmp_path / "a.cast") == stream.replace(MARK, b"").decode("utf-8", "replace")


def test_what_only_looked_like_a_mark_is_shown_in_the_end(tmp_path: Path) -> None:
    recorded(tmp_path / "a.cast", b"a\x1enever ended", b" text")
    assert text_of(tmp_path / "a.cast") == "anever ended text"


def test_a_flood_fills_the_file_to_its_limit_and_says_so(tmp_path: Path) -> None:
    recorded(tmp_path / "a.cast", *[b"y\r\n" * 1000] * 100, cap_bytes=20_000)
    assert (tmp_path / "a.cast").stat().st_size < 60_000
    assert text_of(tmp_path / "a.cast").endswith("[the recording ends here: it reached its size limit]\r\n")


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=r"missing/a\.cast"):
        CastWriter(tmp_path / "missing" / "a.cast", columns=80, rows=24)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full, the device that is always full")
def test_a_full_disk_is_a_store_error() -> None:
    with pytest.raises(StoreError, match="No space left"):
        CastWriter(Path("/dev/full"), columns=80, rows=24)
