"""Type I error and coverage by complete enumeration, and the table of docs/statistics.md that is made of them."""

from __future__ import annotations

import re
from itertools import product
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.bench import errors
from harness.errors import BadInputError
from reports.statistics.difference import tango, wald
from reports.statistics.enumeration import (
    INTERVALS,
    equal_rates,
    triangle,
    worst_coverage,
    worst_noninferiority,
    worst_promotion,
    worst_size,
)
from reports.statistics.mcnemar import mcnemar_exact
from reports.statistics.planning import noninferiority_power
from reports.statistics.power import mcnemar_power
from reports.statistics.values import PairedTable

PAGE = Path(__file__).parents[2] / "docs" / "statistics.md"


@pytest.mark.parametrize("n", [8, 16])
def test_the_page_shows_what_the_command_prints(n: int) -> None:
    page = PAGE.read_text()
    assert errors.test_row(n) in page
    assert errors.interval_row(n) in page
    assert errors.noninferiority_row(n) in page


@pytest.mark.slow
def test_the_whole_section_is_what_the_command_writes() -> None:
    page = PAGE.read_text()
    _, _, section = page.partition(errors.BEGIN)
    made = errors.tables(errors.SIZES[:1]).splitlines()  # of the first size: the others take their time
    assert [line for line in made if line not in section.splitlines()] == []
    assert errors.exchanged(page, section.partition(errors.END)[0].strip("\n")) == page


def test_at_sixteen_pairs_the_exact_test_errs_in_2_53_percent_and_the_mid_p_in_7_68() -> None:
    assert worst_size(16).value == pytest.approx(0.0253, abs=5e-5)
    assert worst_size(16, midp=True).value == pytest.approx(0.0768, abs=5e-5)


@pytest.mark.parametrize("n", [1, 5, 6, 8, 12, 16, 24, 32])
@pytest.mark.parametrize("alpha", [0.01, 0.05, 0.1])
def test_the_gate_promotes_an_arm_that_is_no_better_in_at_most_half_of_alpha(n: int, alpha: float) -> None:
    worst = worst_promotion(n, alpha=alpha)
    assert worst.value <= alpha / 2
    assert worst.value == pytest.approx(worst_size(n, alpha=alpha).value / 2, abs=1e-9)


def test_an_arm_that_is_worse_is_promoted_more_rarely_than_one_that_is_as_good() -> None:
    won, lost = worst_promotion(16).rates
    assert won == lost


def test_sizes_are_those_of_every_single_sequence_of_pairs() -> None:
    """Four pairs, each won, lost or alike: all 81 sequences."""
    best = 0.0
    for rate, _ in equal_rates():
        chances = {1: rate, -1: rate, 0: 1 - 2 * rate}
        total = 0.0
        for path in product((1, -1, 0), repeat=4):
            if mcnemar_exact(path.count(1), path.count(-1)) <= 0.5:
                chance = 1.0
                for step in path:
                    chance *= chances[step]
                total += chance
        best = max(best, total)
    assert worst_size(4, alpha=0.5).value == pytest.approx(best)


@given(n=st.integers(1, 24), alpha=st.sampled_from([0.01, 0.05, 0.2]), midp=st.booleans())
@settings(max_examples=15, deadline=None)
def test_size_is_the_largest_power_at_equal_rates(n: int, alpha: float, *, midp: bool) -> None:
    worst = worst_size(n, alpha=alpha, midp=midp)
    powers = [mcnemar_power(p, q, n, alpha=alpha, midp=midp) for p, q in equal_rates()]
    assert worst.value == pytest.approx(max(powers), abs=1e-9)


def test_the_size_of_the_exact_noninferiority_test_is_its_power_at_the_margin() -> None:
    worst = worst_noninferiority(25, 0.1, exact=True)
    assert worst.value == pytest.approx(noninferiority_power(*worst.rates, 25, 0.1), abs=1e-9)
    assert worst.value <= 0.05 < worst_noninferiority(25, 0.1).value  # a score test is an approximation


@pytest.mark.parametrize("n", [1, 8, 16, 32])
@pytest.mark.parametrize("alpha", [0.01, 0.05, 0.1])
@pytest.mark.parametrize("margin", [0.05, 0.1, 0.25])
def test_the_gate_calls_a_loss_of_the_margin_no_loss_in_at_most_alpha(n: int, alpha: float, margin: float) -> None:
    assert worst_noninferiority(n, margin, alpha=alpha, exact=True).value <= alpha


def test_coverage_is_the_share_of_tables_whose_interval_holds_the_truth() -> None:
    """One pair: the Wald interval of any table has no width, and misses every difference but -1, 0 and 1."""
    assert worst_coverage(1, wald).value == 0.0
    assert worst_coverage(2, tango).value > 0.5


def test_tango_covers_better_than_wald_at_eight_pairs_and_nothing_reaches_the_nominal_level_everywhere() -> None:
    found = {name: worst_coverage(8, interval).value for name, interval in INTERVALS.items()}
    assert found["Tango"] > found["Newcombe"] > found["Wald"]
    assert max(found.values()) < 0.95


def test_an_interval_that_is_everything_covers_everything() -> None:
    from reports.statistics.values import Interval

    def everything(table: PairedTable, level: float) -> Interval:
        return Interval(-1.0, 1.0)

    assert worst_coverage(6, everything).value == pytest.approx(1.0)


def test_the_grid_has_231_points_and_both_corners() -> None:
    points = triangle()
    assert len(points) == 231
    assert {(0.0, 0.0), (1.0, 0.0), (0.0, 1.0)} <= set(points)


def test_a_page_without_marks_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "page.md"
    path.write_text("nothing here")
    with pytest.raises(BadInputError, match="the page has no"):
        errors.main(["--n", "1", "--write", str(path)])


def test_the_command_writes_its_tables_between_the_marks(tmp_path: Path) -> None:
    path = tmp_path / "page.md"
    path.write_text(f"before\n{errors.BEGIN}\nold\n{errors.END}\nafter\n")
    errors.main(["--n", "2", "--write", str(path)])
    assert re.fullmatch(r"before\n<!-- made.*-->\n\| pairs \|.*\n<!-- end -->\nafter\n", path.read_text(), re.DOTALL)
    assert "old" not in path.read_text()
