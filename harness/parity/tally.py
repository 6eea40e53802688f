"""Adds up the parity of one trial's prompts."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from harness.values import ParityLevel, ParityTally, Turn

_STRONGEST_FIRST = tuple(ParityLevel)


def tally(turns: Sequence[Turn]) -> ParityTally | None:
    """The counts over a trial's turns; None where no prompt was looked at (parity off, or no turns)."""
    seen = [turn.completion.parity for turn in turns if turn.completion.parity is not None]
    if not seen:
        return None
    differed = [parity for parity in seen if parity.agrees is False]
    return ParityTally(
        level=max((parity.level for parity in seen), key=_STRONGEST_FIRST.index),
        prompts=len(seen),
        agreed=sum(parity.agrees is True for parity in seen),
        differed=len(differed),
        rejoined=sum(_rejoined(turn, following) for turn, following in pairwise(turns)),
        first_difference=differed[0].difference if differed else "",
    )


def _rejoined(turn: Turn, following: Turn) -> bool:
    """Whether the next prompt does not begin with this prompt's and reply's own ids; False where they are not known."""
    prompt, reply = turn.completion.prompt_ids, turn.completion.completion_ids
    after = following.completion.prompt_ids
    if prompt is None or reply is None or after is None:
        return False
    return after[: len(prompt) + len(reply)] != prompt + reply
