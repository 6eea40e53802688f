"""The examples of the pages about reports, statistics, CI and comparisons are what the commands print."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from harness.cli.main import cli
from harness.errors import EvalhError
from harness.values import Arm
from reports import load_policy
from reports.schema import Metric, Report
from reports.tally import METRICS
from tests.reports.comparing import a_run as told_run
from tests.reports.comparing import told, trials
from tests.reports.records import invalid, pair, run_of
from tests.reports.test_cli import ROOT, a_run

PAGES = ("report.md", "statistics.md", "ci.md", "compare.md")


def examples() -> list[tuple[str, str]]:
    """Each console block: the command, and what stands below it."""
    blocks = [block for page in PAGES for block in re.findall(r"```console\n\$ (.*?)```", read(page), re.DOTALL)]
    return [(command, output) for command, _, output in (block.partition("\n") for block in blocks)]


def read(page: str) -> str:
    return (ROOT / "docs" / page).read_text()


@pytest.fixture
def example_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    a_run(tmp_path / "runs" / "better", run_of(tuned_only=9, neither=7))
    a_run(tmp_path / "runs" / "small", run_of(tuned_only=5))
    monday, friday = trials(base="0" * 16, tuned="1110000" * 2 + "00"), trials(base="0" * 16, tuned="1" * 9 + "0" * 7)
    friday = [invalid(t, address="endpoint") if t.scenario == "s-015" and t.arm is Arm.TUNED else t for t in friday]
    told_run(tmp_path / "runs" / "monday", monday, run="monday")
    newer = told(monday).tuned.model_copy(update={"digest": "sha256:2"})
    more = pair("s-016", base=False, tuned=True)
    told_run(tmp_path / "runs" / "friday", [*friday, *more], run="friday", tuned=newer)
    warm = told(monday).sampling.model_copy(update={"temperature": 0.7})
    told_run(tmp_path / "runs" / "warm", monday, run="warm", sampling=warm)
    policy = re.findall(r"```toml\n(.*?)```", read("report.md"), re.DOTALL)[0]
    (tmp_path / "wrong.toml").write_text(policy.replace('"success"', '"sucess"', 1))
    (tmp_path / "pairs.csv").write_text(re.findall(r"```csv\n(.*?)```", read("statistics.md"), re.DOTALL)[0])
    monkeypatch.chdir(tmp_path)


def said_by(command: str, capsys: pytest.CaptureFixture[str]) -> tuple[str, int]:
    """What a command prints on either stream, as `evalh` itself would, and its exit code."""
    program, *arguments = shlex.split(command)
    assert program == "evalh"
    code, message = 0, ""
    try:
        cli.main(arguments, standalone_mode=False)
    except EvalhError as error:
        code, message = error.exit_code, f"evalh: {error}\n"
    except SystemExit as done:
        code = int(done.code or 0)
    streams = capsys.readouterr()
    return streams.out + streams.err + message, code


@pytest.mark.parametrize(("command", "output"), examples(), ids=[command for command, _ in examples()])
def test_every_console_example_prints_what_the_page_shows(
    command: str, output: str, example_runs: None, capsys: pytest.CaptureFixture[str]
) -> None:
    said, code = said_by(command, capsys)
    assert said == output
    if named := re.search(r"exit code (\d+)", output):
        assert code == int(named[1])


def test_the_policy_example_loads(tmp_path: Path) -> None:
    blocks = re.findall(r"```toml\n(.*?)```", read("report.md"), re.DOTALL)
    assert blocks
    for block in blocks:
        path = tmp_path / "policy.toml"
        path.write_text(block)
        assert len(load_policy(str(path)).claims) == 4


def test_the_page_names_every_top_level_field_every_field_of_a_metric_and_every_metric() -> None:
    named = set(re.findall(r"`([a-z_]+)", read("report.md")))
    assert {*Report.model_fields, *Metric.model_fields, *METRICS} <= named
