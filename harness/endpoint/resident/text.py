"""Turns a row's token ids into text as they come: whole characters only, and nothing past a stop string."""

from __future__ import annotations

from collections.abc import Callable, Sequence

REPLACEMENT = "\ufffd"
LONGEST_CHARACTER = 8  # tokens; a character has at most four bytes, each at most one token and some markers


class TextStream:
    """The text of one growing reply.

    Bytes of a character that is not complete yet, and characters that may begin a stop string, are
    held back until they are decided.
    """

    def __init__(self, decode: Callable[[Sequence[int]], str], stops: Sequence[str] = ()) -> None:
        self._decode = decode
        self._stops = tuple(stops)
        self._ids: list[int] = []
        self._context = 0  # ids from here are decoded again: spacing depends on the neighbour before
        self._done = 0  # ids before this are in `_text`
        self._text = ""
        self._given = 0  # characters of `_text` that were given out
        self.stopped_by: str | None = None

    def push(self, token: int) -> str:
        """Add one token; what can be given out now."""
        self._ids.append(token)
        self._advance(final=False)
        return self._give(final=False)

    def finish(self) -> str:
        """No more tokens come: what was still held back."""
        self._advance(final=True)
        return self._give(final=True)

    @property
    def text(self) -> str:
        """Everything so far, cut before the stop string if one was met."""
        return self._text

    def _advance(self, *, final: bool) -> None:
        if self.stopped_by is not None or self._done == len(self._ids):
            return
        before = self._decode(self._ids[self._context : self._done])
        after = self._decode(self._ids[self._context :])
        unfinished = after.endswith(REPLACEMENT) and len(self._ids) - self._done < LONGEST_CHARACTER
        if unfinished and not final:
            return
        if len(after) <= len(before) and not final:
            return
        self._text += after[len(before) :]
        self._context, self._done = self._done, len(self._ids)
        self._look_for_stop()

    def _look_for_stop(self) -> None:
        found = [(at, stop) for stop in self._stops if (at := self._text.find(stop, 0)) >= 0]
        if found:
            at, self.stopped_by = min(found)
            self._text = self._text[:at]

    def _give(self, *, final: bool) -> str:
        end = len(self._text)
        if not final and self.stopped_by is None:
            end -= self._undecided()
        given = self._text[self._given : end]
        self._given = max(self._given, end)
        return given

    def _undecided(self) -> int:
        """How many characters at the end may yet turn out to begin a stop string."""
        longest = 0
        for stop in self._stops:
            for length in range(min(len(stop) - 1, len(self._text)), longest, -1):
                if self._text.endswith(stop[:length]):
                    longest = length
                    break
        return longest
