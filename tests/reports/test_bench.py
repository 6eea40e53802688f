"""The benchmark of the report measures a real run directory, every step of it."""

from __future__ import annotations

import re

from harness.bench.report import VIEWS, measure, peak, run_of
from reports import rebuild_report


def test_its_run_is_one_that_the_report_counts_whole() -> None:
    with run_of(60) as run:
        report = rebuild_report(run)
    assert (len(report.pairs), report.exclusions) == (60, ())
    assert {metric.pairs.n for metric in report.metrics if metric.name == "success"} == {60}
    assert report.pairwise.wins == 24


def test_it_names_every_step_with_seconds_and_a_ratio_to_the_floor() -> None:
    head, *lines = measure(40)
    assert "floor: JSON of 80 records" in head
    assert len(lines) == 2 + len(VIEWS) + 2
    assert all(re.search(r"\d+\.\d\d CPU s .* of the floor$", line) for line in lines)


def test_the_peak_of_a_process_is_told_in_kibibytes() -> None:
    assert 10_000 < peak(20) < 100_000_000
