"""A run promotes nothing that it read otherwise than the render contract says, or of which it cannot tell."""

from __future__ import annotations

from dataclasses import replace

import pytest

from harness.values import ParityLevel, ParityTally, TrialRecord
from reports import build_report, gate, load_policy, render_markdown, render_text
from reports.schema import GateResult
from tests.records import compared
from tests.reports.records import FIXTURE, LIVE, run_of

PROMOTE = load_policy("promote")


def better(tally: ParityTally | None) -> list[TrialRecord]:
    """Nine won pairs of sixteen, every trial of three turns, with this comparison of its prompts."""
    return [replace(record, parity=tally, turns=3) for record in run_of(tuned_only=9, neither=7)]


def test_a_better_model_whose_every_prompt_agreed_is_promoted() -> None:
    made = build_report(better(compared(3)), run=LIVE, policy=PROMOTE)
    assert made.gate_result is GateResult.PASS
    assert made.scoring.promotion_eligible
    assert made.parity is not None
    assert (made.parity.level, made.parity.prompts, made.parity.agreed) == (ParityLevel.REPLY_IDS, 96, 96)
    assert "96 of 96 prompts equal to the render contract, by reply_ids." in render_text(made, width=200)


def test_one_prompt_that_differed_keeps_a_run_from_promoting_and_is_shown() -> None:
    records = better(compared(3))
    records[0] = replace(records[0], parity=compared(3, differed=1, first="at token 7: <b>folded with one newline</b>"))
    made = build_report(records, run=LIVE, policy=PROMOTE)
    assert made.gate_result is GateResult.INCONCLUSIVE
    assert not made.scoring.promotion_eligible
    assert "not eligible: 1 prompt differed from the render contract" in made.rationale
    assert "folded with one newline" in render_text(made, width=200)
    assert "<b>" not in render_markdown(made)


@pytest.mark.parametrize(
    ("policy", "level", "eligible"),
    [
        ("promote", ParityLevel.TOKENIZE, True),
        ("promote", ParityLevel.RENDER, True),
        ("promote", ParityLevel.COUNT, False),
        ("regression", ParityLevel.COUNT, True),
        ("regression", ParityLevel.NONE, False),
        ("smoke", ParityLevel.NONE, True),
    ],
)
def test_a_policy_says_how_strongly_prompts_must_have_been_compared(
    policy: str, level: ParityLevel, *, eligible: bool
) -> None:
    made = build_report(better(compared(3, level=level)), run=LIVE, policy=load_policy(policy))
    assert made.scoring.promotion_eligible is eligible


def test_the_weakest_comparison_of_any_trial_is_the_run_s() -> None:
    records = better(compared(3))
    records[5] = replace(records[5], parity=None)
    made = build_report(records, run=LIVE, policy=PROMOTE)
    assert made.parity is not None
    assert (made.parity.level, made.parity.unchecked) == (ParityLevel.NONE, records[5].turns)
    assert not made.scoring.promotion_eligible


def test_another_policy_decides_over_the_same_report_by_its_own_level() -> None:
    made = build_report(better(compared(3, level=ParityLevel.COUNT)), run=LIVE, policy=PROMOTE)
    assert gate(made, PROMOTE).gate_result is GateResult.INCONCLUSIVE
    assert gate(made, load_policy("regression")).gate_result is GateResult.PASS


def test_a_script_is_asked_for_no_comparison() -> None:
    made = build_report(better(None), run=FIXTURE, policy=PROMOTE)
    assert [line for line in made.rationale if "render contract" in line] == []


def test_turns_whose_prompt_nobody_looked_at_are_not_compared() -> None:
    records = better(compared(3))
    records[0] = replace(records[0], turns=5)
    made = build_report(records, run=LIVE, policy=PROMOTE)
    assert made.parity is not None
    assert (made.parity.prompts, made.parity.agreed, made.parity.unchecked) == (98, 96, 2)
    assert not made.scoring.promotion_eligible
