"""The README and docs/ say only what is so: every command in them exists with its flags, every example works."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import click
import pytest

import render
from harness.cli.main import COMMANDS, cli
from harness.cli.settings import effective

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
COMMAND = re.compile(r"^(?:    |\$ )?evalh (?P<arguments>[a-z].*?)(?:\s+#.*|\s{2,}.*)?$", re.MULTILINE)
PYTHON = re.compile(r"^```python\n(?P<code>.*?)^```$", re.MULTILINE | re.DOTALL)


def _commands() -> list[tuple[str, str]]:
    found = []
    for page in PAGES:
        code = re.findall(
            r"^```(?:console|sh|bash)\n.*?^```$|(?:^    .*\n?)+", page.read_text(), re.MULTILINE | re.DOTALL
        )
        found += [(page.name, match["arguments"]) for block in code for match in COMMAND.finditer(block)]
    return found


@pytest.mark.parametrize(("page", "arguments"), _commands())
def test_every_command_in_the_docs_exists_with_its_flags(page: str, arguments: str) -> None:
    words = shlex.split(re.sub(r"[\[\]…]", " ", arguments))
    with click.Context(cli) as context:
        command: click.Command = cli
        while isinstance(command, click.Group) and words:
            _, found, words = command.resolve_command(context, words)
            assert found is not None
            command = found
    known = {flag for parameter in command.params for flag in (*parameter.opts, *parameter.secondary_opts)}
    assert {word.partition("=")[0] for word in words if word.startswith("-")} <= known | {"--help"}


def test_the_docs_show_commands_at_all() -> None:
    assert len(_commands()) >= 5


def test_every_page_that_the_readme_names_is_there() -> None:
    named = set(re.findall(r"docs/[a-z-]+\.md", (ROOT / "README.md").read_text()))
    assert named == {f"docs/{page.name}" for page in (ROOT / "docs").glob("*.md")}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_python_example_is_python(page: Path) -> None:
    for match in PYTHON.finditer(page.read_text()):
        compile(match["code"], page.name, "exec")


def test_the_settings_example_is_a_valid_configuration(tmp_path: Path) -> None:
    text = (ROOT / "docs" / "cli.md").read_text()
    example = re.search(r"^```toml\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    assert example is not None
    (tmp_path / "evalh.toml").write_text(example[1])
    settings = effective({}, tmp_path / "evalh.toml").settings
    assert (settings.n, settings.repeats, settings.gate) == (16, 3, "promote")


@pytest.mark.parametrize("name", COMMANDS)
def test_the_table_of_commands_names_every_command_and_every_word_after_it(name: str) -> None:
    (row,) = re.findall(rf"^\| `evalh {name}\b(.*?)` \|", (ROOT / "docs" / "cli.md").read_text(), re.MULTILINE)
    with click.Context(cli) as context:
        command = cli.get_command(context, name)
    assert command is not None
    words = [*command.commands] if isinstance(command, click.Group) else []
    for parameter in command.params:
        if isinstance(parameter, click.Argument) and isinstance(parameter.type, click.Choice):
            words += parameter.type.choices
    assert set(re.findall(r"[a-z]+", row)) == set(words)


def test_the_settings_table_names_every_setting() -> None:
    from harness.cli.settings import RunSettings

    text = (ROOT / "docs" / "cli.md").read_text()
    assert [name for name in RunSettings.model_fields if f"`{name}`" not in text] == []


def test_the_trainer_example_uses_what_render_offers() -> None:
    code = PYTHON.search((ROOT / "README.md").read_text())
    assert code is not None
    imported = re.search(r"from render import (.*)", code["code"])
    assert imported is not None
    assert all(hasattr(render, name.strip()) for name in imported[1].split(","))


def test_the_trial_terminals_in_the_session_contract_are_those_of_the_code() -> None:
    from harness.values import LineEnd, Terminal

    text = (ROOT / "docs" / "session.md").read_text()
    assert [terminal for terminal in Terminal if f"| `{terminal}` |" not in text] == []
    assert [end for end in LineEnd if f"`{end}`" not in text] == []
