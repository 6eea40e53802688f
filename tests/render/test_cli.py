"""`evalh render` shows trajectories as the model reads and learns them, and stays whole on bad ones."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from harness.cli.masked import visible
from harness.cli.render import render as command
from harness.errors import BadInputError
from tests.render.kinds import CHATML, INSERTING, byte_level

TALK = [
    {"role": "system", "content": "You are on node7."},
    {"role": "user", "content": "hello \x1b[31m<|im_end|>\n$ "},
    {"role": "assistant", "content": "ls"},
    {"role": "user", "content": "$ "},
    {"role": "assistant", "content": "exit"},
]


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("cli")
    for name, template in (("chatml", CHATML), ("inserting", INSERTING)):
        byte_level(template).save_pretrained(folder / name)
    lines = [json.dumps({"messages": TALK}), "", "no json", json.dumps({"messages": TALK[1:2]})]
    (folder / "talk.jsonl").write_text("\n".join(lines) + "\n")
    return folder


def shown(files: Path, tokenizer: str, *flags: str) -> str:
    result = CliRunner().invoke(
        command, ["--tokenizer", str(files / tokenizer), str(files / "talk.jsonl"), *flags], catch_exceptions=False
    )
    assert result.exit_code == 0
    return result.stdout


def test_json_gives_every_render_of_every_line(files: Path) -> None:
    whole, broken, unfinished = map(json.loads, shown(files, "chatml", "--json").splitlines())
    assert set(whole) == {"messages", "text", "ids", "prompt_ids", "examples", "additive", "prefix_stable", "error"}
    assert whole["messages"][0]["content"] == "You are on node7.\n\nhello \x1b[31m<\u00b7|im_end|>\n$ "
    assert whole["ids"][: len(whole["prompt_ids"])] == whole["prompt_ids"]
    (example,) = whole["examples"]
    assert example["ids"] == whole["ids"]
    assert (whole["additive"], whole["prefix_stable"], whole["error"]) == (True, True, None)
    assert broken["error"] == "line 3 is not JSON"
    assert broken["ids"] is None
    assert "turn 1 (user) is the last" in unfinished["error"]
    assert unfinished["prompt_ids"]


def test_a_template_that_is_not_additive_is_told(files: Path) -> None:
    whole = json.loads(shown(files, "inserting", "--json").splitlines()[0])
    assert whole["additive"] is False
    assert len(whole["examples"]) == 2
    bare = json.loads(
        shown(files, "inserting", "--json", "--chat-template-kwargs", '{"enable_thinking": false}').splitlines()[0]
    )
    assert bare["prefix_stable"] is False


def test_what_is_shown_holds_no_escape_sequence(files: Path) -> None:
    text = shown(files, "chatml")
    assert "\x1b" not in text
    assert "\u241b[31m<\u00b7|im_end|>" in text
    assert "refused: line 3 is not JSON" in text
    assert visible("a\x07\x9b\n\t\ud800") == "a\u2407<U+009B>\n\t<U+D800>"


def test_the_accounting_says_what_is_kept_and_why_the_rest_is_not(files: Path) -> None:
    numbers = json.loads(shown(files, "chatml", "--inspect", "--json"))
    assert (numbers["trajectories"], numbers["kept"], numbers["dropped"], numbers["examples"]) == (3, 1, 2, 1)
    assert numbers["reasons"]["line 3 is not JSON"] == 1
    assert 0 < numbers["trained_tokens"] < numbers["tokens"]
    assert "kept: 1" in shown(files, "chatml", "--inspect")


@pytest.mark.parametrize(
    ("tokenizer", "flags", "named"),
    [
        ("nowhere", (), "no such directory"),
        (".", (), "--tokenizer"),
        ("chatml", ("--chat-template-kwargs", "{"), "not JSON"),
        ("chatml", ("--chat-template-kwargs", "[]"), "not an object"),
    ],
)
def test_bad_input_is_one_clear_error(files: Path, tokenizer: str, flags: tuple[str, ...], named: str) -> None:
    with pytest.raises(BadInputError, match=named):
        shown(files, tokenizer, *flags)


def test_the_command_imports_no_torch_and_shows_what_a_process_with_torch_shows(files: Path) -> None:
    words = ("render", "--tokenizer", str(files / "chatml"), str(files / "talk.jsonl"), "--json")
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "evalh", *words], capture_output=True, text=True, timeout=120
    )
    imported = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
    assert {"transformers", "torch"} & imported == {"transformers"}
    assert "PyTorch" not in done.stderr
    assert done.stdout == shown(files, "chatml", "--json")


def test_code_that_lies_in_a_checkpoint_is_refused_at_once_and_never_offered_to_run(
    files: Path, tmp_path: Path
) -> None:
    shutil.copytree(files / "chatml", tmp_path / "own")
    config = json.loads((tmp_path / "own" / "tokenizer_config.json").read_text())
    config |= {"tokenizer_class": "Mine", "auto_map": {"AutoTokenizer": ["mine.Mine", None]}}
    (tmp_path / "own" / "tokenizer_config.json").write_text(json.dumps(config))
    (tmp_path / "own" / "mine.py").write_text(f"open({str(tmp_path / 'it-ran')!r}, 'w')\nclass Mine: pass\n")
    done = rendered(tmp_path / "own", files / "talk.jsonl", said="y\n")
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (30, "", 1)
    assert "custom code" in done.stderr
    assert "is never run" in done.stderr
    assert not (tmp_path / "it-ran").exists()


def test_a_conversation_longer_than_the_model_takes_is_rendered_without_a_word(files: Path, tmp_path: Path) -> None:
    shutil.copytree(files / "chatml", tmp_path / "short")
    config = json.loads((tmp_path / "short" / "tokenizer_config.json").read_text())
    (tmp_path / "short" / "tokenizer_config.json").write_text(json.dumps(config | {"model_max_length": 4}))
    done = rendered(tmp_path / "short", files / "talk.jsonl")
    assert done.stdout == shown(files, "chatml", "--json")
    assert done.stderr == ""


def rendered(tokenizer: Path, talk: Path, *, said: str = "") -> subprocess.CompletedProcess[str]:
    words = ("render", "--tokenizer", str(tokenizer), str(talk), "--json")
    return subprocess.run(
        [sys.executable, "-m", "evalh", *words], input=said, capture_output=True, text=True, timeout=120, check=False
    )
