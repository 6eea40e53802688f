"""Numbers as words: the only place where a number of a report is rounded."""

from __future__ import annotations

from collections.abc import Sequence

from reports.schema import Difference, Rate


def p_text(p: float) -> str:
    """A p-value for a table: four decimals, never rounded to 0 or up to 1."""
    if p == 1:
        return "1"
    return "<0.0001" if p < 0.0001 else ">0.9999" if p > 0.9999 else f"{p:.4f}"


def p_exact(p: float) -> str:
    """A p-value to be held against a threshold: four significant digits."""
    return f"{p:.4g}"


def probability_text(probability: float) -> str:
    """A probability in a sentence: four significant digits, never rounded to 0 or to 1."""
    if 0 < probability < 0.0001:
        return "<0.0001"
    return ">0.9999" if 0.9999 < probability < 1 else f"{probability:.4g}"


def points(share: float) -> str:
    """A difference of rates in signed percentage points: +56."""
    value = round(100 * share)
    return f"{value:+d}" if value else "0"


def interval_text(interval: Sequence[float]) -> str:
    """An interval of a difference in percentage points: [+26, +77]."""
    return f"[{points(interval[0])}, {points(interval[1])}]"


def difference_text(difference: Difference | None) -> str:
    """A difference with its Tango interval, in percentage points; a dash where it was not measured."""
    return f"{points(difference.estimate)} {interval_text(difference.tango)}" if difference else "-"


def fraction(rate: Rate | None) -> str:
    """A rate as its counts: 9/16; a dash where nothing was measured."""
    return f"{rate.count}/{rate.n}" if rate else "-"


def fraction_with_interval(rate: Rate | None) -> str:
    """A rate as its counts, with its Wilson interval in percent: 9/16 [33, 77]."""
    if rate is None:
        return "-"
    low, high = (round(100 * limit) for limit in rate.wilson)
    return f"{rate.count}/{rate.n} [{low}, {high}]"


def percent(share: float | None) -> str:
    """A rate in percent: 56 %; a dash where nothing was measured. 0 % and 100 % are exact."""
    if share is None:
        return "-"
    value = round(100 * share)
    if value == 100 and share < 1:
        return ">99 %"
    return "<1 %" if value == 0 and share > 0 else f"{value} %"


def plural(count: int, noun: str) -> str:
    """A count with its noun: 1 pair, 2 pairs."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"
