"""`evalh view` as a browser and as a stranger meets it: real requests to a real server."""

from __future__ import annotations

import json
import re
import shutil
import signal
import socket
import struct
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from http.client import HTTPConnection
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner

from harness import store
from harness.cli.main import cli
from harness.errors import BadInputError
from harness.values import Failure, Metrics, Outcome
from reports.views.html.live import LiveRun
from reports.views.html.serve import PageServer
from tests.records import manifest
from tests.reports.html.browsing import Watched, screens
from tests.reports.html.runs import GOOD, trials, write_session

if TYPE_CHECKING:
    from playwright.sync_api import BrowserContext


@contextmanager
def serving(run: Path) -> Iterator[PageServer]:
    """The server of a run, in a thread of its own."""
    with PageServer(LiveRun(run), 0) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


def ask(
    server: PageServer, path: str, *, method: str = "GET", host: str | None = None
) -> tuple[int, dict[str, str], str]:
    """Status, headers and body of one request."""
    with closing(HTTPConnection("127.0.0.1", server.server_address[1], timeout=10)) as connection:
        connection.request(method, path, headers={"Host": host} if host else {})
        answer = connection.getresponse()
        return answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read().decode()


@pytest.fixture(scope="module")
def server(run_dir: Path) -> Iterator[PageServer]:
    with serving(run_dir) as made:
        yield made


def test_the_page_comes_with_the_policy_that_it_states_itself(server: PageServer) -> None:
    status, headers, body = ask(server, "/")
    assert status == 200
    policy = headers["content-security-policy"]
    assert policy.startswith("default-src 'none'; script-src 'sha256-")
    assert policy.endswith("frame-ancestors 'none'")
    assert policy.removesuffix("; frame-ancestors 'none'").replace("'", "&#x27;") in body.replace("'", "&#x27;")
    assert headers["x-content-type-options"] == "nosniff"
    assert "unsafe" not in policy


@pytest.mark.parametrize("host", ["evil.example", "evil.example:80", "127.0.0.1.evil.example", "", "localhost.evil:1"])
def test_a_name_that_is_not_this_machines_own_is_refused(server: PageServer, host: str) -> None:
    assert ask(server, "/", host=host or " ")[0] == 403
    assert ask(server, "/session?trial=archive-01.base.0", host=host or " ")[0] == 403


@pytest.mark.parametrize("host", ["localhost:9999", "127.0.0.1", "localhost"])
def test_a_tunnel_to_another_port_is_let_through(server: PageServer, host: str) -> None:
    assert ask(server, "/", host=host)[0] == 200


@pytest.mark.parametrize(
    "path",
    [
        "/../../etc/passwd",
        "/%2e%2e/trials.jsonl",
        "/trials.jsonl",
        "/sessions/archive-01.base.0.cast",
        "/session",
        "/session?trial=../trials&attempt=1",
        "/session?trial=archive-01.base.0&attempt=2",
        "/session?trial=archive-01.base.0&attempt=0",
        "/session?trial=archive-01.base.0&attempt=-1",
        "/session?trial=archive-01.base.0&attempt=%C2%B2",
        "/session?trial=/etc/passwd",
        "//etc/passwd",
    ],
)
def test_nothing_but_the_four_addresses_is_there(server: PageServer, path: str) -> None:
    status, headers, body = ask(server, path)
    assert (status, body) == (404, "there is no such page\n")
    assert headers["content-type"] == "text/plain; charset=utf-8"


def test_an_address_that_is_none_is_answered_like_any_other(
    server: PageServer, capsys: pytest.CaptureFixture[str]
) -> None:
    for path in (b"http://[/", b"http://localhost/", b"*"):
        with closing(socket.create_connection(("127.0.0.1", server.server_address[1]), timeout=10)) as asking:
            asking.sendall(b"GET " + path + b" HTTP/1.1\r\nHost: localhost\r\n\r\n")
            assert asking.makefile("rb").readline() == b"HTTP/1.0 404 Not Found\r\n"
    assert capsys.readouterr().err == ""


def test_a_browser_that_leaves_before_its_answer_is_nobodys_error(
    server: PageServer, capsys: pytest.CaptureFixture[str]
) -> None:
    for _ in range(20):
        with closing(socket.create_connection(("127.0.0.1", server.server_address[1]))) as leaving:
            leaving.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # closes by a reset
            leaving.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
    assert ask(server, "/")[0] == 200
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS"])
def test_nothing_can_be_written(server: PageServer, method: str) -> None:
    status, headers, _ = ask(server, "/", method=method)
    assert status == 501
    assert "content-security-policy" in headers


def test_a_session_is_served_by_its_trial_and_attempt(server: PageServer) -> None:
    status, _, body = ask(server, "/session?trial=archive-01.tuned.0&attempt=1")
    assert status == 200
    assert [turn["reply"] for turn in json.loads(body)["turns"]] == [step.reply for step in GOOD]


def test_a_reader_who_has_the_news_gets_none(server: PageServer) -> None:
    _, _, body = ask(server, "/data?version=")
    news = json.loads(body)
    assert news["progress"] == {"planned": 10, "finished": 10, "running": [], "state": "finished"}
    assert len(news["report"]["pairs"]) == 5
    assert ask(server, f"/data?version={news['version']}")[0] == 204


@pytest.mark.browser
def test_the_page_follows_a_run_that_goes_on(watched: Watched, tmp_path: Path) -> None:
    from playwright.sync_api import expect

    first, second = trials("stock-01", base=False, tuned=True)
    with closing(store.create(tmp_path / "run", manifest("stock-01", "stock-02"))) as run:
        run.audit("run_started", finished=0, engine="crun")
        run.audit("trial_started", trial=str(first.key), attempt=1)
        with serving(run.path) as server:
            page = watched.open(server.url)
            expect(page.locator("#progress")).to_contain_text("0 of 4 trials finished; running; now stock-01.base.0")
            page.fill("#search", "stock-01")
            for trial in (first, second):
                write_session(run, trial, GOOD)
                run.append_trial(trial)
                run.audit("trial_finished", trial=str(trial.key), attempt=1, outcome=trial.outcome.value)
            expect(page.locator("#progress")).to_contain_text("2 of 4 trials finished; running")
            expect(page.locator("table.pairs tbody .chip")).to_have_text(["win"])
            assert page.input_value("#search") == "stock-01"
            page.evaluate("location.hash = '#pair=stock-01.0'")
            assert screens(page)[0].splitlines()[-1] == "$ exit"
            run.audit("run_finished")
            expect(page.locator("#progress")).to_contain_text("; finished")


@pytest.mark.browser
def test_an_open_pair_gets_the_session_of_a_trial_that_ends_meanwhile(watched: Watched, tmp_path: Path) -> None:
    from playwright.sync_api import expect

    with closing(store.create(tmp_path / "run", manifest("stock-01"))) as run:
        run.audit("run_started", finished=0, engine="crun")
        with serving(run.path) as server:
            page = watched.open(f"{server.url}#pair=stock-01.0&turn=1")
            expect(page.locator(".duel .chip")).to_have_text("missing")
            expect(page.locator(".side-body")).to_have_text(["This trial has not run."] * 2)
            for trial in trials("stock-01", base=False, tuned=True):
                write_session(run, trial, GOOD)
                run.append_trial(trial)
            expect(page.locator(".duel .chip")).to_have_text("win")
            expect(page.locator(".screen").nth(1)).to_contain_text("Count the barges.")
            assert page.evaluate("document.activeElement.id") == "duel"


@pytest.mark.browser
def test_news_keep_the_readers_place_and_no_filter_that_nothing_can_pass(watched: Watched, tmp_path: Path) -> None:
    from playwright.sync_api import expect

    base, tuned = trials("stock-01", base=True, tuned=True)
    failure = Failure(address="sandbox", message="no container")
    broken = replace(tuned, outcome=Outcome.INVALID, metrics=Metrics(), failure=failure, terminal=None)
    with closing(store.create(tmp_path / "run", manifest("stock-01", "stock-02"))) as run:
        for trial in (base, broken):
            run.append_trial(trial)
        with serving(run.path) as server:
            page = watched.open(server.url)
            expect(page.locator(".counts .invalid dd")).to_have_text("1")
            expect(page.locator(".counts .missing dd")).to_have_text("1")
            page.select_option("#result", "invalid")
            page.locator("table.pairs tbody a").focus()
            for trial in (base, tuned):
                run.append_trial(replace(trial, attempt=2))
            expect(page.locator("table.pairs tbody .chip")).to_have_text(["tie", "missing"])
            assert page.input_value("#result") == ""
            assert page.evaluate("document.activeElement.textContent") == "stock-01.0"


@pytest.mark.browser
def test_the_page_says_why_it_gets_no_news_and_goes_on_when_it_gets_some(
    context: BrowserContext, run_dir: Path, tmp_path: Path
) -> None:
    from playwright.sync_api import expect

    shutil.copytree(run_dir, tmp_path / "run")
    with serving(tmp_path / "run") as server:
        page = Watched(context.new_page()).open(server.url)
        expect(page.locator("#progress")).to_contain_text("; finished")
        (tmp_path / "run").rename(tmp_path / "away")
        expect(page.locator("#progress .warning")).to_contain_text("is not a run directory")
        (tmp_path / "away").rename(tmp_path / "run")
        expect(page.locator("#progress")).to_contain_text("; finished")


def test_the_command_serves_until_it_is_interrupted_and_writes_nothing(run_dir: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in sorted(run_dir.rglob("*"))}
    command = [sys.executable, "-m", "evalh", "view", str(run_dir), "--no-open"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        found = re.fullmatch(r"serving http://127\.0\.0\.1:([0-9]+)/ \(\^C ends it\)\n", line)
        assert found is not None
        port = int(found[1])
        with closing(HTTPConnection("127.0.0.1", port, timeout=10)) as connection:
            connection.request("GET", "/")
            assert connection.getresponse().status == 200
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=20)
        assert (process.returncode, out, err) == (0, "ended\n", "")
    assert {path: path.stat().st_mtime_ns for path in sorted(run_dir.rglob("*"))} == before


def test_a_directory_that_is_no_run_is_refused_in_one_line(tmp_path: Path) -> None:
    result = CliRunner().invoke(cli, ["view", str(tmp_path)])
    assert isinstance(result.exception, BadInputError)
    assert "is not a run directory" in result.exception.message


def test_a_port_that_is_taken_is_refused_in_one_line(server: PageServer, run_dir: Path) -> None:
    result = CliRunner().invoke(cli, ["view", str(run_dir), "--no-open", "--port", str(server.server_address[1])])
    assert isinstance(result.exception, BadInputError)
    assert "cannot listen on 127.0.0.1" in result.exception.message
