"""`evalh scenario try`: the author's own hands in the container that a model gets."""

from __future__ import annotations

import shutil
import sys
from contextlib import closing
from typing import TYPE_CHECKING

import click

from harness.cli.scenario_bundles import one_bundle
from harness.errors import BadInputError, BundleError

if TYPE_CHECKING:
    from harness.certify.attempt import Attempt
    from scenarios import LoadedScenario

_COLUMNS = 200  # of the session's terminal


@click.command("try")
@click.argument("name", metavar="ID|FILE")
@click.option(
    "--engine", type=click.Choice(["auto", "docker", "crun"]), default="auto", show_default=True, help="of containers"
)
@click.option("--save", is_flag=True, help="write what was typed into the bundle, as its reference replies")
def try_(*, name: str, engine: str, save: bool) -> None:
    """Work on a scenario yourself, at the terminal that a model gets; prints what you typed as reference replies.

    `exit` or `panic REASON` ends the session, ^] leaves it. What was typed is then typed again as a model's replies,
    and judged.
    """
    from harness.certify.attempt import attempt
    from harness.certify.experiment import experiment
    from harness.sandbox import choose
    from scenarios.authoring import replies_toml

    loaded = one_bundle(name)
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise BadInputError("`evalh scenario try` needs a terminal", hint="run it in one, without pipes")
    _greet(loaded)
    with closing(choose(engine)) as containers:
        made = attempt(loaded, containers, keyboard=sys.stdin.fileno(), screen=sys.stdout.fileno())
        click.echo("\n" + _ending(made), err=True)
        if not made.replies:
            return
        result = experiment(loaded, containers, made.replies) if made.end is not None else None
    click.echo("\n[reference]\n" + replies_toml(made.replies))
    if result is not None:
        click.echo(f"\nas a model's replies: {result.verdict.outcome.value}, {result.verdict.reason}", err=True)
    if save:
        _save(loaded, made, passed=result is not None and result.passed)


def _greet(loaded: LoadedScenario) -> None:
    narrow = shutil.get_terminal_size().columns < _COLUMNS
    wide = f"; it is {_COLUMNS} columns wide, whatever your window is" if narrow else ""
    ends = loaded.scenario.expected_terminal.value
    click.echo(f"{loaded.scenario.id}: the terminal that a model gets{wide}. It ends with {ends}; ^] leaves.", err=True)


def _ending(made: Attempt) -> str:
    if made.end is None:
        return "left before the session ended"
    return f"the session ended: {made.end.terminal.value}" + (f" ({made.end.reason})" if made.end.reason else "")


def _save(loaded: LoadedScenario, made: Attempt, *, passed: bool) -> None:
    """Exchange the bundle's replies, and take that back where the bundle then no longer loads."""
    import scenarios
    from scenarios.authoring import with_replies

    if not passed:
        raise BadInputError("what was typed does not pass, so it is not saved", hint="try again")
    before = loaded.path.read_text(encoding="utf-8")
    loaded.path.write_text(with_replies(before, made.replies), encoding="utf-8")
    try:
        scenarios.load_file(loaded.path)
    except BundleError:
        loaded.path.write_text(before, encoding="utf-8")
        raise
    click.echo(f"{loaded.path} has them now; prove it: evalh scenario check {loaded.path}", err=True)
