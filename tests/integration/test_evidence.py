"""A run whose server reads other tokens, or whose arms are not what they say, stops before the first container."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.endpoint import OpenAIEndpoint, resident_server
from harness.store import read_manifest, read_session, read_trials
from harness.values import Arm, ParityLevel
from tests.endpoint.rooms import http
from tests.endpoint.strangers import Reply, Request
from tests.integration.command import SUITE, UNPROVEN, evalh
from tests.preflight.servers import Plan, Proxy, healthy, ignores, leaks_beside, planted, swaps
from tests.tiny_model import make_tiny_adapter, make_tiny_llama

FOLDED = "\n\n"


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny base and its adapter, whose replies end soon."""
    folder = tmp_path_factory.mktemp("models")
    base = make_tiny_llama(folder / "base")
    make_tiny_adapter(folder / "ckpt", base)
    return folder


@pytest.fixture(scope="module")
def healthy_url(home: Path) -> Iterator[str]:
    """A healthy server of both."""
    with resident_server(home / "base", {"tuned": home / "ckpt"}) as url:
        yield url


def arguments(url: str, *more: str) -> tuple[str, ...]:
    """`evalh run` against a server that somebody else runs, as short as it can be."""
    limits = ("--max-turns", "2", "--max-tokens", "6", "--turn-seconds", "5")
    names = ("--base-model", "base", "--tuned-model", "tuned")
    return ("run", "--scenarios", str(SUITE), *UNPROVEN, "--endpoint", url, *names, *limits, "--out", "run", *more)


def unfolds(proxy: Proxy, request: Request) -> Reply:
    """A server that takes the folded system turn apart again."""
    first, *rest = request["messages"]
    system, blank, landing = first["content"].partition(FOLDED)
    if not blank:
        return healthy(proxy, request)
    apart = [{"role": "system", "content": system}, {**first, "content": landing}, *rest]
    return proxy.forward({**request, "messages": apart}, request["model"])


def drops_a_newline_of_a_session(proxy: Proxy, request: Request) -> Reply:
    """Reads everything rightly but conversations of the suite's desk, which no check before a run contains."""
    messages = [
        {**message, "content": message["content"].replace("desk/today.txt\n", "desk/today.txt")}
        for message in request["messages"]
    ]
    return proxy.forward({**request, "messages": messages}, request["model"])


def test_a_healthy_server_is_compared_on_every_turn_of_every_trial(
    home: Path, healthy_url: str, tmp_path: Path
) -> None:
    with planted(healthy_url, healthy) as endpoint:
        done = evalh(*arguments(endpoint.url, "--tokenizer", str(home / "base")), cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    report = json.loads((tmp_path / "run" / "paired_eval_report.json").read_text())
    turns = sum(record.turns for record in read_trials(tmp_path / "run"))
    assert report["parity"]["prompts"] == report["parity"]["agreed"] == turns > 0
    assert report["parity"]["level"] == "reply_ids"
    assert {finding.result for finding in read_manifest(tmp_path / "run").preflight} <= {"ok", "unproven"}
    for record in read_trials(tmp_path / "run"):
        for turn in read_session(tmp_path / "run", record.key).turns:
            assert turn.completion.parity is not None
            assert turn.completion.parity.agrees


@pytest.mark.parametrize(
    ("plan", "said"),
    [
        pytest.param(ignores, "the tuned arm answers", id="ignored adapter"),
        pytest.param(unfolds, "system", id="unfolded system turn"),
    ],
)
def test_a_server_with_something_wrong_stops_the_run_before_anything_is_made(
    home: Path, healthy_url: str, tmp_path: Path, plan: Plan, said: str
) -> None:
    with planted(healthy_url, plan) as endpoint:
        done = evalh(*arguments(endpoint.url, "--tokenizer", str(home / "base")), cwd=tmp_path)
    assert done.returncode == 40, done.stderr
    assert said in done.stderr
    assert not (tmp_path / "run").exists()


def test_swapped_arms_are_known_by_the_adapter_s_fingerprint(home: Path, healthy_url: str, tmp_path: Path) -> None:
    base, ckpt = str(home / "base"), str(home / "ckpt")
    assert evalh("fingerprint", "--base", base, "--adapter", ckpt, cwd=tmp_path).returncode == 0
    try:
        with planted(healthy_url, swaps) as endpoint:
            done = evalh(*arguments(endpoint.url, "--base", base, "--adapter", ckpt), cwd=tmp_path)
        assert done.returncode == 40
        assert "swapped" in done.stderr
        assert not (tmp_path / "run").exists()
    finally:
        (home / "ckpt" / "fingerprint.json").unlink()


def test_a_difference_that_shows_only_in_a_trial_stops_the_run_there(
    home: Path, healthy_url: str, tmp_path: Path
) -> None:
    with planted(healthy_url, drops_a_newline_of_a_session) as endpoint:
        flags = ("--tokenizer", str(home / "base"), "--concurrency", "1")
        done = evalh(*arguments(endpoint.url, *flags), cwd=tmp_path)
    assert done.returncode == 40, done.stderr
    assert "evalh parity" in done.stderr
    (record,) = read_trials(tmp_path / "run")
    assert record.failure is not None
    assert record.failure.address == "parity"


def test_a_warning_lets_the_run_go_on_and_keeps_it_from_promoting(home: Path, healthy_url: str, tmp_path: Path) -> None:
    with planted(healthy_url, drops_a_newline_of_a_session) as endpoint:
        flags = ("--tokenizer", str(home / "base"), "--parity", "warn")
        done = evalh(*arguments(endpoint.url, *flags), cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    report = json.loads((tmp_path / "run" / "paired_eval_report.json").read_text())
    assert report["parity"]["differed"] > 0
    assert "today.txt" in report["parity"]["differences"][0]
    assert report["scoring"]["promotion_eligible"] is False


def test_without_a_tokenizer_nothing_is_proven_and_the_report_says_so(healthy_url: str, tmp_path: Path) -> None:
    done = evalh(*arguments(healthy_url), cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    report = json.loads((tmp_path / "run" / "paired_eval_report.json").read_text())
    assert report["parity"]["level"] == str(ParityLevel.NONE)
    assert report["scoring"]["promotion_eligible"] is False
    assert any("--tokenizer" in note for note in report["scoring"]["notes"])


def test_arms_that_leak_into_each_other_run_one_at_a_time(home: Path, healthy_url: str, tmp_path: Path) -> None:
    with planted(healthy_url, leaks_beside("base", "tuned")) as endpoint:
        done = evalh(*arguments(endpoint.url, "--tokenizer", str(home / "base")), cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert read_manifest(tmp_path / "run").one_arm_at_a_time
    report = json.loads((tmp_path / "run" / "paired_eval_report.json").read_text())
    assert any("one after the other" in note for note in report["scoring"]["notes"])
    arms = [record.arm for record in read_trials(tmp_path / "run")]
    assert arms == [Arm.BASE] * (len(arms) // 2) + [Arm.TUNED] * (len(arms) // 2)


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("render_contract", "0", "it was trained under render contract 0"),
        ("base_digest", "sha256:" + "1" * 64, "it was trained on a base with digest"),
    ],
)
def test_an_adapter_of_another_contract_is_refused_before_anything_starts(
    home: Path, tmp_path: Path, key: str, value: str, said: str
) -> None:
    record = home / "ckpt" / "training.json"
    record.write_text(json.dumps({"identity": {key: value}}))
    try:
        done = evalh("run", "--adapter", str(home / "ckpt"), "--base", str(home / "base"), "--out", "run", cwd=tmp_path)
    finally:
        record.unlink()
    assert done.returncode == 30
    assert said in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert not (tmp_path / "run").exists()


def test_an_adapter_that_a_running_server_does_not_serve_yet_is_lent_to_it(home: Path, tmp_path: Path) -> None:
    with resident_server(home / "base", {}) as url:
        flags = ("--base", str(home / "base"), "--adapter", str(home / "ckpt"))
        done = evalh(*arguments(url, *flags), cwd=tmp_path)
        assert done.returncode == 0, done.stderr
        with OpenAIEndpoint(url) as endpoint:
            assert endpoint.models() == ("base",)
    assert read_manifest(tmp_path / "run").tuned.digest is not None


def test_the_log_of_a_server_of_our_own_is_kept_with_the_run(home: Path, tmp_path: Path) -> None:
    limits = ("--max-turns", "1", "--max-tokens", "4", "--n", "1")
    flags = ("--adapter", str(home / "ckpt"), "--base", str(home / "base"), "--scenarios", str(SUITE), *UNPROVEN)
    done = evalh("run", *flags, *limits, "--out", "deep/run", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "deep" / "run" / "logs" / "server.log").is_file()
    assert [path.name for path in (tmp_path / "deep").iterdir()] == ["run"]


def test_the_proxy_of_these_tests_passes_everything_on(healthy_url: str) -> None:
    request = {"model": "base", "messages": [{"role": "user", "content": "hello"}], "max_tokens": 2, "temperature": 0}
    with planted(healthy_url, healthy) as endpoint:
        there = http(f"{endpoint.url}/chat/completions", request).body["choices"]
    assert there == http(f"{healthy_url}/chat/completions", request).body["choices"]
