"""Several repeats and several tests: counted by hand, published examples, and properties."""

from __future__ import annotations

from itertools import combinations

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy.stats import f_oneway

from reports.statistics.multiplicity import benjamini_hochberg, holm
from reports.statistics.repeats import (
    mean_pass_at_k,
    mean_pass_hat_k,
    pass_at_k,
    pass_hat_k,
    variance_components,
)

# The 15 comparisons of Benjamini and Hochberg 1995, Journal of the Royal Statistical Society B 57:289-300, section 4
MYOCARDIAL = (
    *(0.0001, 0.0004, 0.0019, 0.0095, 0.0201, 0.0278, 0.0298, 0.0344),
    *(0.0459, 0.3240, 0.4262, 0.5719, 0.6528, 0.7590, 1.0),
)

p_values = st.lists(st.floats(0, 1), min_size=1, max_size=12)


@st.composite
def runs(draw: st.DrawFn) -> tuple[int, int]:
    n = draw(st.integers(1, 8))
    return n, draw(st.integers(0, n))


class TestSeveralTests:
    def test_benjamini_and_hochberg_1995_reject_four_where_a_familywise_procedure_rejects_three(self) -> None:
        assert [p <= 0.05 for p in benjamini_hochberg(MYOCARDIAL)] == [True] * 4 + [False] * 11
        assert [p <= 0.05 for p in holm(MYOCARDIAL)] == [True] * 3 + [False] * 12

    def test_holm_by_hand(self) -> None:
        assert holm([0.04, 0.01, 0.03]) == pytest.approx((0.06, 0.03, 0.06))
        assert holm([0.5, 0.6]) == (1.0, 1.0)

    @given(p_values)
    def test_holm_is_the_step_down_procedure(self, ps: list[float]) -> None:
        adjusted = holm(ps)
        for alpha in (0.01, 0.05, 0.3):
            rejected: set[int] = set()
            for rank, index in enumerate(sorted(range(len(ps)), key=ps.__getitem__)):
                if ps[index] * (len(ps) - rank) > alpha:
                    break
                rejected.add(index)
            assert {index for index, p in enumerate(adjusted) if p <= alpha} == rejected

    @given(p_values)
    def test_adjusting_raises_p_and_holm_lies_between_bh_and_bonferroni(self, ps: list[float]) -> None:
        for p, bh, by_holm in zip(ps, benjamini_hochberg(ps), holm(ps), strict=True):
            assert p - 1e-12 <= bh <= by_holm + 1e-12
            assert by_holm <= min(1.0, len(ps) * p) + 1e-12

    @given(st.data(), p_values)
    def test_each_keeps_its_answer_in_any_order(self, data: st.DataObject, ps: list[float]) -> None:
        order = data.draw(st.permutations(range(len(ps))))
        for adjust in (holm, benjamini_hochberg):
            straight, shuffled = adjust(ps), adjust([ps[index] for index in order])
            assert [straight[index] for index in order] == pytest.approx(list(shuffled))

    def test_nothing_to_adjust_and_no_p_value(self) -> None:
        for adjust in (holm, benjamini_hochberg):
            assert adjust([]) == ()
            assert adjust([0.3]) == pytest.approx((0.3,))
            for wrong in (-0.1, 1.1, float("nan")):
                with pytest.raises(ValueError, match="between 0 and 1"):
                    adjust([0.1, wrong])


class TestPassAtK:
    @given(runs(), st.integers(1, 8))
    def test_both_are_the_share_of_all_choices_of_k_runs(self, run: tuple[int, int], k: int) -> None:
        n, c = run
        assume(k <= n)
        choices = list(combinations([True] * c + [False] * (n - c), k))
        assert pass_at_k(n, c, k) == pytest.approx(sum(map(any, choices)) / len(choices))
        assert pass_hat_k(n, c, k) == pytest.approx(sum(map(all, choices)) / len(choices))

    @given(runs())
    def test_with_k_of_one_both_are_the_rate(self, run: tuple[int, int]) -> None:
        assert pass_at_k(*run, 1) == pytest.approx(run[1] / run[0])
        assert pass_hat_k(*run, 1) == pytest.approx(run[1] / run[0])

    @given(runs(), st.integers(1, 7))
    def test_more_tries_help_at_and_hurt_hat(self, run: tuple[int, int], k: int) -> None:
        assume(k < run[0])
        assert pass_at_k(*run, k) <= pass_at_k(*run, k + 1)
        assert pass_hat_k(*run, k) >= pass_hat_k(*run, k + 1)

    def test_thousands_of_runs_do_not_overflow(self) -> None:
        assert pass_at_k(20_000, 1, 10_000) == pytest.approx(0.5)
        assert pass_hat_k(20_000, 19_999, 10_000) == pytest.approx(0.5)

    def test_scenarios_count_alike_and_those_with_too_few_runs_not_at_all(self) -> None:
        counts = [(4, 4), (4, 0), (2, 1), (1, 1)]
        assert mean_pass_at_k(counts, 2) == pytest.approx((1 + 0 + 1) / 3)
        assert mean_pass_hat_k(counts, 2) == pytest.approx((1 + 0 + 0) / 3)
        assert mean_pass_at_k(counts, 5) is None
        assert mean_pass_hat_k([], 1) is None

    @pytest.mark.parametrize(("n", "c", "k"), [(3, 1, 0), (3, 1, 4), (3, 4, 1), (3, -1, 1), (0, 0, 1)])
    def test_impossible_numbers_are_refused(self, n: int, c: int, k: int) -> None:
        for of in (pass_at_k, pass_hat_k):
            with pytest.raises(ValueError, match="1 <= k <= n"):
                of(n, c, k)
        with pytest.raises(ValueError, match="k is at least 1"):
            mean_pass_at_k([(1, 1)], 0)


class TestVarianceComponents:
    @given(st.integers(2, 6), st.lists(st.integers(0, 6), min_size=2, max_size=12))
    def test_with_equal_repeats_they_are_those_of_one_way_anova(self, m: int, successes: list[int]) -> None:
        counts = [(m, min(c, m)) for c in successes]
        assume(any(0 < c < m for _, c in counts) and len({c for _, c in counts}) > 1)
        f = f_oneway(*([1.0] * c + [0.0] * (m - c) for m, c in counts)).statistic
        found = variance_components(counts)
        assert found is not None
        assert found.between == pytest.approx(max(0.0, (f - 1) * found.within / m))
        assert found.icc == pytest.approx(max(0.0, (f - 1) / (f - 1 + m)))

    def test_scenarios_that_always_or_never_pass_vary_only_between(self) -> None:
        found = variance_components([(3, 3), (3, 0), (2, 2), (2, 0)])
        assert found is not None
        assert (found.within, found.icc) == (0, 1)
        assert found.between > 0

    def test_repeats_that_differ_as_much_as_scenarios_leave_nothing_between(self) -> None:
        found = variance_components([(4, 2)] * 5)
        assert found is not None
        assert (found.between, found.icc) == (0, 0)
        assert found.within == pytest.approx(1 / 3)

    def test_what_cannot_be_told_apart_is_none(self) -> None:
        assert variance_components([(5, 2)]) is None
        assert variance_components([(1, 1), (1, 0)]) is None
        constant = variance_components([(2, 2), (3, 3)])
        assert constant is not None
        assert (constant.between, constant.within, constant.icc) == (0, 0, None)

    @given(st.lists(runs(), min_size=2, max_size=10))
    def test_variances_are_never_negative_and_the_order_does_not_matter(self, counts: list[tuple[int, int]]) -> None:
        found = variance_components(counts)
        assume(found is not None)
        assert found is not None
        assert found.between >= 0
        assert found.within >= 0
        mirrored = variance_components([(n, n - c) for n, c in reversed(counts)])
        assert mirrored is not None
        assert (mirrored.between, mirrored.within) == pytest.approx((found.between, found.within))
