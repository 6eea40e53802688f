"""What the settings promise: flags win, every value knows its source, mistakes are named."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from harness.cli.prepare import run_directory
from harness.cli.settings import RunSettings, Value, effective
from harness.errors import BadInputError


def _config(folder: Path, text: str) -> Path:
    path = folder / "evalh.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_flags_win_over_the_file_and_the_file_over_the_defaults(tmp_path: Path) -> None:
    path = _config(tmp_path, '[run]\nadapter = "ckpt"\nseed = 3\nmax_turns = 5\n')
    merged = effective({"seed": 9, "n": None}, path)
    assert (merged.settings.seed, merged.settings.max_turns, merged.settings.concurrency) == (9, 5, 8)
    assert (merged.sources["seed"], merged.sources["max_turns"], merged.sources["n"]) == ("flag", str(path), "default")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[run]\nadaptor = 'x'\n", r"evalh\.toml:2: run\.adaptor: unknown key"),
        ("[run]\n\nseed = 'many'\n", r"evalh\.toml:3: run\.seed: .*not 'many'"),
        ("[run]\nmax_turns = 0\n", r"evalh\.toml:2: run\.max_turns: .*greater than or equal to 1"),
        ("seed = 3\n", r"evalh\.toml:1: seed: unknown table"),
        ("run = 3\n", r"evalh\.toml:1: run: must be a table"),
        ("[run\n", r"evalh\.toml: not TOML: .*line 1"),
    ],
)
def test_a_mistake_in_the_file_is_named_by_line_and_key(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(BadInputError, match=message):
        effective({"adapter": "ckpt"}, _config(tmp_path, text))


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        ({}, "no adapter"),
        ({"adapter": "a", "repeats": 2}, "greedy replies would be the same"),
        ({"endpoint": "http://x/v1"}, "--endpoint needs both names"),
        ({"adapter": "a", "base_model": "b"}, "name models at --endpoint"),
        ({"endpoint": "http://x/v1", "base_model": "m", "tuned_model": "m"}, "cannot be better than itself"),
        ({"adapter": "a", "n": "0"}, "--n: must be a whole number above 0, all, smoke or standard-16, not '0'"),
        ({"adapter": "a", "n": "-3"}, "--n: must be a whole number"),
        ({"adapter": "a", "chat_template_kwargs": "[1]"}, "--chat-template-kwargs: must be a JSON object, not"),
        ({"adapter": "a", "chat_template_kwargs": "{"}, "--chat-template-kwargs: must be a JSON object, not"),
        ({"adapter": "a", "serve": "vllm", "deterministic": True}, "--deterministic is the resident server's"),
        (
            {"endpoint": "http://x/v1", "base_model": "b", "tuned_model": "t", "serve": "vllm"},
            "--serve vllm starts a server",
        ),
        ({"adapter": "a", "temperature": 3.0}, "--temperature: .*less than or equal to 2"),
    ],
)
def test_settings_that_make_no_sense_are_refused_with_the_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, flags: dict[str, Value], message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(BadInputError, match=message):
        effective(flags)


def test_repeats_are_allowed_once_there_is_a_temperature(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert effective({"adapter": "a", "repeats": 3, "temperature": 0.7}).settings.repeats == 3


def test_every_setting_has_a_flag_and_a_description() -> None:
    from harness.cli.options import run_options

    @run_options
    def command() -> None: ...

    flags = {option.name: option.help for option in command.__click_params__}  # type: ignore[attr-defined] # click's
    assert set(flags) == set(RunSettings.model_fields)
    assert all(flags.values())


def test_the_config_command_prints_the_effective_values_and_their_sources(tmp_path: Path) -> None:
    _config(tmp_path, "[run]\nseed = 5\n")
    done = subprocess.run(
        [sys.executable, "-m", "evalh", "config", "--n", "16", "--json"],
        check=True,
        capture_output=True,
        text=True,
        cwd=tmp_path,
    )
    rows = json.loads(done.stdout)
    assert rows["seed"] == {"value": 5, "source": "evalh.toml"}
    assert rows["n"] == {"value": 16, "source": "flag"}
    assert rows["engine"] == {"value": "auto", "source": "default"}


@pytest.mark.parametrize("arguments", [["--help"], ["run", "--help"], ["replay", "--help"]])
def test_help_comes_without_loading_a_model_library(arguments: list[str]) -> None:
    program = (
        "import sys\nfrom harness.cli.main import cli\n"
        "try:\n    cli.main(sys.argv[1:], standalone_mode=False)\nexcept SystemExit:\n    pass\n"
        "print([m for m in ('torch', 'transformers', 'peft', 'docker', 'openai', 'pandas') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program, *arguments], check=True, capture_output=True, text=True)
    assert done.stdout.splitlines()[-1] == "[]"


@pytest.mark.parametrize(
    "arguments",
    [["bogus"], ["run", "--bogus"], ["run", "--repeats", "x"], ["replay", "nowhere"], ["config", "--config", "none"]],
)
def test_a_mistyped_command_is_one_line_and_exit_code_30(tmp_path: Path, arguments: list[str]) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "evalh", *arguments], check=False, capture_output=True, text=True, cwd=tmp_path
    )
    assert done.returncode == 30
    assert len(done.stderr.splitlines()) == 1
    assert done.stderr.startswith("evalh: ")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("setting", ["adapter", "base", "scenarios", "tokenizer", "out", "gate"])
@pytest.mark.parametrize(
    ("value", "why"),
    [("x" * 300, "File name too long"), ("~no-such-user/x", "there is no such user"), ("", "must not be empty")],
)
def test_a_path_that_can_be_none_is_refused_by_its_flag(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, setting: str, value: str, why: str
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(BadInputError, match=f"--{setting}: {why}"):
        effective({"adapter": "a", setting: value})


def test_a_settings_file_with_an_impossible_name_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(BadInputError, match="no such file"):
        effective({"adapter": "a"}, tmp_path / ("x" * 300))


def test_a_run_into_the_working_directory_bears_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    settings = RunSettings.model_validate({"adapter": "a", "out": "."})
    assert run_directory(settings) == tmp_path / "here"
    assert run_directory(settings.model_copy(update={"out": "run"})) == Path("run")


def test_the_fixed_subsets_are_those_of_the_suite(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from scenarios.suites import SUBSETS

    monkeypatch.chdir(tmp_path)
    for name in SUBSETS:
        assert effective({"adapter": "a", "n": name}).settings.n == name
    with pytest.raises(BadInputError, match="smoke or standard-16"):
        effective({"adapter": "a", "n": "standard"})
