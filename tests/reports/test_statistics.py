"""The statistics reproduce published numbers and keep the properties that make them trustworthy."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy.stats import beta, binomtest, chi2, multinomial, norm

from reports.statistics.clusters import design_effect, repeat_weight, sign_flip
from reports.statistics.difference import bonett_price, newcombe, noninferiority_p, superiority_p, tango, tango_z, wald
from reports.statistics.mcnemar import mcnemar_exact, mcnemar_midp, smallest_p
from reports.statistics.odds import win_odds
from reports.statistics.power import mcnemar_power, smallest_detectable
from reports.statistics.proportion import clopper_pearson, jeffreys, wilson
from reports.statistics.values import Interval, PairedTable


def table(both: float, tuned_only: float, base_only: float, neither: float) -> PairedTable:
    return PairedTable(both=both, tuned_only=tuned_only, base_only=base_only, neither=neither)


def rounded(interval: Interval, digits: int) -> tuple[float, float]:
    return round(interval.low, digits), round(interval.high, digits)


counts = st.integers(0, 60)
tables = st.tuples(counts, counts, counts, counts).filter(any).map(lambda cells: table(*cells))
levels = st.sampled_from([0.8, 0.9, 0.95, 0.99])


class TestPublishedNumbers:
    def test_newcombe_1998_table_2_methods_8_and_10(self) -> None:
        seen = table(20, 12, 2, 16)
        assert rounded(newcombe(seen, method=8), 4) == (0.0618, 0.3242)
        assert rounded(newcombe(seen, method=10), 4) == (0.0562, 0.3292)

    def test_fagerland_2013_airway_hyperresponsiveness_before_and_after_transplantation(self) -> None:
        assert round(mcnemar_exact(1, 7), 4) == 0.0703
        assert round(mcnemar_midp(1, 7), 4) == 0.0391

    def test_fagerland_2014_complete_response_before_and_after_consolidation(self) -> None:
        seen = table(59, 6, 16, 80)
        assert round(mcnemar_exact(6, 16), 6) == 0.052479
        assert round(mcnemar_midp(6, 16), 6) == 0.034690
        assert rounded(tango(seen), 4) == (-0.1240, -0.0054)
        assert rounded(wald(seen), 4) == (-0.1184, -0.0058)
        assert rounded(newcombe(seen), 4) == (-0.1186, -0.0046)
        assert rounded(bonett_price(seen), 4) == (-0.1195, -0.0032)

    def test_fagerland_2014_airway_hyperresponsiveness_intervals(self) -> None:
        seen = table(1, 1, 7, 12)
        assert rounded(wald(seen), 3) == (-0.520, -0.052)
        assert rounded(newcombe(seen), 3) == (-0.507, -0.026)
        assert rounded(tango(seen), 3) == (-0.517, -0.026)

    @pytest.mark.parametrize(
        ("tuned_only", "base_only", "p"), [(30, 60, 0.00206), (10, 30, 0.002221), (121, 59, 0.000004)]
    )
    def test_exact_mcnemar_of_known_discordant_counts(self, tuned_only: int, base_only: int, p: float) -> None:
        assert mcnemar_exact(tuned_only, base_only) == pytest.approx(p, abs=5e-7 if p < 1e-5 else 5e-6)

    def test_newcombe_1998_single_proportion_15_of_148(self) -> None:
        assert rounded(wilson(15, 148), 4) == (0.0624, 0.1605)
        assert rounded(clopper_pearson(15, 148), 4) == (0.0578, 0.1617)

    @pytest.mark.parametrize(
        ("x", "n", "score", "exact"),
        [
            (81, 263, (0.2553, 0.3662), (0.2527, 0.3676)),
            (0, 20, (0.0, 0.1611), (0.0, 0.1684)),
            (1, 29, (0.0061, 0.1718), (0.0009, 0.1776)),
        ],
    )
    def test_newcombe_1998_single_proportions_of_table_i(
        self, x: int, n: int, score: tuple[float, float], exact: tuple[float, float]
    ) -> None:
        assert rounded(wilson(x, n), 4) == score
        assert rounded(clopper_pearson(x, n), 4) == exact

    def test_agresti_2002_approval_of_the_prime_minister(self) -> None:
        seen = table(794, 86, 150, 570)
        assert round(tango_z(seen, 0.0) ** 2, 2) == 17.36
        assert rounded(wald(seen), 2) == (-0.06, -0.02)

    def test_nine_wins_of_sixteen_against_a_base_that_never_terminates(self) -> None:
        assert round(mcnemar_exact(9, 0), 4) == 0.0039
        assert round(mcnemar_midp(9, 0), 5) == 0.00195
        assert rounded(tango(table(0, 9, 0, 7)), 3) == (0.260, 0.769)

    @pytest.mark.parametrize(("n", "power"), [(16, 0.20), (32, 0.61), (50, 0.85)])
    def test_power_of_exact_mcnemar_at_thirty_against_five_percent(self, n: int, power: float) -> None:
        assert round(mcnemar_power(0.3, 0.05, n), 2) == power

    def test_a_margin_of_five_points_needs_52_pairs_of_perfect_agreement(self) -> None:
        assert noninferiority_p(table(52, 0, 0, 0), 0.05) <= 0.05
        assert noninferiority_p(table(51, 0, 0, 0), 0.05) > 0.05


class TestAgainstIndependentComputations:
    @given(counts, counts)
    def test_exact_mcnemar_is_the_binomial_test_of_scipy(self, b: int, c: int) -> None:
        assume(b + c > 0)
        assert mcnemar_exact(b, c) == pytest.approx(binomtest(b, b + c, 0.5).pvalue, rel=1e-9)

    @given(tables)
    def test_tango_z_at_zero_is_mcnemar_chi_squared(self, seen: PairedTable) -> None:
        assume(seen.tuned_only + seen.base_only > 0)
        expected = (seen.tuned_only - seen.base_only) / np.sqrt(seen.tuned_only + seen.base_only)
        assert tango_z(seen, 0.0) == pytest.approx(expected)

    @given(tables, st.floats(-0.95, 0.95))
    def test_tango_variance_uses_the_constrained_maximum_of_the_likelihood(self, seen: PairedTable, d: float) -> None:
        b, c, rest = seen.tuned_only, seen.base_only, seen.both + seen.neither
        q = np.linspace(max(0.0, -d), (1 - d) / 2, 20001)[1:-1]
        with np.errstate(divide="ignore", invalid="ignore"):
            likelihood = sum(
                k * np.log(p) if k else 0.0 * p for k, p in ((b, q + d), (c, q), (rest, np.maximum(1 - 2 * q - d, 0)))
            )
        best = q[int(np.nanargmax(likelihood))]
        variance = seen.n * (2 * best + d * (1 - d))
        assume(variance > 1e-3 * seen.n)
        assert tango_z(seen, d) == pytest.approx((b - c - seen.n * d) / np.sqrt(variance), rel=2e-2, abs=2e-2)

    @given(st.lists(st.integers(-4, 4), min_size=1, max_size=9))
    def test_sign_flip_is_the_complete_enumeration(self, sums: list[int]) -> None:
        seen = abs(sum(sums))
        flips = [
            abs(sum(s * f for s, f in zip(sums, signs, strict=True)))
            for signs in itertools.product((1, -1), repeat=len(sums))
        ]
        assert sign_flip(sums) == pytest.approx(sum(total >= seen for total in flips) / len(flips))

    @pytest.mark.parametrize(("wins", "losses"), [(1204, 31), (31, 1204), (2000, 1), (10**6, 0), (900, 100)])
    def test_hundreds_of_wins_have_a_p_between_0_and_1(self, wins: int, losses: int) -> None:
        assert 0 <= mcnemar_midp(wins, losses) <= 1
        assert 0 <= mcnemar_exact(wins, losses) <= 1

    @given(counts, counts)
    def test_sign_flip_without_repeats_is_exact_mcnemar(self, b: int, c: int) -> None:
        assert sign_flip([1] * b + [-1] * c + [0] * 3) == pytest.approx(mcnemar_exact(b, c), rel=1e-9)

    @pytest.mark.parametrize("midp", [False, True])
    def test_power_is_the_enumeration_of_all_tables(self, *, midp: bool) -> None:
        n, p10, p01 = 12, 0.4, 0.1
        test = mcnemar_midp if midp else mcnemar_exact
        cells = [(b, c) for b in range(n + 1) for c in range(n + 1 - b)]
        chance = multinomial(n, [p10, p01, 1 - p10 - p01])
        power = sum(float(chance.pmf([b, c, n - b - c])) for b, c in cells if test(b, c) <= 0.05)
        assert mcnemar_power(p10, p01, n, midp=midp) == pytest.approx(power)

    @pytest.mark.parametrize(("wins", "alpha", "midp"), [(5, 2**-5, True), (6, 2**-6, True), (5, 2**-4, False)])
    def test_a_p_as_large_as_alpha_counts_as_found(self, wins: int, alpha: float, *, midp: bool) -> None:
        test = mcnemar_midp if midp else mcnemar_exact
        assert test(wins, 0) == pytest.approx(alpha, rel=1e-12)
        assert mcnemar_power(1.0, 0.0, wins, alpha=alpha, midp=midp) == 1

    def test_at_16_pairs_exact_mcnemar_errs_at_most_in_2_53_percent_and_midp_in_7_68(self) -> None:
        null = np.linspace(0.001, 0.5, 400)
        exact = [mcnemar_power(q, q, 16) for q in null]
        midp = [mcnemar_power(q, q, 16, midp=True) for q in null]
        assert round(max(exact), 4) == 0.0253
        assert round(max(midp), 4) == 0.0768

    def test_jeffreys_is_the_beta_posterior_and_lies_inside_clopper_pearson(self) -> None:
        inside, outside = jeffreys(15, 148), clopper_pearson(15, 148)
        assert outside.low < inside.low < inside.high < outside.high

    def test_win_odds_of_eight_to_nothing(self) -> None:
        odds = win_odds(8, 0)
        assert odds.odds is None
        assert odds.probability_better == pytest.approx(1 - 2**-9)
        assert odds.interval.low < odds.median < odds.interval.high

    @given(st.integers(1, 1000), levels)
    def test_tango_in_the_corner_where_every_pair_is_won_has_a_closed_form(self, n: int, level: float) -> None:
        z = norm.isf((1 - level) / 2)
        assert tango(table(0, n, 0, 0), level) == pytest.approx((max(-1, (n - z * z) / (n + z * z)), 1), abs=1e-9)

    @pytest.mark.parametrize("n", [1, 16, 10**6])
    @pytest.mark.parametrize("left", [0.5, 1e-3, 1e-6, 1e-9])
    def test_the_score_test_where_every_pair_is_lost_has_a_closed_form(self, n: int, left: float) -> None:
        margin = 1 - left
        left = 1 - margin  # what the margin leaves after rounding
        assert tango_z(table(0, 0, n, 0), -margin) == pytest.approx(-((n * left / (2 - left)) ** 0.5), rel=1e-6)
        assert tango_z(table(0, n, 0, 0), margin) == pytest.approx((n * left / (2 - left)) ** 0.5, rel=1e-6)

    @given(st.integers(0, 200), st.integers(0, 200), levels)
    def test_win_odds_have_the_quantiles_of_the_beta_posterior(self, wins: int, losses: int, level: float) -> None:
        found, tail = win_odds(wins, losses, level), (1 - level) / 2
        for odds, share in ((found.interval.low, tail), (found.median, 0.5), (found.interval.high, 1 - tail)):
            assert beta.cdf(odds / (1 + odds), wins + 1, losses + 1) == pytest.approx(share)


class TestProperties:
    @given(tables, levels)
    def test_every_interval_of_a_difference_lies_in_range_and_tango_contains_the_estimate(
        self, seen: PairedTable, level: float
    ) -> None:
        for interval in (tango(seen, level), newcombe(seen, level), bonett_price(seen, level), wald(seen, level)):
            assert -1 <= interval.low <= interval.high <= 1
        assert seen.difference in tango(seen, level)
        low, high = newcombe(seen, level)
        assert low - 1e-12 <= seen.difference <= high + 1e-12

    @given(tables, levels)
    def test_exchanging_the_arms_mirrors_every_interval(self, seen: PairedTable, level: float) -> None:
        other = table(seen.both, seen.base_only, seen.tuned_only, seen.neither)
        for method in (tango, newcombe, bonett_price, wald):
            one, two = method(seen, level), method(other, level)
            assert (one.low, one.high) == pytest.approx((-two.high, -two.low), abs=1e-9)

    @given(tables)
    def test_a_higher_level_widens(self, seen: PairedTable) -> None:
        for method in (tango, newcombe, bonett_price, wald):
            narrow, wide = method(seen, 0.8), method(seen, 0.99)
            assert wide.low <= narrow.low + 1e-9
            assert narrow.high <= wide.high + 1e-9

    @given(tables, levels)
    def test_tango_excludes_zero_exactly_when_mcnemar_rejects_without_continuity(
        self, seen: PairedTable, level: float
    ) -> None:
        discordant = seen.tuned_only + seen.base_only
        assume(discordant > 0)
        p = float(chi2.sf((seen.tuned_only - seen.base_only) ** 2 / discordant, 1))
        assume(abs(p - (1 - level)) > 1e-9)
        low, high = tango(seen, level)
        assert (low > 0 or high < 0) == (p < 1 - level)

    @given(tables, st.floats(0.01, 0.9), st.sampled_from([0.01, 0.025, 0.05, 0.1]))
    def test_noninferiority_is_shown_exactly_when_tangos_lower_limit_is_above_the_margin(
        self, seen: PairedTable, margin: float, alpha: float
    ) -> None:
        low = tango(seen, 1 - 2 * alpha).low
        assume(abs(low + margin) > 1e-6)
        assert (noninferiority_p(seen, margin) < alpha) == (low > -margin)

    @given(tables, st.floats(0, 0.9), st.sampled_from([0.01, 0.025, 0.05, 0.1]))
    def test_a_minimum_effect_is_shown_exactly_when_tangos_lower_limit_is_above_it(
        self, seen: PairedTable, minimum: float, alpha: float
    ) -> None:
        low = tango(seen, 1 - 2 * alpha).low
        assume(abs(low - minimum) > 1e-6)
        assert (superiority_p(seen, minimum) < alpha) == (low > minimum)

    @given(st.integers(0, 10**6), st.integers(0, 10**6), levels)
    def test_exchanging_the_arms_turns_the_odds_over(self, wins: int, losses: int, level: float) -> None:
        one, two = win_odds(wins, losses, level), win_odds(losses, wins, level)
        assert one.median == pytest.approx(1 / two.median)
        assert one.interval == pytest.approx((1 / two.interval.high, 1 / two.interval.low))
        assert one.probability_better == pytest.approx(1 - two.probability_better, abs=1e-9)

    @settings(deadline=None)
    @given(
        st.tuples(*[st.sampled_from([0, 1, 2, 16, 999, 10**6])] * 4).filter(any),
        st.sampled_from([1e-15, 1e-6, 0.01, 0.5, 0.999999, 1 - 1e-15]),
        st.sampled_from([1e-300, 1e-9, 0.5, 1 - 1e-12]),
    )
    def test_a_million_pairs_and_the_oddest_levels_have_finite_answers(
        self, cells: tuple[int, int, int, int], level: float, margin: float
    ) -> None:
        seen = table(*cells)
        for interval in (tango(seen, level), newcombe(seen, level), bonett_price(seen, level), wald(seen, level)):
            assert -1 <= interval.low <= interval.high <= 1
        assert seen.difference in tango(seen, level)
        assert 0 <= noninferiority_p(seen, margin) <= 1
        odds = win_odds(cells[1], cells[2], level)
        assert 0 <= odds.interval.low <= odds.median <= odds.interval.high < float("inf")

    @given(st.integers(0, 40), st.integers(0, 40))
    def test_one_more_win_in_place_of_a_loss_never_raises_p_on_the_winning_side(self, wins: int, losses: int) -> None:
        assume(wins >= losses > 0)
        assert mcnemar_exact(wins + 1, losses - 1) <= mcnemar_exact(wins, losses)
        assert mcnemar_midp(wins + 1, losses - 1) <= mcnemar_midp(wins, losses)

    @given(counts, counts)
    def test_midp_lies_at_or_below_the_exact_p(self, b: int, c: int) -> None:
        assert 0 <= mcnemar_midp(b, c) <= mcnemar_exact(b, c) <= 1

    @given(st.integers(0, 200), st.integers(1, 200), levels)
    def test_intervals_of_a_proportion_contain_it_and_mirror(self, x: int, n: int, level: float) -> None:
        assume(x <= n)
        for method in (wilson, clopper_pearson, jeffreys):
            low, high = method(x, n, level)
            assert 0 <= low <= x / n <= high <= 1
            other = method(n - x, n, level)
            assert (low, high) == pytest.approx((1 - other.high, 1 - other.low), abs=1e-9)

    @given(st.lists(st.integers(-3, 3), min_size=1, max_size=12))
    def test_sign_flip_sees_neither_the_order_nor_the_direction(self, sums: list[int]) -> None:
        assert sign_flip(sums) == sign_flip(sorted(sums)) == sign_flip([-s for s in sums])

    @settings(max_examples=30)
    @given(st.integers(1, 60), st.floats(0, 0.4))
    def test_the_smallest_detectable_difference_has_the_power_it_names(self, n: int, losses: float) -> None:
        smallest = smallest_detectable(n, losses)
        if smallest is None:
            assert mcnemar_power(1 - losses, losses, n) < 0.8
        else:
            assert mcnemar_power(losses + smallest, losses, n) == pytest.approx(0.8, abs=1e-3)


class TestLimits:
    def test_fewer_than_six_units_cannot_reach_five_percent(self) -> None:
        assert smallest_p(5) == mcnemar_exact(5, 0) > 0.05
        assert smallest_p(6) == mcnemar_exact(6, 0) <= 0.05

    def test_no_discordant_pair_means_no_evidence(self) -> None:
        assert mcnemar_exact(0, 0) == mcnemar_midp(0, 0) == sign_flip([0, 0]) == sign_flip([]) == 1

    @pytest.mark.parametrize("cells", [(0, 0, 0, 0), (-1, 2, 0, 0), (float("inf"), 0, 0, 0)])
    def test_a_table_without_pairs_or_with_impossible_counts_is_refused(self, cells: tuple[float, ...]) -> None:
        with pytest.raises(ValueError, match="paired table"):
            table(*cells)

    @pytest.mark.parametrize("level", [0.0, 1.0, 1.5])
    def test_a_level_outside_0_and_1_is_refused(self, level: float) -> None:
        with pytest.raises(ValueError, match="confidence level"):
            wilson(1, 2, level)

    @pytest.mark.parametrize("margin", [0.0, 1.0, -0.1])
    def test_a_margin_outside_0_and_1_is_refused(self, margin: float) -> None:
        with pytest.raises(ValueError, match="margin"):
            noninferiority_p(table(1, 1, 1, 1), margin)

    @pytest.mark.parametrize("minimum", [-0.1, 1.0])
    def test_a_minimum_effect_outside_0_and_1_is_refused(self, minimum: float) -> None:
        with pytest.raises(ValueError, match="minimum effect"):
            superiority_p(table(1, 1, 1, 1), minimum)

    def test_negative_wins_have_no_odds(self) -> None:
        with pytest.raises(ValueError, match="wins and losses"):
            win_odds(-1, 2)

    def test_where_alpha_is_above_the_power_even_no_difference_is_found_often_enough(self) -> None:
        assert smallest_detectable(10_000, 0.3, alpha=0.9) == 0

    def test_every_corner_of_the_paired_table_has_finite_intervals(self) -> None:
        for corner in itertools.permutations((16, 0, 0, 0)):
            seen = table(*corner)
            assert seen.difference in tango(seen)
            assert tango(seen).high - tango(seen).low < 0.5

    @given(st.lists(st.tuples(st.integers(0, 6), st.integers(0, 6), st.integers(1, 6)), min_size=1, max_size=30))
    def test_repeats_count_for_something_between_nothing_and_all(self, drawn: list[tuple[int, int, int]]) -> None:
        sums, sizes = [won - lost for won, lost, _ in drawn], [sum(each) for each in drawn]
        effect = design_effect(sums, sizes, sum(won + lost for won, lost, _ in drawn), 0.95)
        assert 1 <= effect <= max(1.0, repeat_weight(sizes))
        turned = design_effect([-each for each in reversed(sums)], sizes[::-1], sum(w + x for w, x, _ in drawn), 0.95)
        assert turned == pytest.approx(effect)

    @given(st.lists(st.sampled_from([-1, 0, 1]), min_size=1, max_size=40), st.integers(2, 20))
    def test_repeats_that_always_agree_add_nothing(self, results: list[int], repeats: int) -> None:
        sums, discordant = [repeats * each for each in results], repeats * sum(map(abs, results))
        assert design_effect(sums, [repeats] * len(sums), discordant, 0.95) == pytest.approx(repeats)

    def test_the_design_effect_is_the_ratio_of_the_two_variances(self) -> None:
        # twenty scenarios of 30 repeats, 8.5 more won than lost in the mean; and one scenario more whose repeats agree
        around, discordant, n = 5 * (1.5**2 + 0.5**2 + 0.5**2 + 1.5**2), 200, 600
        clustered = 20 / 19 * (around + 30**2)
        independent = discordant - n * (170 / n) ** 2 + 30
        quantiles = 2.093024 / 1.959964  # of t with 19 degrees of freedom, and normal
        effect = design_effect([10, 9, 8, 7] * 5, [30] * 20, discordant, 0.95)
        assert effect == pytest.approx(clustered / independent * quantiles**2, rel=1e-6)

    def test_repeats_of_equal_number_shrink_n_by_that_number(self) -> None:
        assert repeat_weight((3, 3, 3, 3)) == 3
        assert repeat_weight((1, 1, 1)) == repeat_weight(()) == 1
        assert 1 < repeat_weight((1, 1, 4)) < 4
