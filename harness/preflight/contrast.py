"""How far two greedy replies to the same prompt are from each other, and what of that is the server's own noise."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from harness.values import Completion

NOISE_FACTOR: Final = 3.0
"""A difference counts from this many times the largest that the server shows between equal requests."""

FLOOR: Final = 1e-3
"""Nats. No smaller difference of log-probabilities counts, however quiet the server is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Contrast:
    """Two replies to one prompt."""

    prompt: int  # its place among the canaries, from 0
    differs: bool  # in ids, or in text where ids are unknown
    gap: float | None  # largest difference of log-probabilities where the two can be compared, nats; None: unknown


@dataclass(frozen=True, slots=True, kw_only=True)
class Spread:
    """Replies of one arm compared with its reference replies, or with the other arm's."""

    contrasts: tuple[Contrast, ...]

    @property
    def gap(self) -> float | None:
        """The largest gap, in nats; None where one of them is unknown."""
        gaps = [one.gap for one in self.contrasts if one.gap is not None]
        return max(gaps, default=0.0) if len(gaps) == len(self.contrasts) else None

    @property
    def differing(self) -> frozenset[int]:
        """The prompts with a reply in other words."""
        return frozenset(one.prompt for one in self.contrasts if one.differs)

    def beyond(self, control: Spread) -> tuple[Contrast, ...]:
        """The contrasts that the control's noise does not explain.

        With log-probabilities, those with a gap over `limit(control)`. Words alone are weaker evidence: two that are
        nearly as likely change places by noise, and then their log-probabilities are near each other, too. So words
        count only where the control never differs, and there always without log-probabilities, and with them if more
        than a third of all replies changed in this way.
        """
        words = tuple(one for one in self.contrasts if one.differs and one.prompt not in control.differing)
        if self.gap is None or control.gap is None:
            return words
        bar, many = limit(control.gap), 3 * len(words) > len(self.contrasts)
        return tuple(one for one in self.contrasts if (one.gap or 0.0) > bar or (many and one in words))


def limit(noise: float) -> float:
    """The gap, in nats, over which a difference is no noise."""
    return max(NOISE_FACTOR * noise, FLOOR)


def spread(reference: Sequence[Completion], passes: Sequence[Sequence[Completion]]) -> Spread:
    """Every pass compared with the reference, prompt by prompt."""
    return Spread(
        contrasts=tuple(
            contrast(index, one, other)
            for replies in passes
            for index, (one, other) in enumerate(zip(reference, replies, strict=True))
        )
    )


def contrast(prompt: int, one: Completion, other: Completion) -> Contrast:
    """Two replies to one prompt.

    The gap is taken over the shared beginning and the first token after it: both were the likeliest there, and the
    likeliest token's log-probability is the same in both replies if the model is, whichever of two equals it chose.
    """
    if one.completion_ids is not None and other.completion_ids is not None:
        shared = shared_length(one.completion_ids, other.completion_ids)
        differs = one.completion_ids != other.completion_ids
    else:
        differs = one.text != other.text
        shared = 0 if differs else max(len(one.logprobs or ()), len(other.logprobs or ()))
    if one.logprobs is None or other.logprobs is None:
        return Contrast(prompt=prompt, differs=differs, gap=None)
    pairs = list(zip(one.logprobs, other.logprobs, strict=False))[: shared + 1]
    return Contrast(prompt=prompt, differs=differs, gap=max((abs(a - b) for a, b in pairs), default=0.0))


def shared_length(one: Sequence[int] | str, other: Sequence[int] | str) -> int:
    """How many items two sequences begin with in common."""
    pairs = enumerate(zip(one, other, strict=False))
    return next((index for index, (a, b) in pairs if a != b), min(len(one), len(other)))
