"""A capture holds a stream's two ends and counts the rest."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from harness.terminal.capture import Capture


@given(st.lists(st.binary(max_size=40), max_size=30), st.integers(2, 100))
def test_head_and_tail_are_kept_and_the_middle_is_counted(chunks: list[bytes], limit: int) -> None:
    capture = Capture(limit)
    for chunk in chunks:
        capture.add(chunk)
    stream, half = b"".join(chunks), limit // 2
    if len(stream) <= 2 * half:
        assert (capture.bytes(), capture.omitted) == (stream, 0)
    else:
        assert capture.bytes() == stream[:half] + stream[-half:]
        assert capture.omitted == len(stream) - 2 * half
