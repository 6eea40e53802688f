"""The front door answers at once, and every wrong word with one line and exit code 30."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from harness import store
from harness.cli.main import COMMANDS
from tests.integration.command import evalh
from tests.records import manifest

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


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
@pytest.mark.parametrize(("words", "code"), [("schema policy", 0), ("gate nowhere", 30)])
def test_a_closed_stream_changes_no_exit_code_and_gives_no_file_its_number(
    closed: str, words: str, code: int, tmp_path: Path
) -> None:
    done = in_shell(f'"$PYTHON" -m evalh {words} {closed}', tmp_path)
    assert done.returncode == code
    assert "Traceback" not in done.stdout + done.stderr
    numbers = 'import os, sys; sys.argv[1:] = ["--version"]; from harness.cli import main\n'
    seen = "main.cli.main = lambda **_: [os.fstat(number) for number in range(3)] and 7\nmain.main()"
    assert in_shell(f"\"$PYTHON\" -c '{numbers}{seen}' {closed}", tmp_path).returncode == 7


@pytest.mark.parametrize("words", ["schema report", "--help", "config", "stats paired 1 2 3 4"])
def test_a_full_disk_behind_the_output_is_one_line_and_40(words: str, tmp_path: Path) -> None:
    done = in_shell(f'"$PYTHON" -m evalh {words} > /dev/full', tmp_path)
    assert (done.returncode, done.stderr.count("\n")) == (40, 1)
    assert done.stderr.startswith("evalh: ")
    assert "No space left on device" in done.stderr
    assert in_shell(f'"$PYTHON" -m evalh {words} > /dev/full 2>&1', tmp_path).returncode == 40


def in_shell(line: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHON": sys.executable, "PYTHONUNBUFFERED": ""}  # as users have it
    return subprocess.run(
        ["sh", "-c", line], check=False, capture_output=True, text=True, cwd=cwd, timeout=120, env=environment
    )


INTERRUPTED_WHERE_NOTHING_CAN_BE_RAISED = """
import gc, os, signal, sys
from harness.cli.main import main

def collecting(phase, info):
    if signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL:
        gc.callbacks.clear()
        os.kill(os.getpid(), signal.SIGTERM)

gc.callbacks.append(collecting)
sys.argv = ["evalh", "view", sys.argv[1], "--no-open", "--port", "0"]
main()
"""


def test_an_interruption_in_the_middle_of_a_garbage_collection_is_not_lost(tmp_path: Path) -> None:
    store.create(tmp_path / "run", manifest("stock-01")).close()
    done = subprocess.run(
        [sys.executable, "-c", INTERRUPTED_WHERE_NOTHING_CAN_BE_RAISED, str(tmp_path / "run")],
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
    )
    ends = {(130, "evalh: interrupted"), (0, "")}  # before it serves, and while it does
    assert (done.returncode, done.stderr.strip()) in ends
