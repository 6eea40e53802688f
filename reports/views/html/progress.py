"""How far a run has come, as its records and its audit log tell it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from harness.store import AUDIT, RunManifest
from harness.values import Arm
from reports.plain import plain
from reports.schema import Report

TAIL_BYTES = 256 << 10  # of the audit log that are looked at; a started trial's line is never far from its end
SILENCE = 60.0  # seconds without a line (a heartbeat comes every ten) after which a run no longer counts as running
ENDS = {"run_finished": "finished", "run_interrupted": "interrupted", "decided": "decided early"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """Trials planned and finished, the names of those that run now, and the run's state in words."""

    planned: int
    finished: int
    running: tuple[str, ...]
    state: str  # "running", "finished", "interrupted", "decided early", "not started" or "no sign of life"


def progress_of(run_dir: Path, manifest: RunManifest, report: Report, *, at: datetime | None = None) -> Progress:
    """The progress of a run directory whose records came to `report`; `at` is the present moment."""
    running: dict[str, None] = {}
    state, last, decided = "not started", None, False
    for event, trial, when in _events(run_dir / AUDIT):
        last = when or last
        if event == "run_started":
            running.clear()
        decided = event != "run_started" and (decided or event == "decided")
        state = ENDS.get("decided" if decided and event == "run_finished" else event, "running")
        if event == "trial_started":
            running[trial] = None
        elif event == "trial_finished":
            running.pop(trial, None)
    if state == "running" and last is not None and ((at or datetime.now(UTC)) - last).total_seconds() > SILENCE:
        state = "no sign of life"
    return Progress(
        planned=len(Arm) * manifest.repeats * len(manifest.scenarios),
        finished=sum((pair.base is not None) + (pair.tuned is not None) for pair in report.pairs),
        running=tuple(running) if state == "running" else (),
        state=state,
    )


def _events(path: Path) -> list[tuple[str, str, datetime | None]]:
    """Event, trial and time of the log's last lines; damaged lines are no events."""
    try:
        with path.open("rb") as stream:
            size = stream.seek(0, 2)
            stream.seek(max(size - TAIL_BYTES, 0))
            lines = stream.read().split(b"\n")
    except OSError:
        return []
    found = []
    for line in lines:
        try:
            value = json.loads(line)
            found.append((str(value["event"]), plain(str(value.get("trial", ""))), _moment(value.get("at"))))
        except (ValueError, KeyError, TypeError, AttributeError):
            continue
    return found


def _moment(text: object) -> datetime | None:
    try:
        moment = datetime.fromisoformat(str(text))
    except ValueError:
        return None
    return moment if moment.tzinfo else None
