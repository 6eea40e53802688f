"""The loss curve is a file that any program reads, and a line that a person reads."""

from __future__ import annotations

import csv
from pathlib import Path

from harness.training.curve import sparkline, write_curve
from harness.training.plan import Step


def step(number: int, loss: float) -> Step:
    return Step(number=number, steps=3, loss=loss, accuracy=0.5, rate=1e-3, tokens=100, seconds=1.5)


def test_the_file_has_one_row_a_step(tmp_path: Path) -> None:
    write_curve(tmp_path / "loss.csv", [step(1, 2.0), step(2, 1.25)])
    with (tmp_path / "loss.csv").open() as source:
        rows = list(csv.DictReader(source))
    assert [(row["step"], float(row["loss"]), row["tokens"]) for row in rows] == [("1", 2.0, "100"), ("2", 1.25, "100")]


def test_the_line_falls_as_the_losses_do_and_is_never_wider_than_asked() -> None:
    line = sparkline([100 - number for number in range(100)], width=8)
    assert line == "█▇▆▅▄▃▂▁"
    assert len(sparkline([1.0, 2.0, 3.0])) == 3
    assert sparkline([0.0, 0.0]) == "▁▁"
    assert sparkline([]) == ""
