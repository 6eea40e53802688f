"""docs/results.md says what its evidence says, and the evidence is read from finished runs of like conditions."""

from __future__ import annotations

import json
import os
import subprocess
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from harness import store
from harness.demo.results import making
from harness.demo.results.making import first_split
from harness.demo.results.outcomes import Made, Results, Training, read_results
from harness.demo.results.page import page
from harness.errors import BadInputError
from harness.values import Arm
from tests.records import manifest, record

DOCS = Path(__file__).parents[2] / "docs"
NAMES = ("ledger-bill", "note-book")


def made(folder: Path, *, tuned: tuple[bool | None, bool | None], settings: int = 12, archetypes: str = "note") -> Made:
    """A run over both scenarios in which the base fails and the tuned model does as told."""
    facts = manifest(*NAMES)
    facts = facts.model_copy(
        update={
            "settings": {"max_turns": settings, "dtype": "bfloat16"},
            "versions": dict.fromkeys(("evalh", "torch", "transformers", "peft"), "1"),
            "sampling": facts.sampling.model_copy(update={"max_tokens": settings}),
        }
    )
    with closing(store.create(folder, facts)) as run:
        for name, success in zip(NAMES, tuned, strict=True):
            run.append_trial(record(name, Arm.BASE, success=False))
            run.append_trial(record(name, Arm.TUNED, success=success))
    recipe = dict.fromkeys(("steps", "batch_tokens", "learning_rate", "rank", "alpha", "seed"), 1)
    (folder / "ckpt").mkdir()
    stated = {"device": "cpu", "dtype": "bfloat16", "identity": recipe}
    (folder / "ckpt" / "training.json").write_text(json.dumps(stated))
    return Made(training=Training(scenarios=4, archetypes=(archetypes,)), adapter=folder / "ckpt", run=folder)


def test_rates_and_the_difference_are_those_of_the_runs(tmp_path: Path) -> None:
    found = read_results(made(tmp_path / "first", tuned=(False, False)), made(tmp_path / "now", tuned=(True, False)))
    assert found.unseen == {"ledger"}
    text = page(found)
    unseen = text.partition("## The archetypes that training shows too")[0]
    assert "| success | 0 of 1 (0 to 79 %) | 0 of 1 (0 to 79 %) | 1 of 1 (21 to 100 %) | +100 points [" in unseen
    assert "| ledger | 0 (0) of 1 | 0 (0) of 1 | 1 (1) of 1 |" in text
    assert "| note (in training) | 0 (0) of 1 | 0 (0) of 1 | 0 (0) of 1 |" in text


def test_an_invalid_trial_counts_in_no_rate(tmp_path: Path) -> None:
    found = read_results(made(tmp_path / "first", tuned=(None, False)), made(tmp_path / "now", tuned=(True, False)))
    unseen = page(found).partition("## The archetypes that training shows too")[0]
    assert "| success | 0 of 1 (0 to 79 %) | not measured | 1 of 1 (21 to 100 %) | not measured |  |" in unseen


def test_runs_of_other_conditions_are_not_compared(tmp_path: Path) -> None:
    first = made(tmp_path / "first", tuned=(False, False), settings=9)
    with pytest.raises(BadInputError, match="differ in their sampling"):
        read_results(first, made(tmp_path / "now", tuned=(True, False)))


def test_a_run_that_is_not_finished_is_named(tmp_path: Path) -> None:
    whole = made(tmp_path / "first", tuned=(False, False))
    half = replace(whole, run=tmp_path / "now")
    store.create(half.run, store.read_manifest(whole.run)).close()
    with pytest.raises(BadInputError, match="ledger-bill has not run in every arm"):
        read_results(whole, half)


def test_the_page_is_what_its_evidence_gives() -> None:
    found = Results.model_validate_json((DOCS / "results.json").read_bytes())
    assert (DOCS / "results.md").read_text() == page(found)
    assert len(found.rows) == 96
    assert len(found.unseen) >= 3


def test_the_first_split_comes_from_the_history(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(BadInputError, match="not in this repository's history"):
        first_split(tmp_path / "out")
    (tmp_path / "scenarios" / "train").mkdir(parents=True)
    (tmp_path / "scenarios" / "train" / "one.toml").write_text("id = 1\n")
    who = {f"GIT_{role}_{what}": "a@b.c" for role in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
    for words in (("init", "-q"), ("add", "."), ("commit", "-qm", "first")):
        subprocess.run(["git", *words], check=True, cwd=tmp_path, env={**os.environ, **who})
    monkeypatch.setattr(making, "FIRST", "HEAD")
    assert (first_split(tmp_path / "out") / "one.toml").read_text() == "id = 1\n"
