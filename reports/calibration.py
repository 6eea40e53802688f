"""Calibration rows: what every metric gives, on the same scenarios, to a player that cannot think."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Literal

from pydantic import ValidationError

from harness.errors import BadInputError
from harness.values import Outcome, TrialRecord
from reports.pairing import summary
from reports.plain import plain
from reports.schema import CalibrationRate, CalibrationRow
from reports.schema_numbers import Part
from reports.tally import METRICS
from reports.wording import plural

CALIBRATION = "calibration.json"
REFERENCE = "reference"
PLAYERS = ("always_exit", "always_panic", REFERENCE, "prose")  # in the order of a table


class CalibrationFile(Part):
    """calibration.json: the rows of one suite, and why a player could not be run."""

    schema_version: Literal[1] = 1
    suite: str  # digest of scenarios, image and contracts that the rows were measured on
    rows: tuple[CalibrationRow, ...]
    problems: tuple[str, ...] = ()


def calibration_row(player: str, records: Iterable[TrialRecord], note: str | None = None) -> CalibrationRow:
    """A player's rates over its valid trials."""
    kept = list(records)
    trials = [summary(record) for record in kept if record.outcome is not Outcome.INVALID]
    rates = {}
    for name, kind in METRICS.items():
        shown = [met for trial in trials if (met := kind.read(trial)) is not None]
        if shown:
            rates[name] = CalibrationRate(count=sum(shown), n=len(shown))
    return CalibrationRow(
        player=player,
        trials=len(kept),
        invalid=len(kept) - len(trials),
        rates=rates,
        note=plain(note) if note else None,
    )


def read_calibration(run_dir: Path) -> CalibrationFile | None:
    """The calibration of a run directory; None if none was made.

    Raises:
        BadInputError: the file is there and cannot be understood.
    """
    path = run_dir / CALIBRATION
    hint = "delete it, and the report says that calibration was not run"
    try:
        return CalibrationFile.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        return None
    except OSError as error:
        raise BadInputError(f"cannot read {CALIBRATION}: {error.strerror}", hint=hint) from error
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(plain(str(part), 60) for part in first["loc"]) or "(whole file)"
        raise BadInputError(f"{CALIBRATION}: {where}: {plain(first['msg'])}", hint=hint) from error


def calibration_notes(found: CalibrationFile) -> tuple[str, ...]:
    """What is wrong with a suite, or with its calibration: a reference that fails, an idler that succeeds."""
    notes = [f"calibration: {plain(problem)}" for problem in found.problems]
    for row in found.rows:
        success = row.rates.get("success")
        if row.invalid:
            notes.append(f"calibration: {plural(row.invalid, 'INVALID trial')} of {plain(row.player)}")
        if success is None:
            continue
        if row.player == REFERENCE and success.count < success.n:
            missed = success.n - success.count
            notes.append(f"calibration: the reference replies fail {plural(missed, 'scenario')} of {success.n}")
        elif row.player != REFERENCE and success.count:
            told = f"{plain(row.player)} succeeds in {success.count} of {plural(success.n, 'scenario')}"
            notes.append(f"calibration: {told}: they ask for too little")
    return tuple(notes)
