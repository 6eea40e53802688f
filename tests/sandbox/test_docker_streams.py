"""Docker's multiplexed streams and the report at their end: whole, however the bytes are cut into pieces."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from harness.sandbox.docker.execs import CappedStream, Frames

MARK = b"5f" * 16
END = b"\0" + MARK + b":exit:3\0"


def cut(data: bytes, at: list[int]) -> list[bytes]:
    places = sorted({min(place, len(data)) for place in at})
    return [data[start:stop] for start, stop in zip([0, *places], [*places, len(data)], strict=True)]


def framed(pieces: list[tuple[int, bytes]]) -> bytes:
    return b"".join(bytes([number, 0, 0, 0]) + len(data).to_bytes(4, "big") + data for number, data in pieces)


pieces = st.lists(st.tuples(st.sampled_from([1, 2]), st.binary(max_size=50)), max_size=8)
places = st.lists(st.integers(0, 400), max_size=12)


@given(pieces, places)
def test_frames_are_the_same_however_they_arrive(sent: list[tuple[int, bytes]], at: list[int]) -> None:
    frames = Frames()
    received = {1: b"", 2: b""}
    for part in cut(framed(sent), at):
        for number, data in frames.split(part):
            received[number] += data
    assert received == {number: b"".join(data for each, data in sent if each == number) for number in (1, 2)}


@given(st.binary(max_size=200), places, st.integers(0, 250))
def test_a_stream_keeps_its_first_bytes_and_finds_its_report(output: bytes, at: list[int], limit: int) -> None:
    stream = CappedStream(limit, MARK)
    for part in cut(output + END + b"what a background process says later", at):
        stream.feed(part)
    stream.finish()
    assert stream.report == "exit:3"
    assert bytes(stream.kept) == output[:limit]
    assert stream.truncated is (len(output) > limit)


@given(st.binary(max_size=200), places)
def test_a_stream_without_a_report_is_kept_whole(output: bytes, at: list[int]) -> None:
    stream = CappedStream(1000, MARK)
    for part in cut(output + END[:20], at):
        stream.feed(part)
    stream.finish()
    assert stream.report is None
    assert bytes(stream.kept) == output + END[:20]


def test_a_flood_is_not_kept() -> None:
    stream = CappedStream(10, MARK)
    for _ in range(1000):
        stream.feed(b"y\n" * 5000)
    assert len(stream.kept) == 10
    assert len(stream.pending) < 100
