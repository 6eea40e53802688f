"""docs/scenarios.md leads from nothing to a certified scenario by its own commands."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pexpect
import pytest

from harness.certify.attacks import ATTACKS
from harness.certify.certificates import Certificate
from tests.integration.command import evalh

DOCS = Path(__file__).parents[2] / "docs"
TUTORIAL = (DOCS / "scenarios.md").read_text().partition("## The format")[0]
TRY = "scenario try "


def commands(language: str) -> list[str]:
    blocks = re.findall(rf"```{language}\n(.*?)```", TUTORIAL, re.DOTALL)
    return [line.removeprefix("$ ") for block in blocks for line in block.splitlines() if line.startswith("$ ")]


def by_hand(arguments: str, engine: str, folder: Path) -> str:
    """The command that needs a terminal, with what the page shows typed into it."""
    words = ["-m", "evalh", *shlex.split(arguments), "--engine", engine]
    child = pexpect.spawn(sys.executable, words, encoding="utf-8", timeout=60, cwd=str(folder))
    for line in commands("text"):
        child.expect_exact("\n$ ")
        child.send(f"{line}\r")
    child.expect(pexpect.EOF)
    child.close()
    assert child.exitstatus == 0, child.before
    return str(child.before)


@pytest.mark.slow
def test_the_pages_commands_lead_to_a_certified_scenario(any_engine: str, tmp_path: Path) -> None:
    said: dict[str, str] = {}
    for command in commands("console"):
        program, _, arguments = command.partition(" ")
        if program != "evalh":
            subprocess.run(["/bin/sh", "-c", command], cwd=tmp_path, check=True)
        elif arguments.startswith(TRY):
            refused = evalh("scenario", "check", "my-scenarios", "--engine", any_engine, cwd=tmp_path)
            assert refused.returncode == 20
            assert "the reference replies do not pass" in refused.stderr
            said[command] = by_hand(arguments, any_engine, tmp_path)
        else:
            engine = ("--engine", any_engine) if " check " in command else ()
            done = evalh(*shlex.split(arguments), *engine, cwd=tmp_path)
            assert done.returncode == 0, done.stderr
            said[command] = done.stdout
    assert "as a model's replies: PASS" in next(text for command, text in said.items() if TRY in command)
    assert said["evalh scenario lint my-scenarios"] == "bundles: 1, scenarios: 1, doubts: 0\n"
    assert said["evalh scenario check my-scenarios"].startswith("1 of 1 certified\n")
    assert (tmp_path / "my-scenarios" / "certificates.json").is_file()


def test_the_certification_page_names_every_attack_and_every_field() -> None:
    page = (DOCS / "certification.md").read_text()
    assert [attack.name for attack in ATTACKS if f"`{attack.name}`" not in page] == []
    assert [name for name in Certificate.model_fields if name != "id" and f"`{name}`" not in page] == []
