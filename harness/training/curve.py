"""The loss curve of a training: a CSV file, and a line of blocks to look at."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from statistics import fmean
from typing import Final

from harness.training.plan import Step

CURVE: Final = "loss.csv"
_BLOCKS: Final = "▁▂▃▄▅▆▇█"


def write_curve(path: Path, steps: Sequence[Step]) -> None:
    """Write one row a step: step, loss, accuracy, learning_rate (the factor included), tokens, seconds."""
    with path.open("w", encoding="utf-8", newline="") as sink:
        writer = csv.writer(sink, lineterminator="\n")
        writer.writerow(("step", "loss", "accuracy", "learning_rate", "tokens", "seconds"))
        for step in steps:
            loss, accuracy = f"{step.loss:.6f}", f"{step.accuracy:.4f}"
            writer.writerow((step.number, loss, accuracy, f"{step.rate:.3g}", step.tokens, f"{step.seconds:.2f}"))


def sparkline(values: Sequence[float], *, width: int = 48) -> str:
    """The values, from 0 up, as at most `width` blocks; each block is the mean of its stretch. "" for no values."""
    if not values:
        return ""
    width = min(width, len(values))
    edges = [round(index * len(values) / width) for index in range(width + 1)]
    means = [fmean(values[start:end]) for start, end in pairwise(edges)]
    top = max(means)
    if top <= 0:
        return _BLOCKS[0] * width
    return "".join(_BLOCKS[min(len(_BLOCKS) - 1, int(max(0.0, mean) / top * len(_BLOCKS)))] for mean in means)
