"""Which attempt each arm of a pair is still to have: both arms share every attempt, so that they meet one world."""

from __future__ import annotations

from collections.abc import Sequence

from harness.values import Outcome, TrialRecord


def open_attempts(pair: Sequence[TrialRecord | None], limit: int) -> tuple[int | None, ...]:
    """For the last record of each arm, None being no record: the attempt to be run next, or None if it is finished.

    An attempt that only some arms have been through is gone through by the others first. One that all of them have
    been through, and that left an arm INVALID, is followed by another of all arms, up to `limit`.
    """
    attempt = max((record.attempt for record in pair if record), default=1)
    missing = [record is None or record.attempt < attempt for record in pair]
    if any(missing):
        return tuple(attempt if still_to_run else None for still_to_run in missing)
    invalid = any(record is not None and record.outcome is Outcome.INVALID for record in pair)
    return (attempt + 1 if invalid and attempt < limit else None,) * len(pair)
