"""What commands that take minutes say while they work: a bar on a terminal, plain lines elsewhere, all on stderr."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

_EVERY = 10  # steps or sessions between two plain lines

Update = Callable[[int, int, str], None]
"""Called with how many are done, of how many, and a remark."""


def sayer(console: Console) -> Callable[[str], None]:
    """Prints a line as it is."""
    return lambda text: console.print(text, markup=False, highlight=False, soft_wrap=True)


def spelled(words: Sequence[str]) -> str:
    """A command as one would type it."""
    return f"$ {shlex.join(words)}"


@contextmanager
def counting(console: Console, unit: str) -> Iterator[Update]:
    """Shows how far something has come, in `unit`s."""
    if not console.is_terminal:
        say = sayer(console)

        def line(done: int, total: int, remark: str) -> None:
            if done in {1, total} or done % _EVERY == 0:
                say(f"{done}/{total} {unit}" + (f": {remark}" if remark else ""))

        yield line
        return
    columns = (
        TextColumn(unit),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[remark]}"),
    )
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task(unit, total=None, remark="", visible=False)
        yield lambda done, total, remark: bar.update(task, completed=done, total=total, remark=remark, visible=True)
