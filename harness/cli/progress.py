"""Live progress of a campaign: a display on a terminal, plain lines everywhere else."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from harness.values import Arm, Outcome, TrialRecord


class Listener(Protocol):
    """Hears of each finished trial."""

    def __call__(self, record: TrialRecord) -> None:
        """One more record is on disk."""
        ...


@contextmanager
def live(console: Console, sizes: dict[Arm, int], done: tuple[TrialRecord, ...] = ()) -> Iterator[Listener]:
    """A listener that shows how far each arm has come, counting the trials done before."""
    tallies: dict[Arm, Counter[Outcome]] = {arm: Counter() for arm in Arm}
    for record in done:
        tallies[record.arm][record.outcome] += 1
    if not console.is_terminal:
        yield _plain(console, sizes, tallies)
        return
    columns = (
        TextColumn("{task.description:6}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[tally]}"),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=console, transient=True) as progress:
        tasks = {
            arm: progress.add_task(
                arm.value, total=sizes[arm], completed=tallies[arm].total(), tally=_tally(tallies[arm])
            )
            for arm in Arm
        }

        def heard(record: TrialRecord) -> None:
            tallies[record.arm][record.outcome] += 1
            progress.update(tasks[record.arm], completed=tallies[record.arm].total(), tally=_tally(tallies[record.arm]))

        yield heard


def _plain(console: Console, sizes: dict[Arm, int], tallies: dict[Arm, Counter[Outcome]]) -> Listener:
    def heard(record: TrialRecord) -> None:
        tallies[record.arm][record.outcome] += 1
        count = sum(tally.total() for tally in tallies.values())
        end = record.terminal.value if record.terminal else "-"
        console.print(
            f"[{count}/{sum(sizes.values())}] {record.key} {record.outcome} {end} "
            f"{record.turns} turns {record.seconds:.1f} s",
            markup=False,
            highlight=False,
            soft_wrap=True,
        )

    return heard


def _tally(tally: Counter[Outcome]) -> str:
    return f"{tally[Outcome.PASS]} pass  {tally[Outcome.FAIL]} fail  {tally[Outcome.INVALID]} invalid"
