"""Live progress of a campaign: a display on a terminal, plain lines everywhere else."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from harness.values import Arm, Outcome, TrialKey, TrialRecord


class Listener(Protocol):
    """Hears of each finished trial."""

    def __call__(self, record: TrialRecord) -> None:
        """One more record is on disk."""
        ...


@contextmanager
def live(console: Console, sizes: dict[Arm, int], done: tuple[TrialRecord, ...] = ()) -> Iterator[Listener]:
    """A listener that shows how far each arm has come, counting the trials done before, and none twice."""
    latest = {record.key: record for record in done}
    if not console.is_terminal:
        yield _plain(console, sizes, latest)
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
                arm.value, total=sizes[arm], completed=_tally(latest, arm).total(), tally=_said(_tally(latest, arm))
            )
            for arm in Arm
        }

        def heard(record: TrialRecord) -> None:
            latest[record.key] = record
            tally = _tally(latest, record.arm)
            progress.update(tasks[record.arm], completed=tally.total(), tally=_said(tally))

        yield heard


def _plain(console: Console, sizes: dict[Arm, int], latest: dict[TrialKey, TrialRecord]) -> Listener:
    def heard(record: TrialRecord) -> None:
        latest[record.key] = record
        end = record.terminal.value if record.terminal else "-"
        console.print(
            f"[{len(latest)}/{sum(sizes.values())}] {record.key} {record.outcome} {end} "
            f"{record.turns} turns {record.seconds:.1f} s",
            markup=False,
            highlight=False,
            soft_wrap=True,
        )

    return heard


def _tally(latest: dict[TrialKey, TrialRecord], arm: Arm) -> Counter[Outcome]:
    return Counter(record.outcome for record in latest.values() if record.arm is arm)


def _said(tally: Counter[Outcome]) -> str:
    return f"{tally[Outcome.PASS]} pass  {tally[Outcome.FAIL]} fail  {tally[Outcome.INVALID]} invalid"
