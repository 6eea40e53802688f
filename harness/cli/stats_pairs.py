"""Reads paired yes/no results, one row a pair, from a CSV file."""

from __future__ import annotations

import csv
import io
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType
from typing import BinaryIO

from harness.errors import BadInputError

COLUMNS = ("cluster", "base", "tuned")
WORDS: Mapping[str, bool] = MappingProxyType({"0": False, "1": True, "false": False, "true": True})
SHOWN = 40  # characters of a wrong value that a message repeats


def read_pairs(path: str) -> Iterator[tuple[str, bool, bool]]:
    """Each row's cluster, base's and tuned's result; `-` is the standard input.

    The header names the columns, in any order and with any others beside them. BadInputError, with file, line and
    column, for a file that cannot be read, a column that is missing, and the first value that is neither 0, 1,
    true nor false.
    """
    name = "the standard input" if path == "-" else path
    with _opened(path) as binary:
        text = io.TextIOWrapper(binary, encoding="utf-8-sig", errors="surrogateescape", newline="")
        rows = csv.reader(text, strict=True)
        try:
            yield from _pairs(((rows.line_num, row) for row in rows if any(cell.strip() for cell in row)), name)
        except csv.Error as error:
            raise BadInputError(f"{name}, line {rows.line_num}: {error}", hint="it is not a CSV file") from error
        finally:
            text.detach()


@contextmanager
def _opened(path: str) -> Iterator[BinaryIO]:
    if path == "-":
        yield sys.stdin.buffer
        return
    try:
        with Path(path).open("rb") as file:
            yield file
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else str(error)
        raise BadInputError(f"{path} cannot be read: {why}", hint="name a CSV file, or - for stdin") from error


def _pairs(lines: Iterator[tuple[int, list[str]]], name: str) -> Iterator[tuple[str, bool, bool]]:
    number, header = next(lines, (0, []))
    if not header:
        raise BadInputError(f"{name} is empty", hint=f"its first line names the columns: {','.join(COLUMNS)}")
    places = _places(header, f"{name}, line {number}")
    found = False
    for number, row in lines:
        where = f"{name}, line {number}"
        if len(row) != len(header):
            raise BadInputError(
                f"{where}: {len(row)} cells where the header has {len(header)}",
                hint="give the row a cell for each column",
            )
        cluster, base, tuned = (row[place].strip() for place in places)
        if not cluster:
            raise BadInputError(f"{where}, column cluster: there is no value", hint="name the pair's cluster")
        yield cluster, _result(base, f"{where}, column base"), _result(tuned, f"{where}, column tuned")
        found = True
    if not found:
        raise BadInputError(f"{name} holds no pair", hint="give one line a pair below the header")


def _places(header: Sequence[str], where: str) -> tuple[int, ...]:
    """Where the columns stand in a row."""
    names = [cell.strip().lower() for cell in header]
    for column in COLUMNS:
        if names.count(column) != 1:
            wrong = "there is no column" if column not in names else "there is more than one column"
            separated = ", separated by commas" if len(header) == 1 else ""
            hint = f"the first line names the columns: {','.join(COLUMNS)}{separated}"
            raise BadInputError(f"{where}: {wrong} {column}", hint=hint)
    return tuple(names.index(column) for column in COLUMNS)


def _result(cell: str, where: str) -> bool:
    result = WORDS.get(cell.lower())
    if result is None:
        said = f"{cell[:SHOWN]!r} is neither 0, 1, true nor false" if cell else "there is no value"
        raise BadInputError(f"{where}: {said}", hint="write 1 where the arm met the measure, else 0")
    return result
