"""The numbers that the statistics take and give: a paired 2x2 table and an interval."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from scipy.stats import norm


class Interval(NamedTuple):
    """A closed interval; [low, high] as JSON."""

    low: float
    high: float

    def __contains__(self, value: object) -> bool:
        return isinstance(value, int | float) and self.low <= value <= self.high


@dataclass(frozen=True, slots=True, kw_only=True)
class PairedTable:
    """Pairs counted by who met the measure; fractional counts stand for down-weighted pairs.

    Raises ValueError for a negative count or a table without any pair.
    """

    both: float
    tuned_only: float
    base_only: float
    neither: float

    def __post_init__(self) -> None:
        counts = (self.both, self.tuned_only, self.base_only, self.neither)
        if not all(0 <= count < float("inf") for count in counts) or sum(counts) == 0:
            msg = f"a paired table needs counts of 0 or more and at least one pair, not {counts}"
            raise ValueError(msg)

    @property
    def n(self) -> float:
        """How many pairs there are."""
        return self.both + self.tuned_only + self.base_only + self.neither

    @property
    def difference(self) -> float:
        """The tuned arm's rate minus the base's."""
        return (self.tuned_only - self.base_only) / self.n

    def shrunk(self, weight: float) -> PairedTable:
        """The same rates seen on n / weight pairs."""
        return PairedTable(
            both=self.both / weight,
            tuned_only=self.tuned_only / weight,
            base_only=self.base_only / weight,
            neither=self.neither / weight,
        )


def check_level(level: float) -> float:
    """The confidence level itself; ValueError unless it lies strictly between 0 and 1."""
    if not 0 < level < 1:
        msg = f"a confidence level lies between 0 and 1, not {level}"
        raise ValueError(msg)
    return level


def two_sided_z(level: float) -> float:
    """The normal quantile that leaves (1 - level) / 2 in each tail."""
    return float(norm.isf((1 - check_level(level)) / 2))
