"""A/A and planted improvement: what the gate promotes where outcomes are drawn."""

from __future__ import annotations

import random
from collections.abc import Mapping
from pathlib import Path

import pytest

from harness.bench import aa
from harness.bench.drawn import drawn_run
from harness.bench.staged import adapter_runs, scripted_run
from harness.values import Arm
from reports import load_policy
from reports.statistics.mcnemar import mcnemar_exact
from reports.statistics.proportion import clopper_pearson
from reports.statistics.sequential import run_e_process

POLICY = load_policy("promote")
ALIKE: Mapping[Arm, float] = {Arm.BASE: 0.5, Arm.TUNED: 0.5}


@pytest.mark.slow
def test_two_hundred_runs_of_arms_that_are_alike_are_promoted_in_at_most_five_percent() -> None:
    rows = aa.rows_of(aa.arguments(["--runs", "200", "--pairs", "16"]), 0.0)
    assert [(row.runs, row.alike, row.too_often) for row in rows] == [(200, True, False)] * 2
    assert all(row.promoted <= 10 for row in rows)


def test_a_planted_gain_is_found_about_as_often_as_planned() -> None:
    rates = {Arm.BASE: 0.3, Arm.TUNED: 0.9}
    for stops in (False, True):
        found = sum(drawn_run(seed, 16, rates, POLICY, stops=stops).promoted for seed in range(30))
        low, high = clopper_pearson(found, 30, level=0.999)
        assert low <= aa.expected(rates, 16, stops=stops) <= high


def test_a_run_that_may_stop_runs_fewer_pairs_and_the_same_seed_draws_the_same_run() -> None:
    rates = {Arm.BASE: 0.0, Arm.TUNED: 1.0}
    found = drawn_run(3, 20, rates, POLICY, stops=True)
    assert (found.promoted, found.pairs) == (True, 8)
    assert drawn_run(3, 20, rates, POLICY, stops=True) == found
    assert drawn_run(3, 20, rates, POLICY, stops=False).pairs == 20


def test_arms_that_are_never_different_are_never_promoted() -> None:
    for rate in (0.0, 1.0):
        rates = dict.fromkeys(Arm, rate)
        assert not any(
            drawn_run(seed, 12, rates, POLICY, stops=stops).promoted for seed in range(2) for stops in (False, True)
        )


def test_peeking_after_every_pair_would_promote_too_often_and_the_e_process_does_not() -> None:
    """The same draws, decided by exact McNemar at every look: that is what the e-process is for."""
    exact = {(w, m - w): mcnemar_exact(w, m - w) for m in range(1, 121) for w in range(m + 1)}
    peeked = anytime = 0
    for seed in range(400):
        draw = random.Random(seed)  # noqa: S311 - a simulation
        outcomes = [draw.random() < 0.5 for _ in range(120)]
        walk = [(sum(outcomes[:m]), m - sum(outcomes[:m])) for m in range(1, 121)]
        first = next((wins > losses for wins, losses in walk if exact[wins, losses] <= 0.05), False)
        peeked += first
        anytime += run_e_process(outcomes, two_sided=True).p <= 0.05
    assert peeked > 0.05 * 400
    assert anytime <= 0.05 * 400


def test_the_command_fails_where_arms_that_are_alike_are_promoted_too_often(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from harness.bench.drawn import Drawn

    monkeypatch.setattr(aa, "drawn_run", lambda *_, **__: Drawn(promoted=True, pairs=8))
    assert aa.main(["--runs", "3", "--pairs", "8"]) == 1
    assert "| 3 | 3 (1.000) | [0.292, 1.000] |" in capsys.readouterr().out


@pytest.mark.parametrize("arguments", [("--rate", "0.9", "--effect", "0.4"), ("--runs", "0")])
def test_rates_beyond_one_are_refused(arguments: tuple[str, ...]) -> None:
    with pytest.raises(SystemExit):
        aa.main(list(arguments))


@pytest.mark.slow
def test_a_scripted_run_in_real_containers_succeeds_where_it_was_drawn_to(tmp_path: Path, any_engine: str) -> None:
    certain = {Arm.BASE: 0.0, Arm.TUNED: 1.0}
    found = scripted_run(1, 8, certain, POLICY, tmp_path / "run", engine=any_engine, stops=False)
    assert found.pairs == 8
    assert found.invalid == 0
    assert found.claimed


@pytest.mark.slow
def test_an_adapter_against_itself_is_never_promoted(tmp_path: Path, any_engine: str) -> None:
    from tests.tiny_model import make_tiny_adapter, make_tiny_llama

    make_tiny_llama(tmp_path / "base")
    make_tiny_adapter(tmp_path / "ckpt", tmp_path / "base", seed=1, scale=1.0)
    found = adapter_runs(
        tmp_path / "ckpt", tmp_path / "base", (0,), 2, POLICY, tmp_path / "runs", engine=any_engine, temperature=0.7
    )
    assert [(each.promoted, each.claimed, each.pairs) for each in found] == [(False, False, 2)]
