"""A report of schema 1 is read as one of schema 2: what its pairs tell is computed, and nothing is made up."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from harness.errors import BadInputError
from reports import gate, load_policy, read_report, render_junit, render_markdown, render_text
from reports.schema import SCHEMA_VERSION

OLD = Path(__file__).parents[1] / "golden" / "report_schema_1.json"  # written by the version that had schema 1


def test_an_old_report_is_decided_as_it_was() -> None:
    old, report = json.loads(OLD.read_text()), read_report(OLD)
    assert old["schema_version"] == 1
    assert report.schema_version == SCHEMA_VERSION == 2
    decision = gate(report, load_policy())
    assert decision.gate_result == old["gate_result"]
    assert list(decision.rationale) == old["rationale"]


def test_every_field_that_it_has_keeps_its_value() -> None:
    old, report = json.loads(OLD.read_text()), read_report(OLD).model_dump(mode="json")
    for key in ("run", "arms", "scoring", "parity", "exclusions", "pairwise", "aggregate_score", "rationale"):
        kept = {name: report[key][name] for name in old[key]} if isinstance(old[key], dict) else report[key]
        assert kept == old[key], key
    for before, after in zip(old["metrics"], report["metrics"], strict=True):
        for name in ("name", "question", "better", "pairs", "unmeasured_reason"):
            assert after[name] == before[name]
        for name in ("base", "tuned"):
            assert (after[name] or {}).get("count") == (before[name] or {}).get("count")
        assert (after["test"] or {}).get("p") == pytest.approx((before["test"] or {}).get("p"))


def test_what_its_pairs_tell_is_there_and_what_nobody_knows_is_not() -> None:
    report = read_report(OLD)
    assert [measure.name for measure in report.measures] == ["turns", "seconds", "prompt_tokens", "completion_tokens"]
    assert report.metrics[0].win_odds is not None
    assert (report.policy, report.findings, report.calibration, report.stopped) == (None, (), (), None)
    assert all(pair.scenario_digest is None for pair in report.pairs)


def test_every_view_shows_it() -> None:
    report = read_report(OLD)
    for view in (render_text, render_markdown, render_junit):
        assert report.promotion_recommendation in view(report)


@pytest.mark.parametrize("version", [0, 3, "1", None, 1.5])
def test_any_other_version_is_refused_in_one_line(version: object, tmp_path: Path) -> None:
    path = tmp_path / "report.json"
    path.write_text(json.dumps({**json.loads(OLD.read_text()), "schema_version": version}))
    with pytest.raises(BadInputError) as caught:
        read_report(path)
    assert ": schema_version: " in caught.value.message
    assert "\n" not in str(caught.value)


def test_a_damaged_old_report_is_refused_by_its_key(tmp_path: Path) -> None:
    content = json.loads(OLD.read_text())
    del content["pairs"][2]["result"]
    path = tmp_path / "report.json"
    path.write_text(json.dumps(content))
    with pytest.raises(BadInputError, match=r"pairs\[2\]\.result"):
        read_report(path)
