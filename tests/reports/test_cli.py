"""`evalh report`, `gate`, `schema` and `stats` as a user types them."""

from __future__ import annotations

import contextlib
import io
import json
import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from pydantic import TypeAdapter

from harness.cli.main import main
from harness.store import ModelRef, RunManifest, RunStore, Sampling, ScenarioRef, create
from harness.values import TrialRecord
from reports import build_report, load_policy, read_report, rebuild_report, report_json, write_reports
from tests.reports.records import LIVE, invalid, run_of

ROOT = Path(__file__).parents[2]


def manifest(scenarios: set[str], *, scripted: bool = False, gate: str | None = None) -> RunManifest:
    return RunManifest(
        run="run-1",
        created_at="2026-01-02T03:04:05.000+00:00",
        argv=("run",),
        versions={"evalh": "0.1.0"},
        settings={"gate": gate},
        seed=0,
        repeats=1,
        scenarios=tuple(ScenarioRef(id=name, digest="sha256:0") for name in sorted(scenarios)),
        engine="crun",
        sandbox_image="sha256:1",
        base=ModelRef(name="model-base"),
        tuned=ModelRef(name="model-tuned"),
        chat_template_sha256=None,
        endpoint="http://127.0.0.1:1",
        endpoint_scripted=scripted,
        endpoint_notes=(),
        sampling=Sampling(temperature=0, top_p=1, max_tokens=128, deterministic=True),
        session_contract="1",
        render_contract="1",
    )


def a_run(path: Path, trials: list[TrialRecord], *, scripted: bool = False, gate: str | None = None) -> Path:
    """A run directory, written by the store itself."""
    store: RunStore = create(path, manifest({t.scenario for t in trials}, scripted=scripted, gate=gate))
    for trial in trials:
        store.append_trial(trial)
    store.close()
    return path


def evalh(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """The command line from its beginning to its exit code, in this process: importing SciPy anew takes seconds."""
    words = [str(argument) for argument in arguments]
    handlers = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGHUP)}
    out, err = io.StringIO(), io.StringIO()
    try:
        with (
            pytest.MonkeyPatch.context() as patch,
            contextlib.chdir(ROOT),
            contextlib.redirect_stdout(out),
            contextlib.redirect_stderr(err),
        ):
            patch.setattr(sys, "argv", ["evalh", *words])
            with pytest.raises(SystemExit) as ended:
                main()
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
    return subprocess.CompletedProcess(words, int(ended.value.code or 0), out.getvalue(), err.getvalue())


def evalh_speaking(encoding: str, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """The command line in a process of its own, its output in pipes of an encoding."""
    command = [sys.executable, "-m", "evalh", *(str(argument) for argument in arguments)]
    env = os.environ | {"PYTHONIOENCODING": encoding}
    return subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, check=False, timeout=120)


def test_report_shows_the_table_again_from_the_records(tmp_path: Path) -> None:
    done = evalh("report", a_run(tmp_path / "run", run_of(tuned_only=9, neither=7)))
    assert done.returncode == 0, done.stderr
    assert "0.0039" in done.stdout
    assert "PASS: promote_to_stage" in done.stdout
    assert max(map(len, done.stdout.splitlines())) <= 80
    assert "\x1b" not in done.stdout


def test_report_json_is_what_write_reports_wrote(tmp_path: Path) -> None:
    run = a_run(tmp_path / "run", run_of(tuned_only=9, neither=7))
    write_reports(run, rebuild_report(run))
    done = evalh("report", run, "--json")
    assert done.stdout == (run / "paired_eval_report.json").read_text()
    assert read_report(run / "paired_eval_report.json").run.engine == "crun"


def test_report_markdown_and_junit_are_the_files(tmp_path: Path) -> None:
    run = a_run(tmp_path / "run", run_of(tuned_only=9, neither=7))
    write_reports(run, rebuild_report(run))
    assert evalh("report", run, "--markdown").stdout.strip() == (run / "report.md").read_text().strip()
    assert evalh("report", run, "--junit").stdout.strip() == (run / "junit.xml").read_text().strip()


def test_report_uses_the_policy_of_the_run_unless_another_is_named(tmp_path: Path) -> None:
    run = a_run(tmp_path / "run", run_of(both=16), gate="smoke")
    assert rebuild_report(run).gate_result == "pass"
    assert rebuild_report(run, load_policy("promote")).gate_result == "fail"


def test_report_of_an_unfinished_run_counts_what_is_missing(tmp_path: Path) -> None:
    trials = run_of(tuned_only=9, neither=7)
    run = a_run(tmp_path / "run", trials)
    lines = (run / "trials.jsonl").read_bytes().splitlines(keepends=True)
    (run / "trials.jsonl").write_bytes(b"".join(lines[:20]) + lines[20][:50])
    report = rebuild_report(run)
    assert (len(report.pairs), report.pairwise.invalid) == (16, 6)
    assert report.gate_result == "inconclusive"


@pytest.mark.parametrize(
    ("trials", "code", "result"),
    [
        (run_of(tuned_only=9, neither=7), 0, "pass"),
        (run_of(tuned_only=5), 10, "inconclusive"),
        (run_of(both=16), 20, "fail"),
        ([invalid(t) for t in run_of(both=6)], 40, "inconclusive"),
    ],
    ids=["promote", "inconclusive", "failed", "infrastructure"],
)
def test_the_exit_code_of_gate_is_the_decision(
    trials: list[TrialRecord], code: int, result: str, tmp_path: Path
) -> None:
    run = a_run(tmp_path / "run", trials)
    done = evalh("gate", run, "--json")
    assert done.returncode == code, done.stderr
    said = json.loads(done.stdout)
    assert (said["exit_code"], said["gate_result"]) == (code, result)
    path = write_reports(run, rebuild_report(run))
    assert evalh("gate", path).returncode == code


def test_gate_holds_a_run_to_the_policy_it_was_started_with_unless_another_is_named(tmp_path: Path) -> None:
    run = a_run(tmp_path / "run", run_of(both=16), gate="smoke")
    assert evalh("gate", run).returncode == 0
    assert evalh("gate", run, "--policy", "promote").returncode == 20
    assert evalh("gate", write_reports(run, rebuild_report(run))).returncode == 20


def test_gate_on_a_scripted_run_never_exits_0(tmp_path: Path) -> None:
    run = a_run(tmp_path / "run", run_of(tuned_only=16), scripted=True)
    for policy in ("promote", "smoke"):
        done = evalh("gate", run, "--policy", policy)
        assert done.returncode == 10
        assert "script" in done.stdout


def test_gate_does_not_believe_what_a_report_says_of_itself(tmp_path: Path) -> None:
    report = build_report(run_of(both=16), run=LIVE, policy=load_policy())
    boast = report.model_copy(update={"gate_result": "pass", "promotion_recommendation": "promote_to_stage"})
    path = tmp_path / "report.json"
    path.write_text(boast.model_dump_json(warnings=False))
    assert evalh("gate", path).returncode == 20


@pytest.mark.parametrize(
    "arguments",
    [
        ["gate", "no-such-run"],
        ["report", "no-such-run"],
        ["gate", "."],
        ["gate", "README.md"],
        ["gate", "pyproject.toml", "--policy", "no-such-policy"],
        ["gate"],
        ["stats", "paired", "1", "2", "3"],
        ["stats", "paired", "0", "0", "0", "0"],
        ["stats", "paired", "1", "-2", "3", "4"],
        ["stats", "paired", "1", "2", "3", "4", "--margin", "1.5"],
        ["stats", "proportion", "5", "4"],
        ["stats", "power", ".9", ".9", "10"],
    ],
    ids=" ".join,
)
def test_bad_input_is_one_line_and_exit_30(arguments: list[str]) -> None:
    done = evalh(*arguments)
    assert done.returncode == 30
    assert done.stdout == ""
    assert done.stderr.count("\n") == 1
    assert done.stderr.startswith("evalh: ")


def test_a_damaged_record_is_named_by_file_and_line(tmp_path: Path) -> None:
    run = a_run(tmp_path / "run", run_of(both=3))
    lines = (run / "trials.jsonl").read_bytes().splitlines(keepends=True)
    (run / "trials.jsonl").write_bytes(b"".join([lines[0], b"{}\n", *lines[2:]]))
    done = evalh("report", run)
    assert done.returncode == 30
    assert "trials.jsonl:2" in done.stderr


@pytest.mark.parametrize("what", ["report", "scenario", "policy"])
def test_schema_prints_a_json_schema_object(what: str) -> None:
    schema = json.loads(evalh("schema", what).stdout)
    assert schema["$schema"].startswith("https://json-schema.org/")
    assert schema["type"] == "object"
    assert schema["additionalProperties"] is False


def test_the_report_schema_requires_nothing_that_a_report_lacks() -> None:
    schema = json.loads(evalh("schema", "report").stdout)
    content = json.loads(report_json(build_report(run_of(both=2), run=LIVE, policy=load_policy())))
    assert set(schema["required"]) <= set(content) == set(schema["properties"])


def test_hostile_text_is_shown_on_an_output_that_cannot_say_it(tmp_path: Path) -> None:
    trials = [replace(t, model=f"modèle-{t.arm}") for t in run_of(tuned_only=9)]
    done = evalh_speaking("ascii", "report", a_run(tmp_path / "run", trials))
    assert done.returncode == 0, done.stderr
    assert "mod\\xe8le-base" in done.stdout


def test_stats_paired_prints_published_numbers() -> None:
    said = json.loads(evalh("stats", "paired", "59", "6", "16", "80", "--margin", "0.1", "--json").stdout)
    assert {
        "difference",
        "mcnemar_exact_p",
        "mcnemar_midp",
        "tango",
        "newcombe",
        "bonett_price",
        "wald",
        "win_odds",
        "noninferiority_p",
        "noninferiority_exact_p",
        "smallest_detectable",
    } <= set(said)
    assert round(said["mcnemar_exact_p"], 6) == 0.052479
    assert [round(limit, 4) for limit in said["tango"]] == [-0.1240, -0.0054]
    assert said["difference"] == pytest.approx(-10 / 161)


def test_stats_proportion_and_power_print_published_numbers() -> None:
    said = json.loads(evalh("stats", "proportion", "15", "148", "--json").stdout)
    assert [round(limit, 4) for limit in said["wilson"]] == [0.0624, 0.1605]
    assert [round(limit, 4) for limit in said["clopper_pearson"]] == [0.0578, 0.1617]
    assert round(json.loads(evalh("stats", "power", ".3", ".05", "50", "--json").stdout)["exact"], 2) == 0.85


def test_records_of_the_tests_are_records_of_the_store() -> None:
    adapter = TypeAdapter(TrialRecord)
    for trial in run_of(both=1):
        assert adapter.validate_json(adapter.dump_json(trial)) == trial
