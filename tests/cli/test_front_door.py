"""The front door answers at once, and every wrong word with one line and exit code 30."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from harness.cli.main import COMMANDS
from tests.integration.command import evalh

HEAVY = "torch", "transformers", "peft", "docker", "openai"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("rnu",), "No such command 'rnu'. Did you mean 'run'?"),
        (("nothing-like-it",), "No such command 'nothing-like-it'."),
        (("scenario", "chek"), "No such command 'chek'. Did you mean 'check'?"),
        (("run", "--adaptr", "x"), "No such option '--adaptr'. Did you mean '--adapter'?"),
        (("schema",), "Choose from: report, compare, scenario, policy"),
        (("completion", "tcsh"), "'tcsh' is not one of 'bash', 'zsh', 'fish'"),
        (("scenario", "lint", "nowhere"), "there is no nowhere (give a folder of bundles, or a bundle's file)"),
    ],
)
def test_a_wrong_word_is_one_line_and_30(arguments: tuple[str, ...], said: str, tmp_path: Path) -> None:
    done = evalh(*arguments, cwd=tmp_path)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (30, "", 1)
    assert done.stderr.startswith("evalh: ")
    assert said in done.stderr


@pytest.mark.parametrize(
    ("arguments", "command"),
    [
        (("run", "--n"), "evalh run"),
        (("run", "--json=yes"), "evalh run"),
        (("scenario", "check", "--jobs"), "evalh scenario check"),
        (("stats", "paired", "1", "2", "3", "4", "--level"), "evalh stats paired"),
        (("--version=2",), "evalh"),
    ],
)
def test_an_option_without_its_value_names_the_help_of_its_own_command(
    arguments: tuple[str, ...], command: str, tmp_path: Path
) -> None:
    done = evalh(*arguments, cwd=tmp_path)
    assert (done.returncode, done.stderr.count("\n")) == (30, 1)
    assert done.stderr.endswith(f"(see `{command} --help`)\n")


@pytest.mark.parametrize("group", [(), ("scenario",), ("sandbox",), ("stats",), ("demo",)])
def test_a_group_alone_shows_its_help_as_it_is(group: tuple[str, ...], tmp_path: Path) -> None:
    alone, asked = evalh(*group, cwd=tmp_path), evalh(*group, "--help", cwd=tmp_path)
    assert (alone.returncode, asked.returncode) == (30, 0)
    assert alone.stderr.splitlines()[1:] == asked.stdout.splitlines()[1:]


def test_no_help_loads_what_only_work_needs() -> None:
    program = (
        "import sys\n"
        "from harness.cli.main import COMMANDS, cli\n"
        "for words in [['--help'], *([name, '--help'] for name in COMMANDS)]:\n"
        "    cli.main(words, standalone_mode=False)\n"
        f"sys.exit(' '.join(name for name in {HEAVY} if name in sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", program], check=False, capture_output=True, text=True)
    assert done.stderr.strip() == ""
    assert done.stdout.count("Usage: ") == 1 + len(COMMANDS)


@pytest.mark.parametrize("hostile", ["x\n::error::owned", "x ##[error]owned", "x\n  ::set-output name=a::b"])
def test_an_error_gives_no_orders_to_whoever_reads_the_log(hostile: str, tmp_path: Path) -> None:
    done = evalh("gate", hostile, cwd=tmp_path)
    assert done.returncode == 30
    assert not re.search(r"^\s*::|##\[", done.stderr, re.MULTILINE)
    assert "owned" in done.stderr or "set-output" in done.stderr
