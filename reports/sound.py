"""Records that no run can have written (a count below 0, a time without end) refused before anything is counted."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from harness.errors import BadInputError
from harness.values import Outcome, TrialRecord
from reports.plain import plain
from reports.schema_numbers import LARGEST


def sound(records: Iterable[TrialRecord]) -> tuple[TrialRecord, ...]:
    """The same records.

    Raises:
        BadInputError: one of them holds a number that none can have, or contradicts itself; it is named.
    """
    every = tuple(records)
    for record in every:
        for wrong in _wrong(record):
            raise BadInputError(
                f"the record {plain(str(record.key))}, attempt {_shown(record.attempt)}: {wrong}",
                hint="the line was edited or damaged",
            )
    return every


def _wrong(record: TrialRecord) -> Iterator[str]:
    for name, value, least in _numbers(record):
        if value is not None and not least <= value <= LARGEST:  # not a number is in no range
            yield f"{name} is {_shown(value)}"
    tally = record.parity
    if tally is not None and tally.agreed + tally.differed > tally.prompts:
        yield f"parity counts {tally.agreed} + {tally.differed} of {tally.prompts} prompts"
    success = record.metrics.success
    if record.outcome is not Outcome.INVALID and success not in {None, record.outcome is Outcome.PASS}:
        yield f"its outcome is {record.outcome}, and its metric success says {str(success).lower()}"


def _numbers(record: TrialRecord) -> Iterator[tuple[str, float | None, int]]:
    """Every number that a report counts with, and the least that it can be."""
    yield "repeat", record.repeat, 0
    yield "attempt", record.attempt, 1
    yield "seed", record.seed, -LARGEST
    yield "exit_status", record.exit_status, -LARGEST
    yield "turns", record.turns, 0
    yield "prompt_tokens", record.prompt_tokens, 0
    yield "completion_tokens", record.completion_tokens, 0
    yield "seconds", record.seconds, 0
    yield "first_command_turn", record.metrics.first_command_turn, 0
    if record.parity is not None:
        yield "parity.prompts", record.parity.prompts, 0
        yield "parity.agreed", record.parity.agreed, 0
        yield "parity.differed", record.parity.differed, 0
        yield "parity.rejoined", record.parity.rejoined, 0


def _shown(value: float) -> str:
    return str(value) if abs(value) <= LARGEST or not isinstance(value, int) else "beyond every count"
