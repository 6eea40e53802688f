"""When to look whether a program waits for input, and how often it must be seen to be believed."""

from __future__ import annotations

_FLOWING_SECONDS = 2.0  # while output flows on, a program must be seen waiting for this long
_UNKNOWN_SECONDS = 1.0  # of silence after a mark, where nobody can tell whether something waits
_SLOWEST = 1.0
_GROWTH = 1.6


class Looks:
    """Two looks must find it waiting, `gap` seconds apart and in silence; looks grow rarer while it does not.

    One look is not enough: a line that was just typed may not have reached its reader yet, and what a program
    showed before it waited may still be on its way here. Each look may cost a process (in docker, an exec).
    """

    def __init__(self, now: float, *, first: float, gap: float, mute: float = 0.0) -> None:
        """`mute`: how long something must be seen waiting that has shown nothing at all, if that is more than `gap`."""
        self.due = now + first
        self._gap = gap
        self._mute = mute
        self._interval = max(first, gap) / 2
        self._heard = now
        self._since: float | None = None  # when the looks began to find it waiting
        self._prompted = False

    def heard(self, now: float) -> None:
        """Output came."""
        self._heard = now
        self._mute = 0.0

    def hasten(self, now: float) -> None:
        """A mark came that a look must confirm: look soon, and ask for less silence."""
        self._prompted = True
        self._since = None
        self._interval = self._gap / 8
        self.due = now + self._interval

    def rested(self, waiting: bool | None, now: float) -> bool:  # noqa: FBT001 - what the look found
        """Take in what a look found; whether the terminal is at rest by now."""
        if not waiting:
            self._since = None
            self.due = now + self._interval
            self._interval = min(self._interval * _GROWTH, _SLOWEST)
            return waiting is None and self._prompted and now - self._heard >= _UNKNOWN_SECONDS
        if self._since is None:
            self._since = now
        seen = now - self._since
        gap = self._gap / 4 if self._prompted else max(self._gap, self._mute)
        self.due = now + min(gap, self._gap) / 2
        if seen < gap:
            return False
        return self._prompted or now - self._heard >= gap or seen >= _FLOWING_SECONDS
