"""Paired differences of measures: published examples, exact enumeration, and what ten thousand of them keep."""

from __future__ import annotations

from math import sqrt

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import permutation_test, wilcoxon

from reports.statistics.clusters import sign_flip
from reports.statistics.continuous import HodgesLehmann, hodges_lehmann, sign_flip_mean

# Hamilton depression scale before and after: Hollander and Wolfe 1973, Nonparametric Statistical Methods, table 3.1
BEFORE = (1.83, 0.50, 1.62, 2.48, 1.68, 1.88, 1.55, 3.06, 1.30)
AFTER = (0.878, 0.647, 0.598, 2.05, 1.06, 1.29, 1.06, 3.14, 1.29)
MAIZE = (49, -67, 8, 16, 6, 23, 28, 41, 14, 29, 56, 24, 75, 60, -48)

reals = st.lists(st.floats(-50, 50, allow_subnormal=False), min_size=1, max_size=12)
whole = st.lists(st.integers(-6, 6).map(float), min_size=1, max_size=30)


def estimated(differences: list[float], level: float = 0.95) -> HodgesLehmann:
    found = hodges_lehmann(differences, level)
    assert found is not None
    return found


class TestPublishedNumbers:
    def test_hollander_and_wolfe_depression_estimate_and_interval(self) -> None:
        # examples 3.3 and 3.4: estimate -.46, interval (-.786, -.010)
        found = estimated([after - before for before, after in zip(BEFORE, AFTER, strict=True)])
        assert round(found.estimate, 3) == -0.46
        assert found.interval is not None
        assert (round(found.interval.low, 3), round(found.interval.high, 3)) == (-0.786, -0.010)
        assert found.exact

    @pytest.mark.parametrize("unit", [1.0, 1 / 8, 0.3175])
    def test_fisher_1935_darwins_maize_in_any_unit(self, unit: float) -> None:
        # The Design of Experiments, section 21: 1,726 of 2^15 sign choices, 5.267 per cent
        found = sign_flip_mean([difference * unit for difference in MAIZE])
        assert found.p == 1726 / 2**15
        assert (found.exact, found.standard_error) == (True, 0)


class TestSignFlip:
    @settings(max_examples=30)
    @given(st.lists(st.floats(0.01, 50) | st.floats(-50, -0.01), min_size=2, max_size=8))
    def test_it_is_the_exact_permutation_test_of_scipy(self, differences: list[float]) -> None:
        expected = permutation_test(
            (np.array(differences), np.zeros(len(differences))),
            lambda x, y, axis: np.round((x - y).sum(axis=axis), 9),
            permutation_type="samples",
            vectorized=True,
        )
        assert sign_flip_mean(differences).p == pytest.approx(min(1.0, expected.pvalue))

    @given(st.lists(st.integers(-9, 9), min_size=1, max_size=36))
    def test_a_fraction_of_whole_numbers_gives_what_the_whole_numbers_give(self, sums: list[int]) -> None:
        assert sign_flip_mean([value / 7 for value in sums]).p == pytest.approx(sign_flip(sums))
        assert sign_flip_mean(sums).p == sign_flip(sums)

    def test_random_flips_are_within_their_error_of_the_exact_p(self) -> None:
        rng = np.random.default_rng(3)
        sums = [int(value) for value in rng.integers(-8, 10, 400)]
        found = sign_flip_mean([value / 3 for value in sums])
        assert not found.exact
        assert abs(found.p - sign_flip(sums)) < 5 * found.standard_error < 0.01

    @given(st.data(), st.lists(st.floats(-9, 9), min_size=37, max_size=60))
    @settings(max_examples=10)
    def test_neither_order_nor_direction_matters_to_random_flips(
        self, data: st.DataObject, differences: list[float]
    ) -> None:
        shuffled = data.draw(st.permutations(differences))
        assert sign_flip_mean(differences) == sign_flip_mean(shuffled) == sign_flip_mean([-d for d in differences])

    @given(reals, st.floats(0.01, 100))
    def test_the_unit_does_not_matter(self, differences: list[float], unit: float) -> None:
        one, two = sign_flip_mean(differences), sign_flip_mean([value * unit for value in differences])
        assert one.p == pytest.approx(two.p)
        assert 0 < one.p <= 1

    def test_no_difference_is_no_evidence(self) -> None:
        assert sign_flip_mean([]).p == sign_flip_mean([0.0, 0.0]).p == sign_flip_mean([1.5, -1.5]).p == 1

    @pytest.mark.parametrize("wrong", [float("nan"), float("inf")])
    def test_what_is_no_finite_number_is_refused(self, wrong: float) -> None:
        for of in (sign_flip_mean, hodges_lehmann):
            with pytest.raises(ValueError, match="finite"):
                of([1.0, wrong])


class TestHodgesLehmann:
    @given(st.one_of(reals, whole))
    def test_the_estimate_is_the_median_of_all_pairwise_means(self, differences: list[float]) -> None:
        x = np.array(differences)
        rows, columns = np.triu_indices(len(x))
        found = estimated(differences)
        assert found.estimate == pytest.approx(float(np.median((x[rows] + x[columns]) / 2)), abs=1e-9)
        if found.interval is not None:
            assert found.interval.low - 1e-9 <= found.estimate <= found.interval.high + 1e-9

    @given(st.integers(0, 10**6), st.integers(6, 15), st.floats(-2, 2))
    def test_the_interval_holds_what_the_exact_signed_rank_test_does_not_reject(
        self, seed: int, n: int, centre: float
    ) -> None:
        differences: list[float] = np.random.default_rng(seed).normal(size=n).tolist()
        shifted = np.array(differences) - centre
        interval = estimated(differences).interval
        assert interval is not None
        assert (centre in interval) == (wilcoxon(shifted, method="exact").pvalue > 0.05)

    @given(reals, st.floats(-20, 20))
    def test_it_moves_with_the_data_and_mirrors(self, differences: list[float], shift: float) -> None:
        one = estimated(differences, 0.8)
        moved, mirrored = (
            estimated([value + shift for value in differences], 0.8),
            estimated([-value for value in differences], 0.8),
        )
        assert moved.estimate == pytest.approx(one.estimate + shift, abs=1e-9)
        assert mirrored.estimate == pytest.approx(-one.estimate, abs=1e-9)
        if one.interval is not None:
            assert mirrored.interval == pytest.approx((-one.interval.high, -one.interval.low), abs=1e-9)

    def test_a_higher_level_widens(self) -> None:
        differences = [float(value) for value in np.random.default_rng(1).normal(size=40)]
        narrow, wide = estimated(differences, 0.8).interval, estimated(differences, 0.99).interval
        assert narrow is not None
        assert wide is not None
        assert wide.low < narrow.low < narrow.high < wide.high

    @pytest.mark.parametrize(
        ("n", "level", "there"), [(5, 0.95, False), (6, 0.95, True), (1, 0.5, False), (7, 0.99, False)]
    )
    def test_too_few_differences_have_no_interval(self, n: int, level: float, *, there: bool) -> None:
        assert (estimated([float(value) for value in range(n)], level).interval is not None) == there

    def test_no_difference_at_all_is_none(self) -> None:
        assert hodges_lehmann([]) is None

    @pytest.mark.parametrize("unit", [1.0, 0.1])
    def test_thousands_with_ties_agree_with_holding_every_pairwise_mean(self, unit: float) -> None:
        x = np.random.default_rng(5).integers(-3, 5, 1_500) * unit
        rows, columns = np.triu_indices(len(x))
        assert estimated(x.tolist()).estimate == pytest.approx(float(np.median((x[rows] + x[columns]) / 2)))

    def test_the_normal_approximation_continues_the_exact_ranks(self) -> None:
        x = np.sort(np.random.default_rng(2).normal(size=201))
        exact, approximate = estimated(x[:200].tolist()), estimated(x.tolist())
        assert (exact.exact, approximate.exact) == (True, False)
        assert exact.interval is not None
        assert approximate.interval is not None
        assert approximate.interval == pytest.approx(exact.interval, abs=0.03)

    def test_ten_thousand_normal_differences_have_the_width_that_theory_gives(self) -> None:
        x = np.random.default_rng(9).normal(loc=0.5, size=10_000)
        interval = estimated(x.tolist()).interval
        assert interval is not None
        assert 0.5 in interval
        assert interval.high - interval.low == pytest.approx(2 * 1.96 * sqrt(np.pi / 3) / 100, rel=0.05)
