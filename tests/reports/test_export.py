"""The records in other tools' formats: every record is there, unmeasured stays missing, and text does no harm."""

from __future__ import annotations

import csv
import importlib.util
import io
import json
import re
from collections.abc import Iterator
from dataclasses import fields, replace
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.errors import BadInputError
from harness.values import Arm, CheckResult, Metrics, Outcome, TrialRecord, Verdict
from reports import build_report, load_policy
from reports.export.columns import AXES, COLUMNS, FLAGS
from reports.export.nemo import excluded_jsonl, problem_idx, results_jsonl, write_nemo
from reports.export.tables import csv_text, frame, parquet_bytes
from scenarios.bundle import Tags
from tests.reports.records import LIVE, invalid, pair, record, run_of

DOCS = Path(__file__).parents[2] / "docs"


@pytest.fixture
def retried() -> list[TrialRecord]:
    """A pair whose tuned arm was INVALID, tried again as a pair, and a pair that stayed INVALID."""
    first = pair("s-1", base=False, tuned=True)
    second = [replace(trial, attempt=2, started_at="2026-01-02T03:05:05.000+00:00") for trial in first]
    broken = pair("s-2", base=True, tuned=True)
    return [first[0], invalid(first[1]), *second, broken[0], invalid(broken[1], message="gone")]


class TestTheFrame:
    def test_has_a_row_for_every_record_and_marks_those_that_the_report_counts(
        self, retried: list[TrialRecord]
    ) -> None:
        made = frame(retried, run="r")
        assert len(made) == 6
        assert made["last_attempt"].tolist() == [False, False, True, True, True, True]
        assert made["pair_counts"].tolist() == [False, False, True, True, False, False]
        assert made["run"].unique().tolist() == ["r"]

    def test_filtered_by_what_counts_it_gives_the_reports_rates(self) -> None:
        trials = run_of(both=3, tuned_only=4, base_only=1, neither=2)
        trials[0] = invalid(trials[0])
        made = frame(trials)
        rates = made[made["pair_counts"]].groupby("arm")["metrics_success"].mean()
        report = build_report(trials, run=LIVE, policy=load_policy())
        (success,) = [metric for metric in report.metrics if metric.name == "success"]
        assert success.base is not None
        assert success.tuned is not None
        assert rates["base"] == pytest.approx(success.base.rate)
        assert rates["tuned"] == pytest.approx(success.tuned.rate)

    def test_says_everything_that_a_record_says(self) -> None:
        names = {column.name for column in COLUMNS}
        flat = {field.name for field in fields(TrialRecord)} - {"metrics", "failure", "parity"}
        assert flat <= names
        assert {f"metrics_{field.name}" for field in fields(Metrics)} <= names
        assert set(FLAGS) == {field.name for field in fields(Metrics)} - {"first_command_turn"}
        assert set(AXES) == set(Tags.model_fields)
        assert {"failure_address", "failure_message", "parity_level", "parity_first_difference"} <= names

    def test_has_the_same_columns_and_types_without_a_record_and_with_nothing_measured(self) -> None:
        kinds = {column.name: column.kind.value for column in COLUMNS}
        for trials in ([], [invalid(record("s", Arm.BASE))], run_of(both=1)):
            made = frame(trials)
            assert list(made.columns) == list(kinds)
            assert {name: kind.name for name, kind in made.dtypes.items()} == kinds

    def test_keeps_unmeasured_missing_and_never_false(self) -> None:
        made = frame([invalid(record("s", Arm.BASE))])
        assert made["metrics_success"].isna().all()
        assert made["exit_status"].isna().all()
        assert made["terminal"].isna().all()
        assert not (made["metrics_success"] == False).any()  # noqa: E712 - a column, not a flag

    def test_counts_the_checks_by_verdict_and_has_them_as_json(self) -> None:
        checks = tuple(
            CheckResult(index=i, kind="file_equals", verdict=Verdict(outcome=outcome, reason=f"r{i}"))
            for i, outcome in enumerate([Outcome.PASS, Outcome.PASS, Outcome.FAIL])
        )
        made = frame([replace(record("s", Arm.BASE), checks=checks)])
        assert [made[f"checks_{name}"][0] for name in ("pass", "fail", "invalid")] == [2, 1, 0]
        assert json.loads(made["checks"][0])[2] == {
            "index": 2,
            "kind": "file_equals",
            "outcome": "FAIL",
            "reason": "r2",
        }

    def test_a_number_that_no_column_holds_is_bad_input(self) -> None:
        with pytest.raises(BadInputError, match=r"s\.base\.0: seed is 1\d+, more than 64 bits"):
            frame([replace(record("s", Arm.BASE), seed=10**30)])


class TestCsv:
    def test_reads_back_as_what_was_written(self, retried: list[TrialRecord]) -> None:
        kinds = {column.name: column.kind.value for column in COLUMNS}
        back = pd.read_csv(io.StringIO(csv_text(retried, run="r")), dtype=kinds)
        made = frame(retried, run="r").replace({"": pd.NA})
        pd.testing.assert_frame_equal(back, made.astype(back.dtypes.to_dict()))

    @settings(max_examples=60)
    @given(st.text(alphabet=st.characters(exclude_categories=()), min_size=1, max_size=40))
    def test_no_text_begins_a_formula_adds_a_row_or_carries_a_control_character(self, text: str) -> None:
        trial = replace(record("s", Arm.BASE), reason=text, panic_reason=f"={text}", model=text)
        written = csv_text([trial])
        header, row = list(csv.reader(io.StringIO(written, newline="")))
        values = dict(zip(header, row, strict=True))
        assert values["panic_reason"].startswith("'=")
        for name in ("reason", "panic_reason", "model"):
            assert not values[name].startswith(("=", "+", "-", "@", "\t", "\r"))
            assert not re.search(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]", values[name])
        assert written.count("\r\n") == 2

    def test_leaves_long_text_whole(self) -> None:
        assert "x" * 5000 in csv_text([replace(record("s", Arm.BASE), reason="x" * 5000)])


class TestParquet:
    def test_reads_back_the_same_frame_with_the_text_as_it_was(self, retried: list[TrialRecord]) -> None:
        retried[0] = replace(retried[0], panic_reason="=1+1\n\x1b[2J")
        back = pd.read_parquet(io.BytesIO(parquet_bytes(retried, run="r")))
        pd.testing.assert_frame_equal(back, frame(retried, run="r"))
        assert back["panic_reason"][0] == "=1+1\n\x1b[2J"

    def test_has_the_same_types_whatever_was_measured(self) -> None:
        import pyarrow.parquet as pq

        schemas = [
            pq.read_schema(io.BytesIO(parquet_bytes(trials)))
            for trials in ([], [invalid(record("s", Arm.BASE))], run_of(both=2))
        ]
        assert len({tuple(zip(s.names, map(str, s.types), strict=True)) for s in schemas}) == 1

    def test_a_lone_surrogate_is_spelt_out(self) -> None:
        back = pd.read_parquet(io.BytesIO(parquet_bytes([replace(record("s", Arm.BASE), reason="a\ud800b")])))
        assert back["reason"][0] == "a\\ud800b"

    def test_without_pyarrow_it_says_what_to_install(self, monkeypatch: pytest.MonkeyPatch) -> None:
        real = importlib.util.find_spec
        monkeypatch.setattr("reports.export.tables.find_spec", lambda name: None if name == "pyarrow" else real(name))
        with pytest.raises(BadInputError, match="pyarrow") as caught:
            parquet_bytes(run_of(both=1))
        assert "evalh[export]" in caught.value.hint


def lines(text: str) -> Iterator[dict[str, object]]:
    return (json.loads(line) for line in text.splitlines())


class TestNemo:
    def test_has_one_line_for_each_trial_with_a_verdict_by_its_last_attempt(self, retried: list[TrialRecord]) -> None:
        told = list(lines(results_jsonl(retried)))
        assert [(row["sample_id"], row["reward"]) for row in told] == [
            ("s-1.base.0", 0.0),
            ("s-1.tuned.0", 1.0),
            ("s-2.base.0", 1.0),
        ]

    def test_an_invalid_trial_gets_no_reward_and_is_listed_elsewhere(self, retried: list[TrialRecord]) -> None:
        (told,) = lines(excluded_jsonl(retried))
        assert told["sample_id"] == "s-2.tuned.0"
        assert "gone" in str(told["reason"])
        assert "reward" not in told

    def test_its_fields_have_the_names_and_types_that_nemo_documents(self, retried: list[TrialRecord]) -> None:
        for row in lines(results_jsonl(retried)):
            assert isinstance(row["problem_idx"], int)
            assert isinstance(row["reward"], float)
            assert isinstance(row["repeat"], int)
            assert isinstance(row["expected_answer"], str)
            metadata, details = row["metadata"], row["scoring_details"]
            assert isinstance(metadata, dict)
            assert isinstance(details, dict)
            assert metadata["category"] == details["category"] == "notes"

    def test_a_problem_has_one_number_in_every_run_and_a_changed_one_has_another(self) -> None:
        few, many = run_of(both=2), run_of(both=50)
        by_name = {
            row["sample_id"]: row["problem_idx"] for trials in (few, many) for row in lines(results_jsonl(trials))
        }
        again = {row["sample_id"]: row["problem_idx"] for row in lines(results_jsonl(few))}
        assert again.items() <= by_name.items()
        assert len(set(by_name.values())) == 50
        assert problem_idx("s", "sha256:1") != problem_idx("s", "sha256:2")
        assert all(isinstance(index, int) and 0 <= index < 2**52 for index in by_name.values())

    def test_a_folder_has_an_arm_each_with_a_bundle_of_the_reports_own_rate(self, tmp_path: Path) -> None:
        trials = run_of(tuned_only=9, neither=7)
        report = build_report(trials, run=LIVE, policy=load_policy())
        write_nemo(tmp_path, trials, report)
        for arm, count in (("base", 0), ("tuned", 9)):
            bundle = json.loads((tmp_path / arm / "eval-evalh.json").read_text())
            assert bundle["benchmark"]["samples"] == 16
            assert bundle["benchmark"]["scores"]["mean_reward"]["value"] == count / 16
            assert bundle["benchmark"]["categories"] == {"notes": {"mean_reward": count / 16, "n": 16}}
            rewards = [row["reward"] for row in lines((tmp_path / arm / "results.jsonl").read_text())]
            assert rewards.count(1.0) == count

    def test_an_arm_without_a_verdict_has_no_score_rather_than_a_zero(self, tmp_path: Path) -> None:
        trials = [invalid(trial) for trial in run_of(both=2)]
        write_nemo(tmp_path, trials, build_report(trials, run=LIVE, policy=load_policy()))
        bundle = json.loads((tmp_path / "tuned" / "eval-evalh.json").read_text())
        assert bundle["benchmark"]["scores"] == {}
        assert (tmp_path / "tuned" / "results.jsonl").read_text() == ""
        assert len((tmp_path / "tuned" / "excluded.jsonl").read_text().splitlines()) == 2


def test_the_page_names_every_column() -> None:
    named = set(re.findall(r"`([a-z_]+)`", (DOCS / "exports.md").read_text()))
    assert {column.name for column in COLUMNS} - named == set()
