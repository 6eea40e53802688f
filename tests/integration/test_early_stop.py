"""`evalh run --stop-when decided` and calibration from end to end: real containers, a real HTTP server."""

from __future__ import annotations

import json
import re
import signal
from pathlib import Path

import pytest

import scenarios
from harness.endpoint.scripted import scripted_server
from harness.store import TRIALS, read_manifest, read_trials
from scenarios import Split
from tests.integration.command import SUITE, against, evalh, script, started
from tests.integration.leftovers import wait_for

HOLDOUT = scenarios.load_dir(scenarios.shipped(Split.HOLDOUT), split=Split.HOLDOUT)
SIXTEEN = scenarios.pick(HOLDOUT, "standard-16", None)


def _shipped(url: str, engine: str, *more: str) -> tuple[str, ...]:
    """The arguments of an early stopping run of sixteen shipped scenarios."""
    names = (
        "--base-model",
        "plain",
        "--tuned-model",
        "trained",
        "--engine",
        engine,
        "--out",
        "run",
        "--no-calibration",
    )
    return ("run", "--endpoint", url, *names, "--n", "standard-16", "--stop-when", "decided", *more)


def _replies(*, right: bool, delay: float = 0.0) -> dict[str, object]:
    """A scripted model that gives the reference replies everywhere, or leaves at once."""
    if not right:
        return {"replies": [{"text": "exit 0", "delay": delay}]}
    rules = []
    for loaded in SIXTEEN:
        landing = loaded.scenario.landing
        shown = (landing.banner or landing.motd).strip().splitlines()[0]
        said = [{"text": text, "delay": delay} for text in loaded.scenario.reference.replies]
        rules.append({"when": re.escape(shown), "replies": said})
    return {"rules": rules, "replies": ["exit 0"]}


def test_a_run_that_is_decided_stops_and_says_where_and_at_what_price(tmp_path: Path, any_engine: str) -> None:
    with scripted_server({"models": {"plain": _replies(right=False), "trained": _replies(right=True)}}) as url:
        done = evalh(*_shipped(url, any_engine, "--concurrency", "2", "--gate", "promote", "--json"), cwd=tmp_path)
    assert done.returncode == 10, done.stderr  # a script is never promoted
    rule = read_manifest(tmp_path / "run").stop_rule
    assert rule is not None
    report = json.loads(done.stdout)
    stopped = report["stopped"]
    assert stopped["decision"] == "better"
    assert stopped["planned"] == 16
    assert stopped["looked_at"] == max(8, len(rule.first)) == stopped["wins"]
    assert stopped["p"] <= 0.05
    ran = {record.scenario for record in read_trials(tmp_path / "run")}
    assert set(rule.order[: stopped["looked_at"]]) <= ran
    assert len(ran) <= stopped["looked_at"] + 2
    assert stopped["pairs_not_run"] >= 16 - len(ran)
    assert report["exclusions"] == []
    superiority = next(each for each in report["findings"] if each["kind"] == "superiority")
    assert superiority["status"] == "met"
    assert superiority["p"] == pytest.approx(stopped["p"], rel=1e-6) or superiority["p"] < stopped["p"]
    assert "McNemar" not in superiority["sentence"]
    shown = evalh("report", "run", cwd=tmp_path).stdout
    assert f"Decided after {stopped['looked_at']} of 16 scenarios" in " ".join(shown.split())


@pytest.mark.slow
def test_an_interrupted_run_resumes_in_its_order_and_stops_where_it_would_have(tmp_path: Path, any_engine: str) -> None:
    with scripted_server(
        {"models": {"plain": _replies(right=False, delay=0.2), "trained": _replies(right=True)}}
    ) as url:
        child = started(*_shipped(url, any_engine, "--concurrency", "1"), cwd=tmp_path)
        wait_for(lambda: _lines(tmp_path / "run" / TRIALS) >= 3, seconds=120, what="three trials", child=child)
        child.send_signal(signal.SIGINT)
        output, _ = child.communicate(timeout=60)
        assert child.returncode == 130, output
        before = read_trials(tmp_path / "run")
        done = evalh("resume", "run", "--json", cwd=tmp_path)
        assert done.returncode == 0, done.stderr
        after = read_trials(tmp_path / "run")
        again = evalh("resume", "run", cwd=tmp_path)
        assert "there is nothing left to run" in again.stderr
    assert after[: len(before)] == before
    assert len({record.key for record in after}) == len(after)
    assert read_trials(tmp_path / "run") == after
    stopped = json.loads(done.stdout)["stopped"]
    rule = read_manifest(tmp_path / "run").stop_rule
    assert rule is not None
    assert list(dict.fromkeys(record.scenario for record in after)) == list(rule.order[: stopped["looked_at"]])
    assert stopped["decision"] == "better"


def _lines(path: Path) -> int:
    return path.read_bytes().count(b"\n") if path.exists() else 0


def test_a_policy_that_needs_a_fixed_number_of_pairs_is_refused_before_anything_starts(tmp_path: Path) -> None:
    done = evalh(*_shipped("http://127.0.0.1:9", "auto", "--gate", "regression"), cwd=tmp_path)
    assert done.returncode == 30
    assert "cannot follow the policy regression" in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert not (tmp_path / "run").exists()


def test_every_report_shows_what_players_without_a_mind_come_to(
    tmp_path: Path, any_engine: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = _home_with_images(tmp_path, monkeypatch)
    with scripted_server(script(["exit 0"])) as url:
        done = evalh(*against(url, any_engine, "--json"), cwd=tmp_path)
        assert done.returncode == 0, done.stderr
        rows = {row["player"]: row for row in json.loads(done.stdout)["calibration"]}
        kept = list((home / "calibration").rglob("calibration.json"))
        assert len(kept) == 1
        first = kept[0].stat().st_mtime_ns
        second = evalh(*against(url, any_engine, "--json", "--out", "again"), cwd=tmp_path)
        assert second.returncode == 0, second.stderr
        assert json.loads(second.stdout)["calibration"] == list(rows.values())
        assert kept[0].stat().st_mtime_ns == first
        third = evalh(*against(url, any_engine, "--json", "--out", "bare", "--no-calibration"), cwd=tmp_path)
        assert json.loads(third.stdout)["calibration"] == []
    success = {name: (row["rates"]["success"]["count"], row["rates"]["success"]["n"]) for name, row in rows.items()}
    assert success == {"always_exit": (0, 2), "always_panic": (0, 2), "reference": (2, 2), "prose": (0, 2)}
    assert rows["always_exit"]["rates"]["terminated"] == {"count": 2, "n": 2}
    assert rows["prose"]["rates"]["any_command"]["count"] == 0


def _home_with_images(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache of one's own with this machine's sandbox images in it."""
    from harness.sandbox.paths import evalh_home

    real, home = evalh_home(), tmp_path / "home"
    home.mkdir()
    for each in real.iterdir():
        if each.name != "calibration":
            (home / each.name).symlink_to(each)
    monkeypatch.setenv("EVALH_HOME", str(home))
    return home


def test_the_calibrate_command_prints_a_column_for_each_player(tmp_path: Path, any_engine: str) -> None:
    done = evalh("calibrate", "--scenarios", str(SUITE), "--engine", any_engine, "--again", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[:2] == [
        "metric                always_exit  always_panic  reference  prose",
        "success                       0/2           0/2        2/2    0/2",
    ]
