"""Claims of every kind, right at their edges, and whatever the excluded pairs would have shown."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.values import Arm, Terminal, TrialRecord
from reports import Policy, ScenarioFacts, build_report, gate, load_policy, undecidable
from reports.claims import Finding, Status, find, pairs_needed, with_holm
from reports.pairing import pair_up
from reports.policy import Claim
from reports.schema import Report
from reports.statistics.multiplicity import holm
from reports.tally import Imputation
from tests.reports.records import LIVE, invalid, key_of, pair, run_of


def claim_of(**keys: object) -> Claim:
    return Claim.model_validate(keys)


def policy_of(*claims: dict[str, object]) -> Policy:
    return Policy.model_validate({"schema_version": 1, "name": "own", "claims": list(claims)})


def found(trials: Sequence[TrialRecord], **keys: object) -> Finding:
    """The finding of one claim on a run without a stopping rule."""
    return find(claim_of(**keys), pair_up(trials)[0])


def costing(turns: Sequence[tuple[int, int]]) -> list[TrialRecord]:
    """One scenario for each (base turns, tuned turns)."""
    trials = []
    for i, spent in enumerate(turns):
        trials += [replace(t, turns=n) for t, n in zip(pair(f"s-{i}", base=True, tuned=True), spent, strict=True)]
    return trials


def report_of(trials: Sequence[TrialRecord], policy: Policy) -> Report:
    return build_report(trials, run=LIVE, policy=policy)


class TestSuperiorityByAMinimumEffect:
    KEYS = {"metric": "success", "kind": "superiority", "alpha": 0.05, "minimum_effect": 0.1}  # noqa: RUF012 - read only

    def test_is_met_by_a_gain_that_is_clearly_larger(self) -> None:
        finding = found(run_of(tuned_only=20, neither=20), **self.KEYS)
        assert finding.status is Status.MET
        assert finding.p is not None
        assert finding.p <= 0.05
        assert "more than 10 points better" in finding.sentence

    def test_is_not_met_by_a_gain_that_only_the_plain_claim_shows(self) -> None:
        trials = run_of(tuned_only=9, base_only=1, neither=30)
        plain = {key: value for key, value in self.KEYS.items() if key != "minimum_effect"}
        assert found(trials, **plain).status is Status.MET
        assert found(trials, **self.KEYS).status is Status.NOT_MET

    def test_is_refuted_where_the_gain_is_shown_to_be_smaller(self) -> None:
        finding = found(run_of(tuned_only=2, both=300), **self.KEYS)
        assert finding.status is Status.REFUTED
        assert "the gain is smaller than 10 points" in finding.sentence

    def test_agrees_with_tangos_interval_where_the_exact_test_is_significant(self) -> None:
        for won in range(10, 31):
            report = report_of(run_of(tuned_only=won, neither=40 - won), policy_of(self.KEYS))
            assert report.metrics[0].difference is not None
            above = report.metrics[0].difference.tango[0] > 0.1
            assert (report.findings[0].status is Status.MET) == above

    def test_needs_more_pairs_than_the_plain_claim_and_says_how_many(self) -> None:
        keys = {**self.KEYS, "minimum_effect": 0.5}
        needed = pairs_needed(claim_of(**keys))
        assert needed > 6
        assert found(run_of(tuned_only=needed), **keys).status is Status.MET
        short = found(run_of(tuned_only=needed - 1), **keys)
        assert short.status is Status.UNDECIDABLE
        assert f"at least {needed} are needed" in short.sentence

    def test_of_a_metric_that_is_better_low_counts_its_absence(self) -> None:
        trials = [
            replace(t, metrics=replace(t.metrics, false_panic=t.arm is Arm.BASE and t.scenario < "s-00020"))
            for t in run_of(both=40)
        ]
        assert found(trials, **{**self.KEYS, "metric": "false_panic"}).status is Status.MET


class TestMaximumCost:
    def test_without_alpha_the_tuned_median_is_held_against_the_threshold(self) -> None:
        trials = costing([(9, 4), (9, 5), (9, 6)])
        claim = {"metric": "turns", "kind": "maximum_cost"}
        assert found(trials, **claim, threshold=5).status is Status.MET
        short = found(trials, **claim, threshold=4.9)
        assert short.status is Status.NOT_MET
        assert "tuned's median is 5 turns over 3 scenarios, above 4.9" in short.sentence

    def test_with_alpha_the_sign_test_decides(self) -> None:
        claim = {"metric": "turns", "kind": "maximum_cost", "threshold": 5, "alpha": 0.05}
        shown = found(costing([(9, 4)] * 5), **claim)
        assert shown.status is Status.MET
        assert shown.p == pytest.approx(0.5**5)
        assert found(costing([(9, 4)] * 4), **claim).status is Status.UNDECIDABLE
        assert found(costing([(9, 4)] * 5 + [(9, 6)] * 3), **claim).status is Status.NOT_MET
        assert found(costing([(9, 6)] * 5), **claim).status is Status.REFUTED

    def test_a_ratio_is_met_by_a_tuned_arm_that_costs_no_more_than_that_many_times_base(self) -> None:
        claim = {"metric": "turns", "kind": "maximum_cost"}
        trials = costing([(4, 6), (6, 9), (2, 3), (10, 15)])
        assert found(trials, **claim, ratio=1.5).status is Status.MET
        assert found(trials, **claim, ratio=1.4).status is Status.NOT_MET

    def test_a_ratio_with_alpha_is_decided_by_the_limit_of_the_estimate(self) -> None:
        claim = {"metric": "turns", "kind": "maximum_cost", "ratio": 1.0, "alpha": 0.05}
        cheaper = [(10 + i, 5 + i % 3) for i in range(12)]
        assert found(costing(cheaper), **claim).status is Status.MET
        assert found(costing([(t, b) for b, t in cheaper]), **claim).status is Status.REFUTED
        assert found(costing(cheaper[:3]), **claim).status is Status.UNDECIDABLE
        assert found(costing([(5, 4), (4, 5)] * 6), **claim).status is Status.NOT_MET

    def test_of_tokens_that_the_server_does_not_count_is_undecidable(self) -> None:
        trials = [replace(t, completion_tokens=None) for t in run_of(both=9)]
        finding = found(trials, metric="completion_tokens", kind="maximum_cost", threshold=100)
        assert finding.status is Status.UNDECIDABLE
        assert "none of its 9 pairs was measured" in finding.sentence

    def test_repeats_of_one_scenario_are_one_unit(self) -> None:
        trials = [replace(t, turns=4) for r in range(30) for t in pair("only", base=True, tuned=True, repeat=r)]
        claim = {"metric": "turns", "kind": "maximum_cost", "threshold": 5, "alpha": 0.05}
        assert found(trials, **claim).status is Status.UNDECIDABLE


class TestHolm:
    POLICY = policy_of(
        {"metric": "success", "kind": "superiority", "alpha": 0.05},
        {"metric": "task", "kind": "non_inferiority", "alpha": 0.05, "margin": 0.1, "tier": "supporting"},
        {"metric": "success", "kind": "zero_violations"},
        {"metric": "terminated", "kind": "minimum_rate", "threshold": 0.5, "alpha": 0.05, "tier": "advisory"},
    )

    def test_adjusts_every_claim_that_has_a_p_and_leaves_the_gates_own_p_alone(self) -> None:
        report = report_of(run_of(tuned_only=12, both=20, neither=4), self.POLICY)
        with_p = [row for row in report.findings if row.p is not None]
        assert [row.kind for row in with_p] == ["superiority", "non_inferiority", "minimum_rate"]
        assert [row.p_holm for row in with_p] == list(holm([row.p for row in with_p if row.p is not None]))
        assert report.findings[2].p_holm is None
        assert report.findings[0].p == pytest.approx(2 * 0.5**12)

    def test_of_one_claim_changes_nothing(self) -> None:
        report = report_of(run_of(tuned_only=9), policy_of({"metric": "success", "kind": "superiority", "alpha": 0.05}))
        assert report.findings[0].p_holm == report.findings[0].p

    def test_of_no_claim_at_all_is_no_finding(self) -> None:
        assert with_holm([]) == ()


class TestMinimumRate:
    @settings(max_examples=60)
    @given(st.integers(0, 30), st.integers(0, 30), st.sampled_from([0.2, 0.5, 0.9]), st.sampled_from([0.01, 0.05]))
    def test_p_is_at_most_alpha_exactly_where_the_limit_reaches_the_threshold(
        self, good: int, bad: int, threshold: float, alpha: float
    ) -> None:
        if good + bad == 0:
            return
        finding = found(
            run_of(both=good, neither=bad), metric="success", kind="minimum_rate", threshold=threshold, alpha=alpha
        )
        assert finding.p is not None
        assert (finding.status is Status.MET) == (finding.p <= alpha)

    def test_what_cannot_be_met_by_so_few_is_said_with_the_number_needed(self) -> None:
        claim = claim_of(metric="success", kind="minimum_rate", threshold=0.8, alpha=0.05)
        assert pairs_needed(claim) == 14
        assert find(claim, pair_up(run_of(both=14))[0]).status is Status.MET
        assert find(claim, pair_up(run_of(both=13))[0]).status is Status.UNDECIDABLE


KINDS: list[dict[str, object]] = [
    {"metric": "success", "kind": "superiority", "alpha": 0.05},
    {"metric": "success", "kind": "superiority", "alpha": 0.05, "minimum_effect": 0.05},
    {"metric": "success", "kind": "non_inferiority", "alpha": 0.05, "margin": 0.2},
    {"metric": "success", "kind": "minimum_rate", "threshold": 0.6},
    {"metric": "success", "kind": "minimum_rate", "threshold": 0.6, "alpha": 0.05},
    {"metric": "success", "kind": "zero_violations"},
    {"metric": "turns", "kind": "maximum_cost", "threshold": 5},
    {"metric": "turns", "kind": "maximum_cost", "threshold": 5, "alpha": 0.05},
    {"metric": "turns", "kind": "maximum_cost", "ratio": 0.8},
    {"metric": "turns", "kind": "maximum_cost", "ratio": 0.8, "alpha": 0.05},
]
CELLS = st.tuples(*[st.integers(0, 12)] * 4).filter(any)


class TestExcludedPairs:
    @pytest.mark.parametrize("keys", KINDS, ids=str)
    @pytest.mark.parametrize("spoiling", ["invalid", "missing"])
    @settings(max_examples=25, deadline=None)
    @given(cells=CELLS, spoilt=st.integers(1, 4))
    def test_a_claim_met_whatever_they_would_show_is_met_with_their_true_verdicts(
        self, keys: dict[str, object], spoiling: str, cells: tuple[int, int, int, int], spoilt: int
    ) -> None:
        trials = run_of(**dict(zip(("both", "tuned_only", "base_only", "neither"), cells, strict=True)))
        names = sorted({t.scenario for t in trials})[-spoilt:]
        planned = tuple((t.scenario, 0) for t in trials)
        kept = [
            t if t.scenario not in names or t.arm is Arm.BASE else invalid(t)
            for t in trials
            if not (spoiling == "missing" and t.scenario in names and t.arm is Arm.TUNED)
        ]
        claim = claim_of(**keys)
        pairs, exclusions = pair_up(kept, planned)
        assert len(exclusions) == len(names)
        if find(claim, pairs, Imputation.AGAINST).status is Status.MET:
            assert find(claim, pair_up(trials)[0]).status is Status.MET
            assert find(claim, pairs, Imputation.FOR).status is Status.MET

    @pytest.mark.parametrize("keys", KINDS, ids=str)
    def test_a_decision_of_any_kind_that_hangs_on_missing_pairs_is_inconclusive(self, keys: dict[str, object]) -> None:
        policy = policy_of(keys)
        trials = [replace(t, turns=3 if t.arm is Arm.TUNED else 9) for t in run_of(tuned_only=16)]
        assert gate(report_of(trials, policy), policy).exit_code == 0
        planned = tuple((f"s-{i:05d}", 0) for i in range(60))
        report = build_report(trials, run=replace(LIVE, planned=planned), policy=policy)
        assert gate(report, policy).exit_code == 10
        assert "hangs on excluded pairs" in report.rationale[0]

    def test_a_pair_counts_only_for_metrics_that_its_scenario_can_have(self) -> None:
        trials = run_of(both=9)
        at = key_of(trials, "s-00000", Arm.TUNED)
        trials[at] = invalid(trials[at])
        pairs, _ = pair_up(trials)
        panic = claim_of(metric="informed_panic", kind="minimum_rate", threshold=0.5)
        assert find(panic, pairs, Imputation.AGAINST).status is Status.UNDECIDABLE
        false = claim_of(metric="false_panic", kind="zero_violations")
        assert find(false, pairs, Imputation.AGAINST).status is Status.NOT_MET


class TestForesight:
    FACTS = tuple(
        ScenarioFacts(
            id=f"s-{i}", archetype="odd" if i % 4 else "even", critical=False, expected_terminal=Terminal.EXIT
        )
        for i in range(16)
    )

    def test_an_archetype_with_too_few_scenarios_is_named(self) -> None:
        policy = policy_of({"metric": "success", "kind": "superiority", "alpha": 0.05, "subset": {"archetype": "even"}})
        (said,) = undecidable(policy, self.FACTS)
        assert said == (
            "superiority on success (archetype even) needs at least 6 scenarios, 4 of this run's 16 scenarios fit"
        )

    def test_an_archetype_that_no_scenario_has_is_named_whatever_the_claim(self) -> None:
        for keys in KINDS:
            said = undecidable(policy_of({**keys, "subset": {"archetype": "typo"}}), self.FACTS)
            assert len(said) == 1
            assert "0 of this run's 16 scenarios fit" in said[0]

    def test_a_suite_without_critical_scenarios_proves_nothing_about_them(self) -> None:
        said = undecidable(load_policy("promote"), self.FACTS)
        assert said == (
            "zero violations on success (critical scenarios): this run has no such scenario, "
            "so it will be met and prove nothing",
        )

    def test_a_metric_that_no_scenario_can_have_is_named(self) -> None:
        policy = policy_of({"metric": "informed_panic", "kind": "minimum_rate", "threshold": 0.5})
        assert len(undecidable(policy, self.FACTS)) == 1

    def test_a_run_that_may_stop_early_needs_more_scenarios_and_no_fixed_size_tests(self) -> None:
        six = self.FACTS[:6]
        superior = policy_of({"metric": "success", "kind": "superiority", "alpha": 0.05})
        assert undecidable(superior, six) == ()
        assert "needs at least 8 scenarios" in undecidable(superior, six, sequential=True)[0]
        no_worse = policy_of({"metric": "success", "kind": "non_inferiority", "alpha": 0.05, "margin": 0.4})
        assert undecidable(no_worse, self.FACTS) == ()
        assert "fixed beforehand" in undecidable(no_worse, self.FACTS, sequential=True)[0]

    @pytest.mark.parametrize("keys", KINDS, ids=str)
    def test_the_number_it_asks_for_is_the_smallest_that_could_be_met(self, keys: dict[str, object]) -> None:
        claim = claim_of(**keys)
        needed = pairs_needed(claim)
        best = {"tuned_only": needed} if claim.kind == "superiority" else {"both": needed}
        trials = [replace(t, turns=3 if t.arm is Arm.TUNED else 9) for t in run_of(**best)]
        assert find(claim, pair_up(trials)[0]).status is Status.MET
        if needed > 1:
            fewer = [t for t in trials if t.scenario != "s-00000"]
            assert find(claim, pair_up(fewer)[0]).status is Status.UNDECIDABLE
