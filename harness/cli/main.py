"""The command line's front door: finds the command, and turns every failure into one line and an exit code."""

from __future__ import annotations

import importlib
import os
import re
import signal
import sys
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from types import FrameType, MappingProxyType
from typing import NoReturn, TextIO, cast

import click

from harness.errors import BadInputError, EvalhError, InfrastructureError

LOG_COMMAND = re.compile(r"^\s*:(?=:)|#(?=#\w*\[)", re.MULTILINE)  # how a CI system begins a command in its log
INTERRUPTED_AGAIN_SECONDS = 0.01  # once the interpreter is out of what swallows an interruption

# Command -> (module, attribute, one line of help). Modules are imported when their command is asked for.
COMMANDS: Mapping[str, tuple[str, str, str]] = MappingProxyType(
    {
        "run": ("harness.cli.run", "run", "Evaluate base and tuned on the same scenarios, and compare them."),
        "resume": ("harness.cli.resume", "resume", "Finish an interrupted run."),
        "report": ("harness.cli.report", "report", "Show a run's paired report again."),
        "gate": ("harness.cli.gate", "gate", "Decide over a run's report by a policy; the exit code says it."),
        "compare": ("harness.cli.compare", "compare", "Compare two runs, as far as they are comparable."),
        "replay": ("harness.cli.replay", "replay", "Show one session as the model and the terminal saw it."),
        "view": ("harness.cli.view", "view", "Show a run in the browser, live while it goes on."),
        "serve": ("harness.cli.serve", "serve", "Serve a base and its adapters over chat completions."),
        "scenario": ("harness.cli.scenario", "scenario", "Write, prove and compare scenario bundles."),
        "sandbox": ("harness.cli.sandbox", "sandbox", "Build, examine and clean up the sandbox."),
        "record": ("harness.cli.record", "record", "Record training trajectories in real containers."),
        "train": ("harness.cli.train", "train", "Train a LoRA adapter on trajectories."),
        "demo": ("harness.cli.demo", "demo", "Make the demonstration model and its adapter."),
        "config": ("harness.cli.config", "config", "Show the effective settings and where each came from."),
        "render": ("harness.cli.render", "render", "Show trajectories as a model would read and learn them."),
        "fingerprint": ("harness.cli.fingerprint", "fingerprint", "Write down how an adapter and its base answer."),
        "parity": ("harness.cli.parity", "parity", "Compare what a server reads with what training rendered."),
        "stats": ("harness.cli.stats", "stats", "The report's statistics, to check any table with."),
        "plan": ("harness.cli.plan", "plan", "How many pairs a run needs to see an effect."),
        "calibrate": ("harness.cli.calibrate", "calibrate", "What each metric gives to players that cannot think."),
        "schema": ("harness.cli.schema", "schema", "Print the JSON Schema of a format: report, compare, ..."),
        "completion": ("harness.cli.completion", "completion", "Print the shell completion script."),
    }
)


MODEL_FREE = frozenset({"run", "resume", "parity", "render"})  # they load tokenizers; models run in other processes


class LazyGroup(click.Group):
    """A group that imports a command only when it is used: `--help` costs no torch."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Every command, in the order of the table."""
        del ctx
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The named command, imported now; None if there is no such command."""
        del ctx
        if cmd_name not in COMMANDS:
            return None
        module, attribute, _ = COMMANDS[cmd_name]
        command = getattr(importlib.import_module(module), attribute)
        if not isinstance(command, click.Command):
            msg = f"{module}.{attribute} is not a command"
            raise TypeError(msg)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """As click does it; of a word that is nearly a command, that command is named."""
        close = [] if args[0] in COMMANDS else get_close_matches(args[0], COMMANDS, n=1)
        if close and not ctx.resilient_parsing:
            raise click.UsageError(f"No such command {args[0]!r}. Did you mean {close[0]!r}?", ctx)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands from the table alone, so that none has to be imported."""
        del ctx
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, _, text) in COMMANDS.items()])


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="evalh")
@click.pass_context
def cli(ctx: click.Context) -> None:
    """Is the fine-tuned shell operator better than its base? Paired evidence from real containers."""
    if ctx.invoked_subcommand in MODEL_FREE:
        from harness.tokenizer import spare_torch

        spare_torch()


def main() -> NoReturn:
    """Run the command line; every expected failure is one line on stderr and its exit code."""
    _open_standard_streams()
    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGALRM):
        signal.signal(number, _as_interrupt)
    sys.unraisablehook = _unraisable
    try:
        code = cli.main(standalone_mode=False)
        sys.stdout.flush()
    except EvalhError as error:
        _say(error.message, error.hint)
        sys.exit(error.exit_code)
    except click.exceptions.Exit as request:
        sys.exit(request.exit_code)
    except click.exceptions.NoArgsIsHelpError as error:
        sys.stderr.write(f"{error.message}\n")
        sys.exit(BadInputError.exit_code)
    except click.ClickException as error:
        context = error.ctx.command_path if isinstance(error, click.UsageError) and error.ctx else _path(sys.argv[1:])
        _say(" ".join(error.format_message().split()), f"see `{context} --help`")
        sys.exit(BadInputError.exit_code)
    except (click.Abort, KeyboardInterrupt):
        _say("interrupted", "")
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(130)  # everything is unwound; a thread may still wait for a reply that nobody wants
    except BrokenPipeError:
        _give_up(sys.stdout)
        sys.exit(141)
    except OSError as error:  # a full disk, no file left to open: the machine's fault, wherever it was met
        if error.errno is None:  # not the machine's word
            raise
        _say(f"{error.filename or 'the system refused to read or write'}: {error.strerror}", "")
        _give_up(sys.stdout)
        sys.exit(InfrastructureError.exit_code)
    sys.exit(code if isinstance(code, int) else 0)


def _open_standard_streams() -> None:
    """A closed standard stream becomes the null device, before a record or a socket gets its number."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            null = os.open(os.devnull, os.O_RDWR)  # the lowest number that is free: this stream's
            os.set_inheritable(null, True)  # noqa: FBT003 - it takes no keywords
            setattr(sys, name, os.fdopen(null, mode, encoding="utf-8", closefd=False))


def _give_up(stream: TextIO) -> None:
    """What is still to be printed there goes nowhere, so that leaving does not fail over it again."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def _path(words: Sequence[str]) -> str:
    """The command that these words ask for; not every error of click's knows it."""
    path, command = ["evalh"], cast("click.Command | None", cli)
    for word in words:
        command = command.get_command(click.Context(command), word) if isinstance(command, click.Group) else None
        if command is None:
            break
        path.append(word)
    return " ".join(path)


def _as_interrupt(signum: int, frame: FrameType | None) -> NoReturn:
    del signum, frame
    raise KeyboardInterrupt


def _unraisable(failure: sys.UnraisableHookArgs) -> None:
    """An interruption that met a destructor or a callback, such as an import's, ended nothing: it comes again."""
    if isinstance(failure.exc_value, KeyboardInterrupt):
        signal.setitimer(signal.ITIMER_REAL, INTERRUPTED_AGAIN_SECONDS)
    else:
        sys.__unraisablehook__(failure)


def _say(message: str, hint: str) -> None:
    text = f"evalh: {message}" + (f" ({hint})" if hint else "")
    shown = "".join(c if c.isprintable() or c == "\n" else "\ufffd" for c in text)
    try:
        sys.stderr.write(LOG_COMMAND.sub("\ufffd", shown) + "\n")
        sys.stderr.flush()
    except OSError:  # where nobody can be told, the exit code still says it
        _give_up(sys.stderr)
