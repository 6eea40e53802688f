"""`evalh compare`: what it reads, what it prints, and its exit codes."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from harness.cli.main import cli
from harness.errors import BadInputError
from reports import read_report, rebuild_report, report_json, write_reports
from reports.compare import Comparison, Verdict, compare_runs, read_side
from reports.views.compare import render_compare
from tests.reports.comparing import a_run, arm, compared, trials
from tests.reports.records import pair, run_of


class TestWhatIsRead:
    def test_a_report_file_in_its_run_directory_is_read_with_the_manifest(self, tmp_path: Path) -> None:
        run = a_run(tmp_path / "a", run_of(both=8))
        path = write_reports(run, rebuild_report(run))
        made = compare_runs(read_side(run), read_side(path))
        assert made.verdict is Verdict.COMPARABLE
        assert (made.a.source, made.b.source) == ("records", "report")

    def test_a_report_file_alone_leaves_settings_unknown(self, tmp_path: Path) -> None:
        run = a_run(tmp_path / "a", run_of(both=8))
        alone = tmp_path / "report.json"
        alone.write_bytes(write_reports(run, rebuild_report(run)).read_bytes())
        made = compare_runs(read_side(run), read_side(alone))
        assert made.verdict is Verdict.QUALIFIED
        assert any(reason.startswith("unknown in B, not compared: ") for reason in made.qualifications)

    def test_a_report_of_schema_1_is_compared_with_its_versions_of_scenarios_unknown(self, tmp_path: Path) -> None:
        run = a_run(tmp_path / "a", run_of(both=8))
        content = json.loads(report_json(rebuild_report(run)))
        for name in ("policy", "findings", "measures", "repeats", "calibration", "stopped"):
            del content[name]
        for found in content["pairs"]:
            for name in ("scenario_digest", "tags", "position"):
                del found[name]
            del found["base"]["seed"], found["tuned"]["seed"]
        old = tmp_path / "old.json"
        old.write_text(json.dumps({**content, "schema_version": 1}))
        made = compare_runs(read_side(run), read_side(old))
        assert made.verdict is Verdict.QUALIFIED
        assert arm(made).compared == 8
        assert "scenarios: the version of 8 scenarios is unknown in B, not compared" in made.qualifications

    def test_a_report_file_of_another_run_is_not_read_with_the_manifest_beside_it(self, tmp_path: Path) -> None:
        run, other = a_run(tmp_path / "a", run_of(both=8), run="a"), a_run(tmp_path / "b", run_of(both=8), run="b")
        stray = run / "stray.json"
        stray.write_bytes(write_reports(other, rebuild_report(other)).read_bytes())
        assert read_side(stray).manifest is None

    def test_a_directory_that_is_no_run_is_named(self, tmp_path: Path) -> None:
        with pytest.raises(BadInputError, match="neither a run directory nor holds a report"):
            read_side(tmp_path)


def said(*arguments: str | Path) -> int:
    with pytest.raises(SystemExit) as done:
        cli.main(["compare", *map(str, arguments)], standalone_mode=False)
    return int(done.value.code or 0)


class TestTheCommand:
    def test_exits_0_10_and_30_and_says_why(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        records = run_of(both=4, tuned_only=4)
        a, b = a_run(tmp_path / "a", records), a_run(tmp_path / "b", records)
        more = a_run(tmp_path / "c", [*records, *pair("t-1", base=True, tuned=True)])
        other = a_run(tmp_path / "d", records, sandbox_image="sha256:9")
        assert said(a, b) == 0
        assert "COMPARABLE" in capsys.readouterr().out
        assert said(a, more) == 10
        shown = capsys.readouterr().out
        assert "t-1.0  only_in_b" in shown
        assert "QUALIFIED" in shown
        assert said(a, other) == 30
        refused = capsys.readouterr()
        assert refused.out == ""
        assert refused.err.count("\n") == 1
        assert refused.err.startswith("evalh: not comparable: sandbox_image: ")
        assert said(a, other, "--allow", "sandbox_image") == 10

    def test_json_is_the_comparison_of_the_published_schema(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        a = a_run(tmp_path / "a", run_of(both=4, tuned_only=4))
        b = a_run(tmp_path / "b", run_of(both=8), session_contract="2")
        assert said(a, a, "--json") == 0
        assert Comparison.model_validate_json(capsys.readouterr().out).verdict is Verdict.COMPARABLE
        assert said(a, b, "--json") == 30
        refused = Comparison.model_validate_json(capsys.readouterr().out)
        assert refused.refusals[0].startswith("session_contract")
        cli.main(["schema", "compare"], standalone_mode=False)
        published = json.loads(capsys.readouterr().out)
        assert set(published["properties"]) == set(Comparison.model_fields)

    def test_another_metric_and_arm_are_asked_for_by_name(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        a = a_run(tmp_path / "a", trials(base="0" * 8, tuned="1" * 8))
        b = a_run(tmp_path / "b", trials(base="1" * 8, tuned="1" * 8))
        assert said(a, b, "--metric", "right_terminal", "--arm", "base") == 0
        shown = capsys.readouterr().out
        assert "The base arm: 8 rows compared of 8" in shown
        assert "right_terminal: B is better." in shown


class TestTheText:
    @pytest.mark.parametrize("width", [60, 80, 120])
    def test_fits_its_width_and_lists_no_more_than_twenty_rows(self, width: int) -> None:
        a, b = run_of(both=30), [replace(t, scenario=f"x{t.scenario}") for t in run_of(both=30)]
        shared = [t for i in range(8) for t in pair(f"t-{i}", base=True, tuned=True)]
        text = render_compare(compared([*a, *shared], [*b, *shared]), width=width)
        assert max(map(len, text.splitlines())) <= width
        assert "and 40 more; --json lists them all" in " ".join(text.split())

    def test_lets_nothing_hostile_through(self, tmp_path: Path) -> None:
        hostile = "\x1b]0;owned\x07[bold red]x[/bold red]\u202e\n<script>"
        report = rebuild_report(a_run(tmp_path / "a", run_of(both=8)))
        first = report.pairs[0].model_copy(update={"scenario": hostile})
        forged = report.model_copy(update={"pairs": (first, *report.pairs[1:])})
        path = tmp_path / "forged.json"
        path.write_text(forged.model_dump_json())
        made = compare_runs(read_side(tmp_path / "a"), read_side(path))
        for text in (render_compare(made), made.model_dump_json()):
            assert not {"\x1b", "\u202e", "\x07"} & set(text)
        assert "[bold red]x" in render_compare(made)
        assert read_report(path).pairs[0].scenario == hostile
