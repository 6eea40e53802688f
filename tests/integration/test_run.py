"""`evalh run` from end to end: real containers, a real HTTP server, the command as a user types it."""

from __future__ import annotations

import fcntl
import json
import os
import signal
import subprocess
import threading
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import pytest

import reports
from harness import store
from harness.endpoint.scripted import scripted_server
from harness.store import TRIALS, read_session, read_trials
from harness.values import Arm, Outcome, Role, Terminal
from tests.integration.command import SUITE, against, evalh, records, reference_rules, script, started
from tests.integration.leftovers import leftovers, wait_for

PROSE = "I'm happy to help! Let me look at the files."


@dataclass(frozen=True, kw_only=True)
class Finished:
    """A run of a model that talks prose against one that does the work, and how its command ended."""

    folder: Path  # the run lies in its folder `run`
    done: subprocess.CompletedProcess[str]


@pytest.fixture(scope="module")
def finished(engine_name: str, tmp_path_factory: pytest.TempPathFactory) -> Finished:
    return _finished(tmp_path_factory.mktemp("finished"), engine_name)


def _finished(folder: Path, engine_name: str) -> Finished:
    with scripted_server(script([PROSE])) as url:
        return Finished(folder=folder, done=evalh(*against(url, engine_name, "--seed", "3"), cwd=folder))


def test_a_run_gives_records_sessions_recordings_and_a_paired_report(finished: Finished) -> None:
    done, run = finished.done, finished.folder / "run"
    assert done.returncode == 0, done.stderr
    found = records(run)
    assert {name: record.outcome for name, record in found.items()} == {
        "errand-note.base.0": Outcome.FAIL,
        "errand-note.tuned.0": Outcome.PASS,
        "errand-lost.base.0": Outcome.FAIL,
        "errand-lost.tuned.0": Outcome.PASS,
    }
    assert found["errand-lost.tuned.0"].terminal is Terminal.PANIC
    assert found["errand-lost.tuned.0"].panic_reason == "there is no absent.txt"
    assert found["errand-note.base.0"].metrics.clean is False
    report = json.loads((run / "paired_eval_report.json").read_text())
    assert report["pairwise"] == {"wins": 2, "losses": 0, "ties": 0, "invalid": 0}
    assert report["scoring"]["mode"] == "fixture"
    assert report["scoring"]["promotion_eligible"] is False
    assert "Paired report" in (run / "report.md").read_text()
    assert "paired_eval_report.json" in done.stdout


def test_a_session_reads_back_as_the_model_saw_it(finished: Finished) -> None:
    run = finished.folder / "run"
    session = read_session(run, records(run)["errand-lost.tuned.0"].key)
    assert [message.role for message in session.opening] == [Role.SYSTEM, Role.USER]
    assert session.opening[1].content == "$ "
    assert session.turns[0].observation == (
        "Copy /srv/desk/absent.txt to your home. If it cannot be done, run panic with the reason.\n$ "
    )
    assert "No such file" in session.turns[1].observation
    shown = evalh("replay", "run", "errand-note.tuned.0", cwd=finished.folder)
    assert "Write the word amber" in shown.stdout
    assert "status 0" in shown.stdout
    played = evalh("replay", "run", "errand-note.tuned.0", "--fast", cwd=finished.folder)
    assert played.stdout.startswith("Directives: /srv/desk/today.txt\n$ ")
    assert "\x1e" not in played.stdout


def test_the_gate_decides_the_exit_code_and_a_scripted_endpoint_is_never_promoted(
    tmp_path: Path, any_engine: str
) -> None:
    with scripted_server(script([PROSE])) as url:
        done = evalh(*against(url, any_engine, "--gate", "promote", "--json"), cwd=tmp_path)
    assert done.returncode in {10, 20}
    assert json.loads(done.stdout)["promotion_recommendation"] != "promote_to_stage"
    again = evalh("gate", "run", cwd=tmp_path)
    assert again.returncode == done.returncode


def test_the_same_seed_gives_the_same_replies_verdicts_and_report(
    tmp_path: Path, engine_name: str, finished: Finished
) -> None:
    found = []
    for each in (finished, _finished(tmp_path, engine_name)):
        report = json.loads((each.folder / "run" / "paired_eval_report.json").read_text())
        found.append([report["metrics"], report["pairwise"], report["gate_result"]])
    assert found[0] == found[1]


def test_an_interrupted_run_leaves_nothing_behind_and_resume_repeats_no_finished_trial(
    tmp_path: Path, engine_name: str
) -> None:
    how = signal.SIGTERM if engine_name == "docker" else signal.SIGINT
    slow = script([{"text": "true", "delay": 1.0}])
    with scripted_server(slow) as url:
        child = started(*against(url, engine_name, "--concurrency", "1", "--max-turns", "4"), cwd=tmp_path)
        wait_for(lambda: _lines(tmp_path / "run" / TRIALS) >= 1, seconds=120, what="a finished trial", child=child)
        child.send_signal(how)
        output, _ = child.communicate(timeout=60)
        assert child.returncode == 130, output
        assert "evalh resume run" in output
        wait_for(lambda: leftovers(child.pid) == [], seconds=30, what="an empty machine")
        before = read_trials(tmp_path / "run")
        done = evalh("resume", "run", cwd=tmp_path)
        assert done.returncode == 0, done.stderr
    after = read_trials(tmp_path / "run")
    assert after[: len(before)] == before
    assert len({record.key for record in after}) == len(after) == 4
    assert evalh("resume", "run", cwd=tmp_path).returncode == 0
    assert read_trials(tmp_path / "run") == after


def test_a_killed_run_leaves_nothing_behind_and_resume_finishes_it(tmp_path: Path, engine_name: str) -> None:
    slow = script([{"text": "true", "delay": 1.0}])
    with scripted_server(slow) as url:
        child = started(*against(url, engine_name, "--concurrency", "2", "--max-turns", "4"), cwd=tmp_path)
        wait_for(lambda: _lines(tmp_path / "run" / TRIALS) >= 1, seconds=120, what="a finished trial", child=child)
        os.kill(child.pid, signal.SIGKILL)
        child.communicate(timeout=60)
        wait_for(lambda: leftovers(child.pid) == [], seconds=30, what="an empty machine")
        assert evalh("resume", "run", cwd=tmp_path).returncode == 0
    after = read_trials(tmp_path / "run")
    assert len({record.key for record in after}) == len(after) == 4


def test_an_interrupted_run_gives_its_directory_back_only_when_nothing_of_it_is_left(
    tmp_path: Path, engine_name: str
) -> None:
    with scripted_server(script([{"text": "true", "delay": 0.5}])) as url:
        child = started(*against(url, engine_name, "--max-turns", "4", "--no-calibration"), cwd=tmp_path)
        wait_for(lambda: _lines(tmp_path / "run" / TRIALS) >= 1, seconds=120, what="a finished trial", child=child)
        child.send_signal(signal.SIGINT)
        with (tmp_path / "run" / "logs" / "lock").open("ab") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)  # what a resume that was started meanwhile takes
            assert leftovers(child.pid) == []
        child.communicate(timeout=60)


def _lines(path: Path) -> int:
    return path.read_bytes().count(b"\n") if path.exists() else 0


def test_resume_refuses_scenarios_that_have_changed(tmp_path: Path, any_engine: str) -> None:
    suite = tmp_path / "suite" / "errand"
    suite.mkdir(parents=True)
    for path in SUITE.rglob("*.toml"):
        (suite / path.name).write_text(path.read_text())
    with scripted_server(script([PROSE])) as url:
        assert evalh(*against(url, any_engine, suite=suite.parent), cwd=tmp_path).returncode == 0
        edited = suite / "errand-note.toml"
        edited.write_text(edited.read_text().replace("amber", "ochre"))
        done = evalh("resume", "run", cwd=tmp_path)
    assert done.returncode == 30
    assert "errand-note has changed since" in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_an_endpoint_that_fails_now_and_then_costs_no_verdict(tmp_path: Path, any_engine: str) -> None:
    flaky = {"status": 503, "times": 1, "text": "exit"}
    with scripted_server(script([flaky], [flaky])) as url:
        assert evalh(*against(url, any_engine), cwd=tmp_path).returncode == 0
    assert {record.outcome for record in records(tmp_path / "run").values()} == {Outcome.FAIL}


def test_an_arm_whose_endpoint_is_broken_is_invalid_with_its_cause_and_never_failed(
    tmp_path: Path, any_engine: str
) -> None:
    broken = {"status": 500, "error": "the weights are on fire"}
    with scripted_server({"models": {"plain": {"replies": [broken]}, "trained": {"rules": reference_rules()}}}) as url:
        done = evalh(*against(url, any_engine), cwd=tmp_path)
    found = records(tmp_path / "run")
    for name in ("errand-note", "errand-lost"):
        base = found[f"{name}.base.0"]
        assert (base.outcome, base.attempt) == (Outcome.INVALID, 2)
        assert base.failure is not None
        assert base.failure.address == "endpoint"
        assert "the weights are on fire" in base.failure.message
        assert found[f"{name}.tuned.0"].outcome is Outcome.PASS
    report = json.loads((tmp_path / "run" / "paired_eval_report.json").read_text())
    assert report["pairwise"]["invalid"] == 2
    assert len(report["exclusions"]) == 2
    assert done.returncode == 40


def test_a_run_that_another_process_holds_is_left_alone(tmp_path: Path, any_engine: str) -> None:
    with scripted_server(script(["exit 0"])) as url:
        assert evalh(*against(url, any_engine), cwd=tmp_path).returncode == 0
    report = tmp_path / "run" / "paired_eval_report.json"
    report.unlink()
    with closing(store.reopen(tmp_path / "run")):
        done = evalh("resume", "run", cwd=tmp_path)
    assert done.returncode == 30
    assert "run is being run by another process" in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert not report.exists()
    assert evalh("resume", "run", cwd=tmp_path).returncode == 0
    assert report.exists()


def test_a_trial_that_is_run_again_is_not_counted_twice_while_the_run_goes_on(tmp_path: Path, any_engine: str) -> None:
    refused = {"status": 400, "error": "not today", "times": 1, "text": "exit 0"}
    with scripted_server(script([refused])) as url:
        done = evalh(*against(url, any_engine), cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    found = records(tmp_path / "run")
    assert {(name.split(".")[0], record.attempt) for name, record in found.items()} == {
        ("errand-note", 2),
        ("errand-lost", 2),
    }
    assert len(read_trials(tmp_path / "run")) == 8
    counts = [line.split()[0] for line in done.stderr.splitlines() if line.startswith("[")]
    assert counts == ["[1/4]", "[2/4]", "[3/4]", *["[4/4]"] * 5]


def test_a_run_by_a_policy_of_ones_own_is_resumed_and_shown_from_any_directory(tmp_path: Path, any_engine: str) -> None:
    smoke = Path(reports.__file__).parent / "policies" / "smoke.toml"
    (tmp_path / "own.toml").write_text(smoke.read_text().replace('name = "smoke"', 'name = "own"'))
    with scripted_server(script([PROSE])) as url:
        done = evalh(*against(url, any_engine, "--gate", "own.toml"), cwd=tmp_path)
        assert done.returncode == 10, done.stderr
        (tmp_path / "elsewhere").mkdir()
        again = evalh("resume", "../run", cwd=tmp_path / "elsewhere")
    assert again.returncode == 10, again.stderr
    shown = evalh("report", "../run", "--format", "json", cwd=tmp_path / "elsewhere")
    assert json.loads(shown.stdout)["policy"] == "own"


@pytest.mark.skipif(os.geteuid() != 0, reason="mounting a small tmpfs needs root")
def test_a_disk_that_fills_up_ends_a_run_with_one_line_and_what_is_finished_is_kept(
    tmp_path: Path, any_engine: str
) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=100k", "none", str(disk)], check=True)
    try:
        flood = script(["seq 20000", "seq 20000 | sed s/^/x/", "exit 0"], ["seq 20000", "exit 0"])
        with scripted_server(flood) as url:
            more = ("--concurrency", "1", "--no-calibration", "--out", "disk/run")
            done = evalh(*against(url, any_engine, *more), cwd=tmp_path)
            assert done.returncode == 40, done.stderr
            assert "Traceback" not in done.stderr
            assert "No space left on device" in done.stderr.splitlines()[-1]
            assert "evalh resume disk/run" in done.stderr
            before = read_trials(disk / "run")
            assert Outcome.INVALID not in {record.outcome for record in before}
            subprocess.run(["mount", "-o", "remount,size=32m", str(disk)], check=True)
            resumed = evalh("resume", "disk/run", cwd=tmp_path)
            assert resumed.returncode == 0, resumed.stderr
        after = read_trials(disk / "run")
        assert after[: len(before)] == before
        assert {(str(record.key), record.attempt, record.outcome) for record in after} == {
            (f"{name}.{arm}.0", 1, Outcome.FAIL) for name in ("errand-note", "errand-lost") for arm in Arm
        }
        assert len(after) == 4
    finally:
        subprocess.run(["umount", str(disk)], check=True)


def test_a_server_that_is_not_ours_works_with_a_url_and_two_names(tmp_path: Path, any_engine: str) -> None:
    from tests.integration.plain_server import plain_server

    with plain_server({"plain": PROSE, "trained": "exit 0"}) as url:
        done = evalh(*against(url, any_engine), cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    found = records(tmp_path / "run")
    assert {r.terminal for r in found.values() if r.arm is Arm.TUNED} == {Terminal.EXIT}
    report = json.loads((tmp_path / "run" / "paired_eval_report.json").read_text())
    assert report["scoring"]["mode"] == "live"


def test_many_threads_of_trials_share_a_machine(tmp_path: Path, engine_name: str) -> None:
    before = threading.active_count()
    with scripted_server(script([PROSE])) as url:
        done = evalh(
            *against(url, engine_name, "--concurrency", "8", "--repeats", "5", "--temperature", "0.5"), cwd=tmp_path
        )
    assert done.returncode == 0, done.stderr
    found = records(tmp_path / "run")
    assert len(found) == 20
    assert all(record.outcome is not Outcome.INVALID for record in found.values())
    assert threading.active_count() <= before
