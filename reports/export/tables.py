"""Records as a data frame, as CSV and as Parquet."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from importlib.util import find_spec
from io import BytesIO
from typing import TYPE_CHECKING

from harness.errors import BadInputError
from harness.values import TrialRecord
from reports.export.columns import COLUMNS, Cell, Column, Kind, Row
from reports.pairing import last_attempts, pair_up
from reports.plain import plain
from reports.schema import PairResult

if TYPE_CHECKING:
    import pandas as pd

FORMULA = re.compile(r"[=+\-@\t\r]")  # what a spreadsheet takes for the beginning of a formula
LARGEST = (1 << 63) - 1  # of a 64-bit column
NO_LIMIT = 1 << 40  # characters


def rows(records: Iterable[TrialRecord], *, run: str) -> tuple[Row, ...]:
    """Every record of a run in the order of writing, retried attempts included, with whether the report counts it."""
    every = tuple(records)
    kept = last_attempts(every)
    pairs, _ = pair_up(kept.values())
    counted = {(pair.scenario, pair.repeat) for pair in pairs if pair.result is not PairResult.INVALID}
    return tuple(
        Row(
            run=run,
            record=record,
            last_attempt=kept[record.key] is record,
            pair_counts=kept[record.key] is record and (plain(record.scenario), record.repeat) in counted,
        )
        for record in every
    )


def frame(records: Iterable[TrialRecord], *, run: str = "") -> pd.DataFrame:
    """One row a record, with the columns and types of `COLUMNS`; unmeasured is missing (`pd.NA`).

    Raises:
        BadInputError: a number does not fit into 64 bits.
    """
    import pandas as pd  # half a second that only an export needs

    told = rows(records, run=run)
    return pd.DataFrame(
        {column.name: pd.array(_cells(column, told), dtype=column.kind.value) for column in COLUMNS}  # type: ignore[call-overload]
    )


def _cells(column: Column, told: Sequence[Row]) -> list[Cell]:
    return [_cell(column, row) for row in told]


def _cell(column: Column, row: Row) -> Cell:
    value = column.read(row)
    if isinstance(value, str):
        return value.encode("utf-8", "backslashreplace").decode()  # a lone surrogate is spelt out
    if column.kind is Kind.WHOLE and value is not None and not -LARGEST <= value <= LARGEST:
        raise BadInputError(
            f"the record {row.record.key}: {column.name} is {value}, more than 64 bits hold",
            hint="the record was not written by evalh",
        )
    return value


def csv_text(records: Iterable[TrialRecord], *, run: str = "") -> str:
    """The frame as CSV (RFC 4180, one line a record); a missing value is an empty field.

    Text comes from models and terminals, and CSV is opened in spreadsheets: control characters are
    spelt out, and text that a spreadsheet would take for a formula gets an apostrophe in front.
    Parquet has the text as it was.
    """
    made = frame(records, run=run)
    for column in COLUMNS:
        if column.kind is Kind.TEXT:
            made[column.name] = made[column.name].map(_harmless, na_action="ignore")
    return made.to_csv(index=False, lineterminator="\r\n")


def _harmless(text: str) -> str:
    return ("'" if FORMULA.match(text) else "") + plain(text, NO_LIMIT)


def parquet_bytes(records: Iterable[TrialRecord], *, run: str = "") -> bytes:
    """The frame as a Parquet file.

    Raises:
        BadInputError: pyarrow is not installed.
    """
    if find_spec("pyarrow") is None:
        raise BadInputError(
            "Parquet needs the package pyarrow, which is not installed",
            hint="pip install 'evalh[export]', or use --format csv",
        )
    out = BytesIO()
    frame(records, run=run).to_parquet(out, engine="pyarrow", index=False)
    return out.getvalue()
