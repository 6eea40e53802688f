"""`evalh completion`: the script that teaches a shell to complete evalh's commands and flags."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

from harness.errors import BadInputError


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion(shell: str) -> None:
    """Print SHELL's completion script, to be sourced: `eval "$(evalh completion bash)"`."""
    from harness.cli.main import cli

    kind = get_completion_class(shell)
    if kind is None:
        raise BadInputError(f"no completion for {shell}", hint="use bash, zsh or fish")
    click.echo(kind(cli, {}, "evalh", "_EVALH_COMPLETE").source())
