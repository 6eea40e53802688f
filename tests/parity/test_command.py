"""`evalh parity` from outside: its table, its JSON and its exit codes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from harness.cli.parity import parity
from harness.errors import BadInputError, EndpointError
from harness.parity.conversations import hard_conversations
from tests.parity.faults import PLANTED
from tests.parity.proxies import Manners, before
from tests.parity.served import Served
from tests.render.kinds import CHATML, INSERTING


@pytest.fixture(scope="module")
def directory(served: Served, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with the tokenizer alone."""
    path = tmp_path_factory.mktemp("tokenizer") / "words"
    served.tokenizer.save_pretrained(path)
    return path


def evalh_parity(*arguments: object) -> Result:
    return CliRunner().invoke(parity, [str(argument) for argument in arguments])


def asked(served: Served, directory: Path, *arguments: object) -> tuple[int, Any]:
    done = evalh_parity("--tokenizer", directory, "--endpoint", served.url, "--json", *arguments)
    return done.exit_code, json.loads(done.stdout)


def test_a_healthy_server_is_green_and_the_json_says_everything(served: Served, directory: Path) -> None:
    code, said = asked(served, directory)
    assert code == 0
    assert (said["agrees"], said["level"], said["models"], said["cause"]) == (True, "reply_ids", ["base"], None)
    assert said["unproven"] == []
    assert said["stop_tokens"]["base"]["honoured"] is True
    assert said["raw_system"] == {"base": "apart"}
    assert {row["agrees"] for row in said["rows"]} == {True}
    assert {row["name"] for row in said["rows"]} == {one.name for one in hard_conversations()}
    first = {"name", "model", "level", "tokens", "agrees", "cause", "causes", "difference", "note"}
    assert set(said["rows"][0]) == first


def test_a_divergence_is_20_and_the_table_shows_it(served: Served, directory: Path) -> None:
    with served.wearing(CHATML, PLANTED["folds with one newline"].fault):
        code, said = asked(served, directory)
        shown = evalh_parity("--tokenizer", directory, "--endpoint", served.url)
    assert code == 20
    assert (said["agrees"], said["cause"]) == (False, "fold_one_newline")
    assert shown.exit_code == 20
    assert "base against the template of words, sha256:" in shown.stdout
    assert "leading system" in shown.stdout
    assert "fold_one_newline" in shown.stdout
    assert "stop token <|im_end|>" in shown.stdout
    assert "the server keeps a system turn apart" in shown.stdout
    assert "likeliest cause: fold_one_newline" in shown.stdout


def test_a_count_alone_is_no_failure_but_says_what_is_unproven(served: Served, directory: Path) -> None:
    with before(served.url, Manners()) as url:
        done = evalh_parity("--tokenizer", directory, "--endpoint", url)
    assert done.exit_code == 0
    assert "unproven: no token ids come with replies: only the number" in done.stdout


def test_the_prompts_of_trajectories_are_compared_too(served: Served, directory: Path, tmp_path: Path) -> None:
    turns = [{"role": "user", "content": "a\n$ "}, {"role": "assistant", "content": "ls"}]
    line = json.dumps(
        {"messages": [*turns, {"role": "user", "content": "b\n$ "}, {"role": "assistant", "content": "exit"}]}
    )
    file = tmp_path / "trajectories.jsonl"
    file.write_text(f"{line}\n\n{line}\n")
    code, said = asked(served, directory, "--trajectories", file)
    assert code == 0
    assert [row["name"] for row in said["rows"]][-2:] == ["line 1, turn 2", "line 1, turn 4"]
    file.write_text('{"messages": []}\n{"messages": 3}\n')
    done = evalh_parity("--tokenizer", directory, "--endpoint", served.url, "--trajectories", file)
    assert isinstance(done.exception, BadInputError)
    assert f"{file}:2: not a trajectory" in str(done.exception)


def test_raw_leaves_the_fold_to_the_server(served: Served, directory: Path) -> None:
    code, said = asked(served, directory, "--raw")
    assert code == 20
    causes = {row["cause"] for row in said["rows"] if row["agrees"] is False}
    assert causes == {"system_apart", "turns_not_merged"}
    assert said["raw_system"] == {"base": None}


def test_template_variables_reach_both_sides(served: Served, directory: Path, tmp_path: Path) -> None:
    mine = tmp_path / "words"
    served.contract(INSERTING)
    tokenizer = served.tokenizer
    before_template, tokenizer.chat_template = tokenizer.chat_template, INSERTING
    tokenizer.save_pretrained(mine)
    tokenizer.chat_template = before_template
    with served.wearing(INSERTING):
        assert asked(served, mine, "--chat-template-kwargs", '{"enable_thinking": false}')[0] == 0
    with served.wearing(INSERTING, PLANTED["ignores the template's variables"].fault):
        code, said = asked(served, mine, "--chat-template-kwargs", '{"enable_thinking": false}')
    assert (code, said["cause"]) == (20, "template_options")


def test_bad_input_is_one_clear_line(served: Served, directory: Path, tmp_path: Path) -> None:
    for arguments, words in (
        (("--tokenizer", tmp_path / "none", "--endpoint", served.url), "no such directory"),
        (("--tokenizer", tmp_path, "--endpoint", served.url), "--tokenizer"),
        (("--tokenizer", directory, "--endpoint", served.url, "--model", "other"), "does not serve other"),
        (("--tokenizer", directory, "--endpoint", served.url, "--chat-template-kwargs", "{"), "not JSON"),
        (("--tokenizer", directory, "--endpoint", served.url, "--chat-template-kwargs", "[]"), "not an object"),
        (("--tokenizer", directory, "--endpoint", "ftp://x"), "not the URL"),
    ):
        done = evalh_parity(*arguments)
        assert isinstance(done.exception, BadInputError), arguments
        assert words in str(done.exception)
        assert done.exception.exit_code == 30


def test_a_server_that_is_not_there_is_40(directory: Path) -> None:
    done = evalh_parity("--tokenizer", directory, "--endpoint", "http://127.0.0.1:9")
    assert isinstance(done.exception, EndpointError)
    assert done.exception.exit_code == 40
