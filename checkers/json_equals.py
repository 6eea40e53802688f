"""Checks that a file is JSON of an expected value."""

from __future__ import annotations

import json
from collections.abc import Mapping
from decimal import Decimal
from typing import TypeAlias

from checkers.judging import NotAsExpectedError, failed, passed, text
from harness.values import Verdict
from harness.world import JudgedWorld
from scenarios.bundle import JsonEquals
from scenarios.problems import quoted

Json: TypeAlias = "bool | int | Decimal | str | list[Json] | dict[str, Json] | None"


def json_equals(check: JsonEquals, judged: JudgedWorld) -> Verdict:
    """PASS if the file is one JSON value and equals the expected one (`at`: the part that the pointer names).

    Numbers are equal by value (1, 1.0 and 1e0 are the same); true, "1" and 1 are three different
    things; the order of keys and blank space do not matter. Not JSON, and so a FAIL: a key twice in an
    object (readers differ on what it means), NaN and Infinity, numbers of thousands of digits, nesting
    beyond what the parser follows, text after the value. A byte order mark is not accepted.
    """
    found = parsed(text(judged.world, check.path), quoted(check.path))
    part = pointed(found, check.at, quoted(check.path))
    expected = parsed(check.value, "the expected value")
    if equal(part, expected):
        return passed(f"{quoted(check.path)} holds the expected value")
    place = f" at {quoted(check.at)}" if check.at else ""
    return failed(f"{quoted(check.path)}{place} is {_shown(part)}, not {_shown(expected)}")


def parsed(source: str, name: str) -> Json:
    """The value of a JSON text; raises NotAsExpectedError, with `name` for the text."""
    try:
        value: Json = json.loads(source, object_pairs_hook=_table, parse_constant=_constant, parse_float=_decimal)
    except RecursionError:
        raise NotAsExpectedError(f"{name} is nested too deep to be read as JSON") from None
    except (ValueError, ArithmeticError) as error:
        raise NotAsExpectedError(f"{name} is not JSON: {quoted(str(error), limit=120)}") from None
    return value


def _decimal(digits: str) -> Decimal:
    if len(digits) > 4300:
        raise ValueError("a number of thousands of digits")
    return Decimal(digits)


def _table(pairs: list[tuple[str, Json]]) -> dict[str, Json]:
    table = dict(pairs)
    if len(table) < len(pairs):
        raise ValueError("an object has a key twice")
    return table


def _constant(name: str) -> Json:
    raise ValueError(f"{name} is no JSON")


def pointed(value: Json, pointer: str, name: str) -> Json:
    """The part of `value` that a JSON pointer (RFC 6901) names; raises NotAsExpectedError if there is none."""
    if not pointer:
        return value
    for raw in pointer[1:].split("/"):
        token = raw.replace("~1", "/").replace("~0", "~")
        if isinstance(value, Mapping) and token in value:
            value = value[token]
        elif isinstance(value, list) and _index(token) < len(value):
            value = value[_index(token)]
        else:
            raise NotAsExpectedError(f"{name} has no {quoted(pointer)}")
    return value


def _index(token: str) -> int:
    plain = token.isascii() and token.isdigit() and len(token) < 10 and (token == "0" or token[0] != "0")  # noqa: S105 - a part of a pointer
    return int(token) if plain else 1 << 62  # beyond any array


def equal(left: Json, right: Json) -> bool:
    """Whether two JSON values are the same: numbers by value, booleans never equal to numbers."""
    if isinstance(left, bool) or isinstance(right, bool):
        return left is right
    if isinstance(left, dict) and isinstance(right, dict):
        return left.keys() == right.keys() and all(equal(left[key], right[key]) for key in left)
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(equal(a, b) for a, b in zip(left, right, strict=True))
    if isinstance(left, int | Decimal) and isinstance(right, int | Decimal):
        return left == right
    return type(left) is type(right) and left == right


def _shown(value: Json) -> str:
    if isinstance(value, str):
        return quoted(value)
    if isinstance(value, dict):
        return f"an object of {len(value)} keys"
    if isinstance(value, list):
        return f"an array of {len(value)}"
    if isinstance(value, bool) or value is None:
        return json.dumps(value)
    shown = str(value)
    return shown if len(shown) <= 40 else shown[:37] + "..."
