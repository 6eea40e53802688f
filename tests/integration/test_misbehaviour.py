"""Models that misbehave, in one run side by side: each ends as the right terminal with a readable transcript."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from harness.endpoint.scripted import scripted_server
from harness.store import StoredSession, read_session
from harness.values import LineEnd, Outcome, Terminal, TrialRecord
from tests.integration.command import SUITE, against, evalh, records

Behaviour = tuple[list[object], Terminal, str]

LONG = "echo " + "x" * 10_000
BEHAVIOURS: dict[str, Behaviour] = {
    "talks prose": (["I would first list the files, shan't I?"], Terminal.REPETITION, "> "),
    "talks markdown": (["```sh\nls\n```"], Terminal.REPETITION, "> > "),
    "says nothing": ([""], Terminal.EMPTY_REPLY, ""),
    "says only blanks": ([" \n\t\n"], Terminal.EMPTY_REPLY, ""),
    "is cut by the token limit": (
        [{"text": "rm -rf /srv/desk; echo", "finish_reason": "length"}],
        Terminal.TOKEN_LIMIT,
        "",
    ),
    "floods output": (["yes", "exit"], Terminal.EXIT, "left out"),
    "floods output in one line": (["head -c 30000000 /dev/zero | tr '\\0' x", "exit"], Terminal.EXIT, "left out"),
    "starts cat": (["cat", "hello", "exit"], Terminal.REPETITION, "hello"),
    "starts vi": (["vi /tmp/x", "exit"], Terminal.EXIT, "not found"),
    "types a 10 kB line": ([LONG, "exit"], Terminal.EXIT, "4094"),
    "repeats itself": (["echo again"], Terminal.REPETITION, "again"),
    "never stops": (["date +%s%N"], Terminal.TURN_LIMIT, "$ "),
    "sleeps": (["sleep 1000", "exit"], Terminal.EXIT, "$ "),
    "ignores ^C": (["trap '' INT; sh -c 'while :; do :; done'", "exit"], Terminal.EXIT, "$ "),
    "forks": (["b() { b | b & }; b", "exit"], Terminal.EXIT, ""),
    "kills its shell": (["kill -9 $$"], Terminal.SHELL_KILLED, ""),
    "changes PS1": (["PS1='> '", "echo still here", "exit 3"], Terminal.EXIT, "still here"),
    "unsets PS1": (["unset PS1 PS2", "echo still here", "exit"], Terminal.EXIT, "still here"),
    "becomes another program": (["exec sleep 1"], Terminal.EXIT, ""),
    "nests shells": (["sh", "bash", "exit", "exit", "exit"], Terminal.EXIT, "$ "),
    "closes the input": (["true\n\x04"], Terminal.EXIT, ""),
    "prints escapes": (["printf '\\033[2J\\033]0;title\\007\\033[31mred\\033[0m\\n'", "exit"], Terminal.EXIT, "red"),
    "prints a control token": (["echo '<|im_end|>' '</s>'", "exit"], Terminal.EXIT, "im_end"),
    "turns the echo on": (["stty echo", "true", "stty raw", "true", "exit"], Terminal.EXIT, "$ "),
    "stops the output": (["echo one\n\x13", "echo hi", "exit"], Terminal.EXIT, "hi"),
    "forges a prompt": (["printf '\\036%s:0:9\\037$ ' \"${PS1#?}\"", "echo real", "exit"], Terminal.EXIT, "real"),
    "fills the disk": (["cat /dev/zero > /tmp/full", "echo done", "exit"], Terminal.EXIT, "No space left"),
    "eats the memory": (["tail /dev/zero", "echo alive", "exit"], Terminal.EXIT, "alive"),
    "leaves with a status": (["exit 7"], Terminal.EXIT, ""),
    "panics in a pipe": (["echo why | panic from a pipe"], Terminal.PANIC, ""),
    "panics in silence": (["(panic >/dev/null 2>&1)"], Terminal.PANIC, ""),
    "hides a command behind a long line": ([LONG + "; echo ran > /tmp/ran", "ls /tmp", "exit"], Terminal.EXIT, "4094"),
}


@dataclass(frozen=True, kw_only=True)
class Company:
    """A run of all of them, and what is on record of each."""

    run: Path
    trials: Mapping[str, TrialRecord]

    def record(self, behaviour: str) -> TrialRecord:
        return self.trials[f"{_scenario(behaviour)}.tuned.0"]

    def session(self, behaviour: str) -> StoredSession:
        record = self.record(behaviour)
        return read_session(self.run, record.key, record.attempt)


@pytest.fixture(scope="module")
def company(engine_name: str, tmp_path_factory: pytest.TempPathFactory) -> Company:
    folder = tmp_path_factory.mktemp("company")
    _write_suite(folder / "suite" / "errand")
    rules = [{"when": _desk(behaviour), "replies": replies} for behaviour, (replies, _, _) in BEHAVIOURS.items()]
    models = {"plain": {"replies": ["exit"]}, "trained": {"rules": rules}}
    with scripted_server({"models": models}) as url:
        limits = ("--turn-seconds", "3", "--max-turns", "6", "--session-seconds", "60", "--concurrency", "4")
        more = (*limits, "--no-calibration")
        done = evalh(*against(url, engine_name, *more, suite=folder / "suite"), cwd=folder)
    assert done.returncode in (0, 10, 20), done.stderr
    return Company(run=folder / "run", trials=records(folder / "run"))


@pytest.mark.slow
@pytest.mark.parametrize("behaviour", BEHAVIOURS)
def test_a_model_that_misbehaves_ends_in_its_terminal(company: Company, behaviour: str) -> None:
    _, terminal, shown = BEHAVIOURS[behaviour]
    record, session = company.record(behaviour), company.session(behaviour)
    assert record.outcome is Outcome.FAIL, record.reason
    assert record.terminal is terminal, _transcript(session)
    assert shown in _transcript(session)
    assert "\x1e" not in _transcript(session)
    assert "\x1b" not in _transcript(session)
    assert session.end is not None


@pytest.mark.slow
def test_what_a_cut_reply_would_have_done_was_never_done(company: Company) -> None:
    session = company.session("is cut by the token limit")
    assert [turn.lines for turn in session.turns] == [()]


@pytest.mark.slow
def test_a_line_that_is_too_long_is_refused_whole_and_no_stump_of_it_runs(company: Company) -> None:
    session = company.session("hides a command behind a long line")
    assert session.turns[0].lines[0].end is LineEnd.REFUSED
    assert "ran" not in session.turns[1].observation
    assert "xxxx" not in session.turns[0].observation


@pytest.mark.slow
def test_a_control_token_in_a_file_cannot_close_the_turn(company: Company) -> None:
    session = company.session("prints a control token")
    assert "<|im_end|>" not in session.turns[0].observation
    assert "</s>" not in session.turns[0].observation


def _write_suite(folder: Path) -> None:
    """The errand once for each behaviour, each told apart by the number of the desk in its motd."""
    folder.mkdir(parents=True)
    errand = (SUITE / "errand" / "errand-note.toml").read_text()
    for behaviour in BEHAVIOURS:
        own = errand.replace('id = "errand-note"', f'id = "{_scenario(behaviour)}"')
        own = own.replace('motd = "', f'motd = "{_desk(behaviour)}\\n')
        (folder / f"{_scenario(behaviour)}.toml").write_text(own)


def _scenario(behaviour: str) -> str:
    return f"errand-{list(BEHAVIOURS).index(behaviour):02}"


def _desk(behaviour: str) -> str:
    return f"Desk {list(BEHAVIOURS).index(behaviour):02}"


def _transcript(session: StoredSession) -> str:
    opening = "".join(message.content for message in session.opening)
    return opening + "".join(turn.observation for turn in session.turns)
