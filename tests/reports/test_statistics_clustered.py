"""Clustered pairs: published examples reproduced, and what the tests must keep whatever the clusters."""

from __future__ import annotations

import itertools
from math import sqrt

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy.stats import norm, ttest_1samp

from reports.statistics.clustered import ClusterCount, Conclusion, compare_clusters, count_clusters
from reports.statistics.clusters import DRAWS, exact_sign_flip, sign_flip, sign_flip_sums
from reports.statistics.mcnemar import mcnemar_exact

# Psychiatrists and their 135 patients: Donner and Petryshen 1989, Psychiatry Research 28:41-46.
# By psychiatrist: patients, item relevant to the patient alone, to the psychiatrist alone.
PSYCHIATRY = tuple(
    ClusterCount(pairs=n, tuned_only=b, base_only=c)
    for n, b, c in zip(
        (7, 6, 7, 6, 4, 6, 5, 8, 4, 7, 3, 6, 7, 6, 5, 4, 6, 5, 4, 3, 5, 4, 4, 2, 3, 2, 2, 3, 1),
        (0, 1, 1, 1, 0, 3, 3, 3, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 3, 1, 1, 2, 0, 0, 0, 0, 0, 0, 0),
        (4, 2, 3, 2, 1, 3, 0, 2, 2, 4, 2, 4, 3, 2, 1, 3, 1, 2, 0, 0, 0, 2, 1, 2, 2, 0, 0, 1, 1),
        strict=True,
    )
)
# PET and SPECT of the thyroid glands of 21 patients: Obuchowski 1998, Statistics in Medicine 17:1495-1507.
# By patient: one digit a gland, first all of PET, then all of SPECT.
PET = "000 110 111 1 110 1111 111 11 11 1 110 11 111 11 00 110 110 110 11 1 11"
SPECT = "011 111 111 1 111 1111 111 11 10 1 110 11 111 11 11 110 110 111 11 1 11"


def thyroids() -> tuple[ClusterCount, ...]:
    rows = [
        (patient, spect == "1", pet == "1")
        for patient, glands in enumerate(zip(PET.split(), SPECT.split(), strict=True))
        for pet, spect in zip(*glands, strict=True)
    ]
    return count_clusters(rows)


def chi_squares(clusters: tuple[ClusterCount, ...]) -> tuple[float | None, ...]:
    found = compare_clusters(clusters)
    assert found.yang_z is not None
    return found.yang_z**2, found.durkalski_chi2, found.obuchowski_chi2


@st.composite
def cluster_counts(draw: st.DrawFn, most: int = 6) -> ClusterCount:
    wins, losses, ties = (draw(st.integers(0, most)) for _ in range(3))
    return ClusterCount(pairs=max(1, wins + losses + ties), tuned_only=wins, base_only=losses)


clustered = st.lists(cluster_counts(), min_size=2, max_size=14)


class TestPublishedNumbers:
    def test_psychiatry_as_printed_by_durkalski_2003_and_yang_2010(self) -> None:
        assert sum(cluster.pairs for cluster in PSYCHIATRY) == 135
        yang, durkalski, obuchowski = chi_squares(PSYCHIATRY)
        assert (yang, durkalski, obuchowski) == pytest.approx((8.43, 7.542, 7.19), abs=5e-3)
        assert durkalski == pytest.approx(7.542, abs=5e-4)

    def test_thyroids_as_printed_by_durkalski_2003_and_yang_2010(self) -> None:
        clusters = thyroids()
        assert (len(clusters), sum(c.pairs for c in clusters)) == (21, 51)
        assert chi_squares(clusters) == pytest.approx((3.13, 2.32, 2.86), abs=5e-3)

    def test_fisher_1935_darwins_maize_as_whole_numbers(self) -> None:
        # The Design of Experiments, section 21: 863 of 2^15 sign choices on either side, 5.267 per cent
        eighths = [49, -67, 8, 16, 6, 23, 28, 41, 14, 29, 56, 24, 75, 60, -48]
        assert sign_flip(eighths) == 2 * 863 / 2**15


class TestAgainstIndependentComputations:
    @given(clustered)
    def test_yang_pools_the_variances_and_not_the_covariance(self, clusters: list[ClusterCount]) -> None:
        assume(any(c.tuned_only != c.base_only for c in clusters))
        k, n = len(clusters), np.array([c.pairs for c in clusters], dtype=float)
        tuned, base = (np.array([float(getattr(c, side)) for c in clusters]) for side in ("tuned_only", "base_only"))
        one, two = tuned.sum() / n.sum(), base.sum() / n.sum()
        pooled = (one + two) / 2
        squares = (
            ((tuned - n * pooled) ** 2).sum()
            + ((base - n * pooled) ** 2).sum()
            - 2 * ((tuned - n * one) * (base - n * two)).sum()
        )
        z = (one - two) / sqrt(k / (k - 1) * squares / n.sum() ** 2)
        found = compare_clusters(clusters)
        assert found.yang_z == pytest.approx(z)
        assert found.yang_p == pytest.approx(2 * norm.sf(abs(z)))

    @given(st.integers(1, 5), st.lists(st.integers(-5, 5), min_size=2, max_size=20))
    def test_with_equal_sizes_the_interval_is_the_t_interval_of_the_cluster_means(
        self, size: int, sums: list[int]
    ) -> None:
        means = [max(-size, min(size, total)) / size for total in sums]
        assume(len(set(means)) > 1)
        clusters = [
            ClusterCount(pairs=size, tuned_only=max(0, round(m * size)), base_only=max(0, -round(m * size)))
            for m in means
        ]
        found = compare_clusters(clusters, 0.9)
        expected = ttest_1samp(means, 0).confidence_interval(0.9)
        assert found.equal_sizes
        assert found.cluster_robust is not None
        assert found.cluster_robust == pytest.approx((max(-1, expected.low), min(1, expected.high)))

    @given(st.integers(0, 30), st.integers(0, 30), st.integers(0, 30))
    def test_with_one_pair_a_cluster_they_are_what_their_formulas_reduce_to(self, b: int, c: int, rest: int) -> None:
        n = b + c + rest
        assume(n > 1 and b + c > 0)
        rows = [(i, i >= b, i < b) for i in range(b + c)] + [(i, True, True) for i in range(b + c, n)]
        found = compare_clusters(count_clusters(rows))
        mcnemar = (b - c) ** 2 / (b + c)
        assert found.durkalski_chi2 == pytest.approx(mcnemar)
        assert found.obuchowski_chi2 == pytest.approx((n - 1) / n * mcnemar)
        assert found.yang_z is not None
        assert found.yang_z**2 == pytest.approx((n - 1) / n * (b - c) ** 2 / (b + c - (b - c) ** 2 / (2 * n)))
        assert found.signflip_p == pytest.approx(mcnemar_exact(b, c))

    @given(st.lists(st.integers(-4, 4), min_size=1, max_size=10))
    def test_the_exact_sign_flip_is_the_complete_enumeration(self, sums: list[int]) -> None:
        seen = abs(sum(sums))
        flips = [abs(sum(map(int.__mul__, sums, signs))) for signs in itertools.product((1, -1), repeat=len(sums))]
        assert exact_sign_flip(sums) == sum(total >= seen for total in flips) / len(flips)

    def test_beyond_the_exact_distribution_random_flips_say_how_far_off_they_may_be(self) -> None:
        rng = np.random.default_rng(7)
        sums = [int(value) for value in rng.integers(-9, 10, 60_000)]
        found = sign_flip_sums(sums)
        z = abs(sum(sums)) / sqrt(sum(value * value for value in sums))
        assert not found.exact
        assert 0 < found.standard_error <= 0.5 / sqrt(DRAWS)
        assert abs(found.p - 2 * norm.sf(z)) < 5 * found.standard_error
        assert sign_flip_sums(sums) == sign_flip_sums(sums[::-1]) == found

    def test_ten_thousand_scenarios_are_still_exact(self) -> None:
        found = sign_flip_sums([1] * 5_100 + [-1] * 4_900)
        assert found.exact
        assert found.p == pytest.approx(mcnemar_exact(5_100, 4_900), rel=1e-9)


class TestProperties:
    @given(clustered)
    def test_exchanging_the_arms_mirrors_everything(self, clusters: list[ClusterCount]) -> None:
        one = compare_clusters(clusters)
        two = compare_clusters(
            [ClusterCount(pairs=c.pairs, tuned_only=c.base_only, base_only=c.tuned_only) for c in clusters]
        )
        assert one.difference == -two.difference
        assert (one.yang_p, one.durkalski_p, one.signflip_p) == (two.yang_p, two.durkalski_p, two.signflip_p)
        assert (one.yang_z or 0) == -(two.yang_z or 0)
        assert one.cluster_robust is not None
        assert two.cluster_robust is not None
        assert one.cluster_robust == pytest.approx((-two.cluster_robust.high, -two.cluster_robust.low))
        assert one.conclusion == two.conclusion

    @given(st.data(), clustered)
    def test_the_order_of_clusters_does_not_matter(self, data: st.DataObject, clusters: list[ClusterCount]) -> None:
        one, two = compare_clusters(clusters), compare_clusters(data.draw(st.permutations(clusters)))
        assert (one.signflip_p, one.difference, one.conclusion) == (two.signflip_p, two.difference, two.conclusion)
        for name in ("yang_z", "durkalski_chi2", "obuchowski_chi2", "standard_error"):
            assert getattr(one, name) == pytest.approx(getattr(two, name))

    @given(st.data(), st.lists(st.tuples(st.integers(0, 5), st.booleans(), st.booleans()), min_size=1, max_size=40))
    def test_the_order_of_rows_does_not_matter(self, data: st.DataObject, rows: list[tuple[int, bool, bool]]) -> None:
        shuffled = data.draw(st.permutations(rows))
        by_size = [sorted(map(repr, count_clusters(order))) for order in (rows, shuffled)]
        assert by_size[0] == by_size[1]
        assert sum(cluster.pairs for cluster in count_clusters(rows)) == len(rows)

    @given(clustered, st.sampled_from([0.8, 0.9, 0.95]))
    def test_the_interval_contains_the_difference_and_widens_with_the_level(
        self, clusters: list[ClusterCount], level: float
    ) -> None:
        narrow, wide = (compare_clusters(clusters, each) for each in (level, 0.99))
        assert narrow.cluster_robust is not None
        assert wide.cluster_robust is not None
        assert narrow.difference in narrow.cluster_robust
        assert wide.cluster_robust.low <= narrow.cluster_robust.low
        assert narrow.cluster_robust.high <= wide.cluster_robust.high

    @settings(max_examples=50)
    @given(clustered, st.integers(2, 4))
    def test_repeating_every_pair_of_a_scenario_adds_no_evidence(
        self, clusters: list[ClusterCount], times: int
    ) -> None:
        assume(any(c.tuned_only != c.base_only for c in clusters))
        more = [
            ClusterCount(pairs=c.pairs * times, tuned_only=c.tuned_only * times, base_only=c.base_only * times)
            for c in clusters
        ]
        one, two = compare_clusters(clusters), compare_clusters(more)
        assert one.signflip_p == pytest.approx(two.signflip_p)
        assert (one.yang_z, one.durkalski_chi2) == pytest.approx((two.yang_z, two.durkalski_chi2))
        assert one.standard_error == pytest.approx(two.standard_error)


class TestLimits:
    @pytest.mark.parametrize(("clusters", "level", "needed"), [(5, 0.95, 6), (5, 0.8, 6), (7, 0.99, 8), (1, 0.95, 6)])
    def test_too_few_clusters_are_inconclusive_and_say_why(self, clusters: int, level: float, needed: int) -> None:
        found = compare_clusters([ClusterCount(pairs=9, tuned_only=9, base_only=0)] * clusters, level)
        assert found.conclusion is Conclusion.INCONCLUSIVE
        assert f"2/2^{clusters}" in found.reason
        assert f"at least {needed} are needed" in found.reason

    def test_six_clusters_that_all_agree_are_just_enough(self) -> None:
        found = compare_clusters([ClusterCount(pairs=2, tuned_only=2, base_only=0)] * 6)
        assert (found.signflip_p, found.conclusion) == (2 / 2**6, Conclusion.DIFFERENT)
        assert "better" in found.reason

    def test_a_loss_is_called_one(self) -> None:
        assert "worse" in compare_clusters([ClusterCount(pairs=2, tuned_only=0, base_only=1)] * 6).reason

    def test_what_cannot_be_computed_is_none_and_never_0(self) -> None:
        alone = compare_clusters([ClusterCount(pairs=5, tuned_only=3, base_only=0)])
        alike = compare_clusters([ClusterCount(pairs=5, tuned_only=2, base_only=2)] * 8)
        for found in (alone, alike):
            assert (found.yang_z, found.yang_p, found.durkalski_chi2, found.obuchowski_p) == (None,) * 4
            assert found.signflip_p == 1
        assert (alone.cluster_robust, alone.standard_error) == (None, None)
        assert alike.conclusion is Conclusion.NOT_SHOWN

    @pytest.mark.parametrize(("pairs", "wins", "losses"), [(0, 0, 0), (2, 2, 1), (2, -1, 0)])
    def test_impossible_clusters_are_refused(self, pairs: int, wins: int, losses: int) -> None:
        with pytest.raises(ValueError, match="a cluster needs"):
            ClusterCount(pairs=pairs, tuned_only=wins, base_only=losses)

    def test_no_cluster_and_no_level_are_refused(self) -> None:
        with pytest.raises(ValueError, match="at least one cluster"):
            compare_clusters([])
        with pytest.raises(ValueError, match="level"):
            compare_clusters(PSYCHIATRY, 1.0)
