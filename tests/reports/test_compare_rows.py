"""The rows of two runs: none is dropped in silence, repeats count as scenarios, and the base is a control."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from harness.values import Arm, TrialRecord
from reports import build_report, load_policy
from reports.compare import Verdict, compare_runs
from reports.compare.side import Side
from reports.statistics.clusters import sign_flip
from tests.reports.comparing import arm, compared, side, told, trials
from tests.reports.records import LIVE, invalid, pair, run_of


class TestRows:
    def test_each_row_that_is_not_compared_is_listed_with_its_reason(self) -> None:
        a = trials(base="0" * 8, tuned="1" * 8)
        b = [t for t in trials(base="0" * 9, tuned="1" * 9) if t.scenario != "s-000"]
        b = [replace(t, scenario_digest="sha256:9") if t.scenario == "s-001" else t for t in b]
        b = [invalid(t, address="endpoint") if t.scenario == "s-002" and t.arm is Arm.TUNED else t for t in b]
        b = [t for t in b if t.scenario != "s-003" or t.arm is Arm.BASE]
        made = compared(a, b)
        assert [(row.scenario, row.why) for row in arm(made).left_out] == [
            ("s-000", "only_in_a"),
            ("s-001", "other_version"),
            ("s-002", "invalid"),
            ("s-003", "not_run"),
            ("s-008", "only_in_b"),
        ]
        assert "endpoint: no container" in arm(made).left_out[2].reason
        assert arm(made).compared == 4
        assert made.qualifications[0] == (
            "rows of the tuned arm: 5 of 9 not compared: 1 only in A, 1 only in B, "
            "1 of different versions of the scenario, 1 INVALID, 1 not run in at least one run"
        )

    def test_an_arm_counts_although_the_other_arm_of_its_pair_is_invalid(self) -> None:
        a = trials(base="0" * 8, tuned="1" * 8)
        b = [invalid(t) if t.arm is Arm.BASE and t.scenario == "s-000" else t for t in a]
        made = compared(a, b)
        assert arm(made).compared == 8
        assert arm(made, "base").compared == 7
        assert made.gain is not None
        assert made.gain.rows == 7

    @settings(max_examples=25, deadline=None)
    @given(st.data())
    def test_every_row_of_either_run_is_compared_or_listed_and_none_twice(self, data: st.DataObject) -> None:
        def drawn() -> Side:
            kept = []
            for trial in trials(base="0110", tuned="1010"):
                for repeat in range(2):
                    fate = data.draw(st.sampled_from(["run", "run", "invalid", "absent", "other"]))
                    one = replace(trial, repeat=repeat)
                    if fate != "absent":
                        kept.append(
                            invalid(one)
                            if fate == "invalid"
                            else replace(one, scenario_digest="sha256:9")
                            if fate == "other"
                            else one
                        )
            report = build_report(kept, run=LIVE, policy=load_policy())
            return Side(report=report, manifest=None, from_records=True)

        a, b = drawn(), drawn()
        keys = {(p.scenario, p.repeat) for side in (a, b) for p in side.report.pairs}
        made = compare_runs(a, b)
        if made.verdict is Verdict.REFUSED:
            assert any(reason.startswith("rows: ") for reason in made.refusals)
            return
        for found in made.arms:
            left = {(row.scenario, row.repeat) for row in found.left_out}
            assert len(left) == len(found.left_out)
            assert found.rows == len(keys) == found.compared + len(left)
            assert left <= keys
            for metric in found.metrics:
                assert metric.pairs.n <= found.compared
                cells = metric.pairs
                assert cells.both + cells.a_only + cells.b_only + cells.neither == cells.n
        mirrored = compare_runs(b, a)
        assert [x.difference and -x.difference.estimate for x in arm(mirrored).metrics] == [
            x.difference and x.difference.estimate for x in arm(made).metrics
        ]
        assert [x.test and x.test.p for x in arm(mirrored).metrics] == [x.test and x.test.p for x in arm(made).metrics]


class TestRepeats:
    def test_are_paired_by_repeat_and_tested_by_flipping_whole_scenarios(self) -> None:
        def repeated(wins: Sequence[int]) -> list[TrialRecord]:
            rows = [
                pair(f"s-{i}", base=False, tuned=repeat < won, repeat=repeat)
                for i, won in enumerate(wins)
                for repeat in range(3)
            ]
            return [trial for row in rows for trial in row]

        made = compared(repeated([0, 1, 0, 2, 0, 0, 1, 0]), repeated([3, 2, 1, 2, 3, 1, 3, 2]))
        (found,) = [metric for metric in arm(made).metrics if metric.name == "success"]
        assert found.test is not None
        assert found.test.name == "sign_flip"
        assert found.test.clusters == 8
        assert found.test.p == sign_flip([3, 1, 1, 0, 3, 1, 2, 2])
        assert found.pairs.n == 24

    def test_of_which_one_run_has_fewer_are_listed(self) -> None:
        both = [t for r in (0, 1) for i in range(8) for t in pair(f"s-{i}", base=False, tuned=True, repeat=r)]
        made = compared(both, [t for t in both if t.repeat == 0])
        assert arm(made).compared == 8
        assert {(row.repeat, row.why) for row in arm(made).left_out} == {(1, "only_in_a")}


class TestTheBaseAsAControl:
    def test_a_greedy_base_that_did_otherwise_has_drifted(self) -> None:
        made = compared(trials(base="0" * 8, tuned="1" * 8), trials(base="00000011", tuned="1" * 8))
        assert made.base_control is not None
        assert (made.base_control.differ, made.base_control.differ_in_metric) == (2, 2)
        assert made.base_control.drifted
        assert made.verdict is Verdict.QUALIFIED
        assert "the runs drifted" in made.qualifications[0]

    def test_it_differs_in_more_than_the_metric(self) -> None:
        a = trials(base="0" * 8, tuned="1" * 8)
        b = [replace(t, turns=t.turns + 1) if t.arm is Arm.BASE and t.scenario == "s-000" else t for t in a]
        made = compared(a, b)
        assert made.base_control is not None
        assert (made.base_control.differ, made.base_control.differ_in_metric) == (1, 0)
        assert made.base_control.drifted

    def test_a_sampled_base_may_differ_as_far_as_chance_goes(self) -> None:
        warm = {"sampling": told(run_of(both=1)).sampling.model_copy(update={"temperature": 0.7})}
        records = trials(base="00000000", tuned="1" * 8)
        a = side(records, **warm)
        near = side(trials(base="00000011", tuned="1" * 8), **warm)
        far = side(trials(base="11111111", tuned="1" * 8), **warm)
        control, drifted = compare_runs(a, near).base_control, compare_runs(a, far).base_control
        assert control is not None
        assert drifted is not None
        assert not control.drifted
        assert "no more than sampling explains" in control.sentence
        assert drifted.drifted

    def test_the_gain_over_ones_own_base_takes_the_drift_off(self) -> None:
        made = compared(trials(base="0" * 8, tuned="0" * 8), trials(base="1" * 8, tuned="1" * 8))
        assert made.gain is not None
        assert (made.gain.a, made.gain.b, made.gain.difference, made.gain.p) == (0, 0, 0, 1)
        other = side(trials(base="0" * 8, tuned="1" * 8))
        more = compare_runs(side(trials(base="0" * 8, tuned="0" * 8)), other).gain
        assert more is not None
        assert (more.difference, more.p) == (1, sign_flip([1] * 8))

    def test_is_not_there_when_the_base_itself_is_asked_for(self) -> None:
        one = side(run_of(both=8))
        made = compare_runs(one, one, arm=Arm.BASE)
        assert [found.arm for found in made.arms] == ["base"]
        assert made.base_control is None
        assert made.gain is None
