"""What an import or an export has to say: what it refuses, with file and line, and what it assumed."""

from __future__ import annotations

from harness.errors import BadInputError

_MOST = 40  # refusals shown at once


class RefusedError(BadInputError):
    """Something has no counterpart on the other side; the message has one line for each such thing."""

    address = "interop"


class Findings:
    """Collects refusals and notes, so that everything is told at once."""

    def __init__(self) -> None:
        self._refusals: list[str] = []
        self._notes: list[str] = []

    @property
    def notes(self) -> tuple[str, ...]:
        """What was assumed or changed, each a sentence, in the order of its finding."""
        return tuple(self._notes)

    @property
    def refused(self) -> int:
        """How many things were refused so far."""
        return len(self._refusals)

    def refuse(self, where: str, what: str, advice: str = "") -> None:
        """Remember that `what` at `where` (`FILE:LINE`, or a file) has no counterpart."""
        line = f"{where}: {what}" + (f"; {advice}" if advice else "")
        if line not in self._refusals:
            self._refusals.append(line)

    def note(self, what: str) -> None:
        """Remember an assumption or a change."""
        if what not in self._notes:
            self._notes.append(what)

    def settle(self) -> None:
        """Raise RefusedError with every refusal, if there is any."""
        if not self._refusals:
            return
        shown = self._refusals[:_MOST]
        if len(self._refusals) > len(shown):
            shown.append(f"... and {len(self._refusals) - len(shown)} more")
        raise RefusedError("\n".join(shown), hint="docs/interop.md tells what has a counterpart")
