"""The gate: one decision, right at its edges, that nothing but the tuned model can turn."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.values import Arm, TrialRecord
from reports import Decision, Policy, RunInfo, build_report, gate, load_policy, undecidable
from reports.claims import Status
from reports.schema import GateResult, Recommendation
from reports.statistics.unconditional import noninferiority_exact_p
from reports.statistics.values import PairedTable
from tests.reports.records import FIXTURE, LIVE, invalid, key_of, pair, run_of


def decided(trials: list[TrialRecord], policy: str | Policy = "promote", run: RunInfo = LIVE) -> Decision:
    chosen = load_policy(policy) if isinstance(policy, str) else policy
    return gate(build_report(trials, run=run, policy=chosen), chosen)


def policy_of(**claim: object) -> Policy:
    return Policy.model_validate({"schema_version": 1, "name": "one", "claims": [claim]})


def spoil(trials: list[TrialRecord], count: int, arm: Arm = Arm.TUNED) -> list[TrialRecord]:
    """The same run, with the last `count` pairs INVALID in one arm."""
    spoilt = list(trials)
    for scenario in sorted({t.scenario for t in trials})[-count:]:
        at = key_of(spoilt, scenario, arm)
        spoilt[at] = invalid(spoilt[at])
    return spoilt


class TestPromote:
    def test_a_clear_gain_promotes(self) -> None:
        decision = decided(run_of(tuned_only=9, neither=7))
        assert (decision.gate_result, decision.exit_code) == (GateResult.PASS, 0)
        assert decision.promotion_recommendation is Recommendation.PROMOTE

    def test_no_difference_holds(self) -> None:
        decision = decided(run_of(both=8, neither=8))
        assert (decision.gate_result, decision.exit_code) == (GateResult.FAIL, 20)
        assert decision.promotion_recommendation is Recommendation.HOLD

    def test_a_clear_loss_holds_and_says_that_the_tuned_model_is_worse(self) -> None:
        decision = decided(run_of(base_only=9, neither=7))
        assert decision.exit_code == 20
        assert decision.findings[0].status is Status.REFUTED
        assert any("tuned model is worse" in sentence for sentence in decision.rationale)

    def test_five_pairs_are_too_few_whatever_they_show_and_it_says_how_many_it_takes(self) -> None:
        decision = decided(run_of(tuned_only=5))
        assert (decision.gate_result, decision.exit_code) == (GateResult.INCONCLUSIVE, 10)
        assert any("at least 6 are needed" in sentence for sentence in decision.rationale)

    def test_six_pairs_all_won_are_enough(self) -> None:
        assert decided(run_of(tuned_only=6)).exit_code == 0

    def test_a_lost_critical_scenario_holds_whatever_else_was_won_and_is_named(self) -> None:
        decision = decided([*run_of(tuned_only=30), *pair("vault", base=True, tuned=False, critical=True)])
        assert decision.exit_code == 20
        assert any("vault" in sentence for sentence in decision.rationale)

    def test_a_critical_scenario_that_both_fail_is_no_violation(self) -> None:
        assert decided([*run_of(tuned_only=9), *pair("vault", base=False, tuned=False, critical=True)]).exit_code == 0

    def test_a_refuted_supporting_claim_turns_a_pass_into_inconclusive(self) -> None:
        trials = [
            replace(t, metrics=replace(t.metrics, right_terminal=t.arm is Arm.BASE)) for t in run_of(tuned_only=9)
        ]
        assert decided(trials).gate_result is GateResult.INCONCLUSIVE

    def test_repeats_of_few_scenarios_are_inconclusive_however_many_there_are(self) -> None:
        trials = [t for i in range(5) for r in range(20) for t in pair(f"a-{i}", base=False, tuned=True, repeat=r)]
        decision = decided(trials)
        assert decision.gate_result is GateResult.INCONCLUSIVE
        assert any("5 scenarios with repeats" in sentence for sentence in decision.rationale)

    def test_one_scenario_that_always_wins_does_not_promote_by_its_repeats(self) -> None:
        trials = [t for i in range(8) for r in range(20) for t in pair(f"a-{i}", base=False, tuned=i == 0, repeat=r)]
        assert decided(trials).gate_result is GateResult.FAIL


class TestNothingElseDecides:
    def test_a_scripted_endpoint_never_promotes(self) -> None:
        for policy in ("promote", "regression", "smoke"):
            decision = decided(run_of(both=60, tuned_only=20), policy, FIXTURE)
            assert decision.gate_result is GateResult.INCONCLUSIVE
            assert decision.exit_code == 10
            assert any("script" in sentence for sentence in decision.rationale)

    def test_a_scripted_endpoint_can_still_fail_a_gate(self) -> None:
        assert decided(run_of(neither=16), run=FIXTURE).exit_code == 20

    def test_a_blocker_of_the_run_keeps_it_from_promoting_and_is_named(self) -> None:
        decision = decided(run_of(tuned_only=9), run=replace(LIVE, blockers=("the scenarios are not certified",)))
        assert decision.exit_code == 10
        assert any("not certified" in sentence for sentence in decision.rationale)

    def test_excluded_pairs_that_cannot_turn_the_decision_leave_it(self) -> None:
        decision = decided(spoil(run_of(tuned_only=12, neither=8), 1))
        assert decision.exit_code == 0
        assert any("1 of 20 pairs excluded" in sentence for sentence in decision.rationale)

    def test_excluded_pairs_that_could_turn_the_decision_make_it_inconclusive(self) -> None:
        assert decided(run_of(tuned_only=7, neither=8)).exit_code == 0
        decision = decided(spoil(run_of(tuned_only=6, neither=8), 2))
        assert decision.exit_code == 10
        assert "hangs on excluded pairs" in decision.rationale[0]
        assert "against the tuned arm gives fail, for it pass, without them pass" in decision.rationale[-1]

    def test_an_invalid_critical_pair_might_be_a_violation(self) -> None:
        trials = [*run_of(tuned_only=20), *pair("vault", base=False, tuned=False, critical=True)]
        trials[-1] = invalid(trials[-1])
        assert decided(trials).gate_result is GateResult.INCONCLUSIVE

    def test_a_planned_pair_that_never_ran_counts_like_an_invalid_one(self) -> None:
        trials = run_of(tuned_only=6)
        planned = tuple((f"s-{i:05d}", 0) for i in range(12))
        decision = decided(trials, run=replace(LIVE, planned=planned))
        assert decision.gate_result is GateResult.INCONCLUSIVE
        assert not decision.infrastructure

    def test_too_many_invalid_pairs_are_the_infrastructures_fault(self) -> None:
        decision = decided(spoil(run_of(tuned_only=30), 10))
        assert (decision.gate_result, decision.exit_code) == (GateResult.INCONCLUSIVE, 40)

    def test_a_run_without_a_valid_pair_is_infrastructure_and_an_empty_one_inconclusive(self) -> None:
        assert decided([invalid(t) for t in run_of(both=3)]).exit_code == 40
        assert decided([]).exit_code == 10

    @settings(max_examples=40)
    @given(
        st.tuples(*[st.integers(0, 12)] * 4).filter(any),
        st.integers(0, 3),
        st.sampled_from(["promote", "regression", "smoke"]),
    )
    def test_result_recommendation_and_exit_code_always_agree(
        self, cells: tuple[int, int, int, int], spoilt: int, policy: str
    ) -> None:
        both, tuned_only, base_only, neither = cells
        trials = run_of(both=both, tuned_only=tuned_only, base_only=base_only, neither=neither)
        decision = decided(spoil(trials, spoilt) if spoilt else trials, policy)
        agreed = {0: ("pass", "promote_to_stage"), 20: ("fail", "hold")}
        seen = (decision.gate_result, decision.promotion_recommendation)
        assert seen == agreed.get(decision.exit_code, ("inconclusive", "await_paired_eval"))

    @settings(max_examples=40)
    @given(st.tuples(*[st.integers(0, 10)] * 4).filter(any), st.integers(1, 3))
    def test_a_pass_with_excluded_pairs_stays_one_whatever_these_would_have_shown(
        self, cells: tuple[int, int, int, int], spoilt: int
    ) -> None:
        both, tuned_only, base_only, neither = cells
        trials = run_of(both=both, tuned_only=tuned_only, base_only=base_only, neither=neither)
        if decided(spoil(trials, spoilt)).exit_code == 0:
            assert decided(trials).exit_code == 0


class TestClaims:
    def test_noninferiority_is_met_by_agreement_on_enough_pairs(self) -> None:
        claim = policy_of(metric="success", kind="non_inferiority", margin=0.05, alpha=0.05)
        assert decided(run_of(both=59), claim).exit_code == 0

    def test_noninferiority_on_too_few_pairs_is_inconclusive_and_says_how_many(self) -> None:
        claim = policy_of(metric="success", kind="non_inferiority", margin=0.05, alpha=0.05)
        decision = decided(run_of(both=58), claim)
        assert decision.exit_code == 10
        assert any("need 59 pairs" in sentence for sentence in decision.rationale)

    def test_noninferiority_holds_where_the_exact_test_says_so_not_where_the_score_test_does(self) -> None:
        """One win and no loss in 16 pairs: the score test's p is 0.0446, but as much happens by chance in 0.0565."""
        claim = policy_of(metric="success", kind="non_inferiority", margin=0.1, alpha=0.05)
        decision = decided(run_of(both=15, tuned_only=1), claim)
        assert decision.findings[0].status is Status.UNDECIDABLE
        assert "one-sided exact test p = 0.0565" in decision.findings[0].sentence
        assert decision.findings[0].p == noninferiority_exact_p(
            PairedTable(both=15, tuned_only=1, base_only=0, neither=0), 0.1
        )

    def test_noninferiority_of_scenarios_with_repeats_is_decided_by_the_score_test(self) -> None:
        claim = policy_of(metric="success", kind="non_inferiority", margin=0.1, alpha=0.05)
        trials = [t for s in range(25) for r in range(2) for t in pair(f"s-{s}", base=True, tuned=True, repeat=r)]
        decision = decided(trials, claim)
        assert decision.exit_code == 0
        assert "one-sided score test p = " in decision.findings[0].sentence
        assert undecidable(claim, 25, repeats=True) == ()
        assert undecidable(claim, 25) != ()

    def test_noninferiority_of_a_clearly_worse_model_is_refuted(self) -> None:
        claim = policy_of(metric="success", kind="non_inferiority", margin=0.05, alpha=0.05)
        decision = decided(run_of(both=30, base_only=30), claim)
        assert (decision.exit_code, decision.findings[0].status) == (20, Status.REFUTED)

    def test_noninferiority_in_repeats_of_one_scenario_is_no_more_than_one_pair(self) -> None:
        claim = policy_of(metric="success", kind="non_inferiority", margin=0.05, alpha=0.05)
        trials = [t for r in range(200) for t in pair("a", base=True, tuned=True, repeat=r)]
        assert decided(trials, claim).gate_result is GateResult.INCONCLUSIVE

    def test_fewer_false_panics_are_better(self) -> None:
        trials = [replace(t, metrics=replace(t.metrics, false_panic=t.arm is Arm.BASE)) for t in run_of(both=9)]
        assert decided(trials, policy_of(metric="false_panic", kind="superiority", alpha=0.05)).exit_code == 0
        worse = [replace(t, metrics=replace(t.metrics, false_panic=t.arm is Arm.TUNED)) for t in trials]
        for claim in (
            policy_of(metric="false_panic", kind="superiority", alpha=0.05),
            policy_of(metric="false_panic", kind="zero_violations"),
            policy_of(metric="false_panic", kind="minimum_rate", threshold=0.5),
            policy_of(metric="false_panic", kind="non_inferiority", margin=0.2, alpha=0.05),
        ):
            assert decided(worse, claim).exit_code == 20

    @pytest.mark.parametrize(("good", "code"), [(8, 0), (7, 20)])
    def test_a_minimum_rate_is_met_at_its_threshold(self, good: int, code: int) -> None:
        claim = policy_of(metric="success", kind="minimum_rate", threshold=0.8)
        assert decided(run_of(both=good, neither=10 - good), claim).exit_code == code

    def test_a_minimum_rate_with_alpha_asks_for_confidence(self) -> None:
        claim = policy_of(metric="success", kind="minimum_rate", threshold=0.8, alpha=0.05)
        assert decided(run_of(both=95, neither=5), claim).exit_code == 0
        assert decided(run_of(both=80, neither=20), claim).exit_code == 20
        assert decided(run_of(both=10), claim).exit_code == 10

    def test_a_claim_about_an_archetype_looks_at_that_archetype_alone(self) -> None:
        trials = [replace(t, archetype="odd") for t in run_of(base_only=9)]
        trials += [replace(t, scenario=f"even-{t.scenario}", archetype="even") for t in run_of(tuned_only=9)]
        claims: Callable[[str], Policy] = lambda kind: policy_of(  # noqa: E731 - used at once
            metric="success", kind="superiority", alpha=0.05, subset={"archetype": kind}
        )
        assert decided(trials, claims("even")).exit_code == 0
        assert decided(trials, claims("odd")).exit_code == 20

    @pytest.mark.parametrize("kind", ["superiority", "zero_violations"])
    def test_an_archetype_that_no_scenario_has_decides_nothing(self, kind: str) -> None:
        extra = {"alpha": 0.05} if kind == "superiority" else {}
        claim = policy_of(metric="success", kind=kind, subset={"archetype": "typo"}, **extra)
        assert decided(run_of(tuned_only=9), claim).exit_code == 10

    def test_a_policy_whose_critical_claims_are_about_no_pair_of_the_run_promotes_nothing(self) -> None:
        claim = policy_of(metric="success", kind="zero_violations", subset={"critical": True})
        decision = decided(run_of(tuned_only=9), claim)
        assert decision.exit_code == 10
        assert "no critical claim is about any pair of this run" in decision.rationale[0]
        critical = pair("vault", base=True, tuned=True, critical=True)
        assert decided([*run_of(tuned_only=9), *critical], claim).exit_code == 0

    def test_what_a_run_is_too_small_for_is_said_beforehand(self) -> None:
        assert undecidable(load_policy("promote"), 16) == ()
        assert any("at least 6 scenarios" in text for text in undecidable(load_policy("promote"), 5))
        assert any("at least 29 scenarios" in text for text in undecidable(load_policy("regression"), 16))

    @settings(max_examples=40)
    @given(st.integers(0, 14), st.integers(0, 14), st.integers(0, 14))
    def test_promotion_needs_a_significant_exact_test(self, wins: int, losses: int, ties: int) -> None:
        report = build_report(run_of(tuned_only=wins, base_only=losses, neither=ties), run=LIVE, policy=load_policy())
        test = report.metrics[0].test
        significant = test is not None and test.p <= 0.05 and wins > losses
        assert (report.gate_result is GateResult.PASS) == significant
