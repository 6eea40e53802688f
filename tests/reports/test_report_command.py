"""`evalh report` in every form: what is printed, what is written, and where it refuses."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree as ET

import pandas as pd
import pytest

from harness.cli.main import cli
from harness.cli.report import Form
from harness.errors import BadInputError
from harness.values import Arm
from reports import SUMMARY_BYTES, read_report, rebuild_report, render_markdown
from reports.export.columns import COLUMNS
from tests.reports.records import invalid, run_of
from tests.reports.test_cli import a_run

Said = Callable[..., str]


@pytest.fixture
def run(tmp_path: Path) -> Path:
    trials = run_of(tuned_only=9, neither=7)
    trials[0] = invalid(replace(trials[0], panic_reason="=1+1"))
    return a_run(tmp_path / "run", trials)


@pytest.fixture
def said(capfdbinary: pytest.CaptureFixture[bytes]) -> Callable[..., bytes]:
    """What `evalh report` prints on standard output, byte for byte."""

    def call(*arguments: str | Path) -> bytes:
        cli.main(["report", *map(str, arguments)], standalone_mode=False)
        return capfdbinary.readouterr().out

    return call


@pytest.mark.parametrize("form", list(Form))
def test_every_form_writes_to_a_file_what_it_prints(
    form: Form, run: Path, tmp_path: Path, said: Callable[..., bytes]
) -> None:
    out = tmp_path / "out.jsonl"
    printed = said(run, "--format", form)
    said(run, "--format", form, "-o", out)
    assert printed.rstrip(b"\n") == out.read_bytes().rstrip(b"\n")
    assert printed


def test_without_a_form_it_is_the_text(run: Path, said: Callable[..., bytes]) -> None:
    assert said(run) == said(run, "--format", "text")


def test_the_short_flags_are_the_forms(run: Path, said: Callable[..., bytes]) -> None:
    for form in ("json", "markdown", "junit"):
        assert said(run, f"--{form}") == said(run, "--format", form)


def test_json_is_read_back_as_a_report(run: Path, tmp_path: Path, said: Callable[..., bytes]) -> None:
    said(run, "--format", "json", "-o", tmp_path / "report.json")
    assert read_report(tmp_path / "report.json") == rebuild_report(run)


def test_csv_and_parquet_have_the_records(run: Path, tmp_path: Path, said: Callable[..., bytes]) -> None:
    rows = list(csv.DictReader(io.StringIO(said(run, "--format", "csv").decode(), newline="")))
    assert len(rows) == 32
    assert list(rows[0]) == [column.name for column in COLUMNS]
    assert rows[0]["panic_reason"] == "'=1+1"
    said(run, "--format", "parquet", "-o", tmp_path / "t.parquet")
    assert pd.read_parquet(tmp_path / "t.parquet")["panic_reason"][0] == "=1+1"


def test_nemo_says_how_many_trials_have_no_line(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    cli.main(["report", str(run), "--format", "nemo"], standalone_mode=False)
    told = capsys.readouterr()
    assert len(told.out.splitlines()) == 31
    assert told.err.startswith("evalh: 1 INVALID trial is left out")
    cli.main(["report", str(run), "--format", "nemo", "--arm", "tuned"], standalone_mode=False)
    told = capsys.readouterr()
    assert {json.loads(line)["metadata"]["arm"] for line in told.out.splitlines()} == {"tuned"}
    assert told.err == ""


def test_nemo_into_a_folder_makes_one_for_each_arm(run: Path, tmp_path: Path, said: Callable[..., bytes]) -> None:
    said(run, "--format", "nemo", "-o", tmp_path / "nemo")
    assert sorted(str(path.relative_to(tmp_path / "nemo")) for path in (tmp_path / "nemo").rglob("*.*")) == [
        f"{arm}/{name}" for arm in ("base", "tuned") for name in ("eval-evalh.json", "excluded.jsonl", "results.jsonl")
    ]


def test_a_folder_that_cannot_be_made_is_bad_input_and_no_fault_of_the_machine(run: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(BadInputError, match="cannot write"):
        cli.main(["report", str(run), "--format", "nemo", "-o", str(tmp_path / "file" / "nemo")], standalone_mode=False)


@pytest.mark.parametrize("command", ["report", "gate"])
def test_an_empty_policy_name_is_not_the_default_policy(command: str, run: Path) -> None:
    with pytest.raises(BadInputError, match="cannot read the policy"):
        cli.main([command, str(run), "--policy", ""], standalone_mode=False)


def test_comment_begins_with_the_marker_of_its_key(run: Path, said: Callable[..., bytes]) -> None:
    assert said(run, "--format", "comment").startswith(b"<!-- evalh:report -->\n")
    assert said(run, "--format", "comment", "--key", "nightly").startswith(b"<!-- evalh:nightly -->\n")


def test_html_is_one_page(run: Path, said: Callable[..., bytes]) -> None:
    assert said(run, "--format", "html").lstrip().lower().startswith(b"<!doctype html>")


def test_junit_is_xml(run: Path, said: Callable[..., bytes]) -> None:
    assert ET.fromstring(said(run, "--format", "junit")).tag == "testsuites"  # noqa: S314 - our own


class TestTheStepSummary:
    def test_is_appended_to_the_file_that_github_names_and_nothing_is_printed(
        self, run: Path, tmp_path: Path, said: Callable[..., bytes], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        path = tmp_path / "summary.md"
        path.write_text("# before\n")
        monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(path))
        assert said(run, "--summary") == b""
        assert path.read_text() == "# before\n" + render_markdown(rebuild_report(run))

    def test_together_with_what_is_there_stays_within_what_github_takes(
        self, run: Path, tmp_path: Path, said: Callable[..., bytes], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        path = tmp_path / "summary.md"
        monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(path))
        path.write_text("x" * (SUMMARY_BYTES - 3000))
        said(run, "--summary")
        assert SUMMARY_BYTES - 3000 < path.stat().st_size <= SUMMARY_BYTES
        assert "eft out for size" in path.read_text()

    def test_that_is_full_is_left_alone_and_said(
        self, run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        path = tmp_path / "summary.md"
        path.write_text("x" * SUMMARY_BYTES)
        monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(path))
        cli.main(["report", str(run), "--summary"], standalone_mode=False)
        assert path.stat().st_size == SUMMARY_BYTES
        assert "nothing was appended" in capsys.readouterr().err

    def test_outside_of_a_step_is_bad_input(self, run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.delenv("GITHUB_STEP_SUMMARY", raising=False)
        with pytest.raises(BadInputError, match="names no file"):
            cli.main(["report", str(run), "--summary"], standalone_mode=False)

    def test_is_never_written_unless_asked_for(
        self, run: Path, tmp_path: Path, said: Callable[..., bytes], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(tmp_path / "summary.md"))
        said(run, "--format", "markdown")
        assert not (tmp_path / "summary.md").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--format", "csv", "-o", "no/such/folder/t.csv"], "cannot write"),
        (["--format", "csv", "--arm", "base"], "--arm is for --format nemo"),
        (["--format", "comment", "--key", "-->x"], "is no key"),
    ],
)
def test_what_cannot_be_done_is_bad_input(arguments: list[str], message: str, run: Path) -> None:
    with pytest.raises(BadInputError, match=message):
        cli.main(["report", str(run), *arguments], standalone_mode=False)


def test_parquet_is_not_poured_into_a_terminal(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    with pytest.raises(BadInputError, match="no text for a terminal"):
        cli.main(["report", str(run), "--format", "parquet"], standalone_mode=False)


def test_of_a_run_without_records_every_form_is_still_well_formed(tmp_path: Path, said: Callable[..., bytes]) -> None:
    empty = a_run(tmp_path / "empty", run_of(both=2))
    (empty / "trials.jsonl").write_bytes(b"")
    for form in Form:
        printed = said(empty, "--format", form)
        assert printed or form is Form.NEMO
    cases = ET.fromstring(said(empty, "--format", "junit")).findall(".//skipped")  # noqa: S314 - our own
    assert len(cases) == 2 * len(Arm)
