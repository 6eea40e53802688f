"""A report that was edited until its parts contradict each other is refused, and never promotes."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from harness.errors import BadInputError
from reports import build_report, load_policy, read_report, report_json
from tests.reports.records import FIXTURE, LIVE, invalid, run_of
from tests.reports.test_cli import evalh

Content = dict[str, Any]


def written(content: Content, place: Path) -> Path:
    path = place / "report.json"
    path.write_text(json.dumps(content))
    return path


def mixed() -> Content:
    """Nine won pairs, three lost and one INVALID, as the JSON of a report."""
    trials = run_of(tuned_only=9, base_only=4)
    trials = [*trials[:-1], invalid(trials[-1])]
    loaded: Content = json.loads(report_json(build_report(trials, run=LIVE, policy=load_policy())))
    return loaded


def results(old: str, new: str) -> Callable[[Content], None]:
    """Give every pair of one result another one."""

    def edit(content: Content) -> None:
        for pair in content["pairs"]:
            pair["result"] = new if pair["result"] == old else pair["result"]

    return edit


def without(result: str) -> Callable[[Content], None]:
    return lambda content: content.update(pairs=[pair for pair in content["pairs"] if pair["result"] != result])


@pytest.mark.parametrize(
    ("edit", "said"),
    [
        (results("loss", "stopped"), "its result is stopped, but nothing made it unnecessary"),
        (results("loss", "tie"), "its result is tie, but its trials say something else"),
        (results("loss", "invalid"), "its result is invalid, but exclusions tell something else"),
        (results("invalid", "tie"), "its result is tie, but exclusions tell something else"),
        (without("loss"), "pairwise: it does not count the pairs"),
        (without("invalid"), "pairwise: it does not count the pairs"),
        (lambda c: c["pairs"].extend(c["pairs"][:3]), "pairs: s-00000.0 is there twice"),
        (lambda c: c["exclusions"].clear(), "its result is invalid, but exclusions tell something else"),
        (lambda c: c["exclusions"].extend(c["exclusions"]), "exclusions: a pair is there twice"),
        (lambda c: c["pairs"][0].update(base=None), "its result is win, but an arm has no verdict"),
        (lambda c: c["pairs"][0]["base"].update(outcome="INVALID"), "but an arm has no verdict"),
        (lambda c: c["pairs"][0].update(position=0), "stopped: a stopping rule without places in an order"),
        (lambda c: c["parity"].update(prompts=0, agreed=0), "parity: it does not count the prompts"),
        (lambda c: c["parity"].update(agreed=1), "parity: it does not count the prompts"),
        (lambda c: c["pairs"][0]["base"].update(turns=-1), "pairs[0].base.turns: "),
        (lambda c: c["pairs"][0]["base"].update(turns="3"), "pairs[0].base.turns: "),
        (lambda c: c["pairs"][0]["base"].update(seconds=1e308), "pairs[0].base.seconds: "),
        (lambda c: c["pairs"][0]["tuned"].update(prompt_tokens=10**400), "pairs[0].tuned.prompt_tokens: "),
    ],
)
def test_an_edited_report_is_refused_by_what_contradicts_it(
    edit: Callable[[Content], None], said: str, tmp_path: Path
) -> None:
    content = mixed()
    read_report(written(content, tmp_path))  # as it was written, nothing contradicts it
    edit(content)
    path = written(content, tmp_path)
    with pytest.raises(BadInputError) as caught:
        read_report(path)
    assert said in caught.value.message
    for done in (evalh("gate", path), evalh("compare", path, path)):
        assert (done.returncode, done.stdout, done.stderr.count("\n")) == (30, "", 1)


@pytest.mark.parametrize("forge", [{"promotion_eligible": True}, {"promotion_eligible": True, "notes": []}])
def test_a_script_that_is_called_eligible_by_hand_promotes_nothing(forge: Content, tmp_path: Path) -> None:
    trials = run_of(tuned_only=9, neither=7)
    content = json.loads(report_json(build_report(trials, run=FIXTURE, policy=load_policy())))
    content["scoring"].update(forge)
    done = evalh("gate", written(content, tmp_path))
    assert done.returncode == 10
    assert "a script answered, not a model" in done.stdout


def test_a_script_that_is_called_a_model_by_hand_promotes_nothing(tmp_path: Path) -> None:
    trials = run_of(tuned_only=9, neither=7)
    content = json.loads(report_json(build_report(trials, run=FIXTURE, policy=load_policy())))
    content["scoring"]["mode"] = "live"
    assert evalh("gate", written(content, tmp_path)).returncode == 10


def test_a_report_that_is_called_ineligible_promotes_nothing_whoever_said_so(tmp_path: Path) -> None:
    trials = run_of(tuned_only=9, neither=7)
    content = json.loads(report_json(build_report(trials, run=LIVE, policy=load_policy())))
    assert evalh("gate", written(content, tmp_path)).returncode == 0
    content["scoring"]["promotion_eligible"] = False
    done = evalh("gate", written(content, tmp_path))
    assert done.returncode == 10
    assert "not eligible: the report itself says so" in done.stdout
