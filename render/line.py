"""One line of a terminal: what is left to read after carriage returns, backspaces and overwriting."""

from __future__ import annotations

import re
import unicodedata

TAB_STOP = 8
MAX_COMBINING = 8  # zero-width characters kept on one cell
FIRST_UNEVEN = "\u0300"  # every printable character before this one fills exactly one cell
_SPAN = re.compile(f"[\r\b\t]|[^\r\b\t{FIRST_UNEVEN}-\U0010ffff]+|[{FIRST_UNEVEN}-\U0010ffff]")


def shown(text: str) -> str:
    """The line as it reads once `text` was written on it; `text` may move by carriage return and backspace.

    Cells are overwritten as on a terminal of endless width: a tab moves and erases nothing, a wide character
    fills two cells and leaves a blank where one of them is overwritten, a combining one joins the cell before.
    A text that never moves back is returned as it is, tabs included; in one that does, tabs are blanks.
    """
    if "\r" not in text and "\b" not in text:
        return text
    line = _Line()
    for span in _SPAN.finditer(text):
        line.write(span.group())
    return "".join(line.cells)


class _Line:
    """Cells of one column each; the second cell of a wide character is empty."""

    def __init__(self) -> None:
        self.cells: list[str] = []
        self._column = 0

    def write(self, span: str) -> None:
        """One movement, one run of narrow characters, or one character from U+0300 on."""
        if span == "\r":
            self._column = 0
        elif span == "\b":
            self._column = max(self._column - 1, 0)
        elif span == "\t":
            self._column += TAB_STOP - self._column % TAB_STOP
        elif span < FIRST_UNEVEN:
            self._put(list(span))
        elif unicodedata.category(span) in {"Mn", "Me", "Cf"}:
            self._combine(span)
        elif unicodedata.east_asian_width(span) in {"W", "F"}:  # Unicode Standard Annex 11
            self._put([span, ""])
        else:
            self._put([span])

    def _put(self, cells: list[str]) -> None:
        start, stop = self._column, self._column + len(cells)
        if start > len(self.cells):
            self.cells.extend(" " * (start - len(self.cells)))
        if start < len(self.cells) and not self.cells[start]:
            self.cells[start - 1] = " "
        if stop < len(self.cells) and not self.cells[stop]:
            self.cells[stop] = " "
        self.cells[start:stop] = cells
        self._column = stop

    def _combine(self, character: str) -> None:
        at = min(self._column, len(self.cells)) - 1
        if at > 0 and not self.cells[at]:
            at -= 1
        if at >= 0 and len(self.cells[at]) <= MAX_COMBINING:
            self.cells[at] += character
