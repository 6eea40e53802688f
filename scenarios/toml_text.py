"""From the bytes of a TOML file to plain data, with bounds that hold for any bytes."""

from __future__ import annotations

import math
import re
import tomllib

from scenarios.parameters import Data
from scenarios.problems import KeyPath, Problem, ProblemError

LARGEST = 1 << 19  # bytes of one bundle's TOML text
_DEEPEST = 24
_MOST_NAMES = 64
# tomllib takes time quadratic in the number of names of a dotted key
_NAME = r"""(?:[A-Za-z0-9_-]+|"[^"\n]{0,99}"|'[^'\n]{0,99}')"""
_LONG_KEY = re.compile(rf"(?<![A-Za-z0-9_-]){_NAME}(?:[ \t]*\.[ \t]*{_NAME}){{{_MOST_NAMES},}}")
_MANY_DIGITS = re.compile(r"[0-9_]{1000,}")
_PLACE = re.compile(r" \(at (?:line (?P<line>\d+), column (?P<column>\d+)|end of document)\)$")


def decode(raw: bytes) -> str:
    """The text of a TOML file, its newlines made plain; raises ProblemError."""
    if len(raw) > LARGEST:
        advice = "put large fixtures beside it and name them with source"
        raise ProblemError(Problem(key=(), message=f"the file is larger than {LARGEST} bytes", advice=advice))
    return _decoded(raw).replace("\r\n", "\n")


def parse(text: str) -> dict[str, Data]:
    """The data of a TOML text; raises ProblemError with what is no TOML or nothing for a bundle."""
    long_key = _LONG_KEY.search(text)
    if long_key is not None:
        line = text.count("\n", 0, long_key.start()) + 1
        message = f"more than {_MOST_NAMES} names are joined by dots"
        raise ProblemError(Problem(key=(), message=message, line=line))
    try:
        data = tomllib.loads(text)
    except ValueError as error:
        raise ProblemError(_syntax(str(error), text)) from None
    except RecursionError:
        raise ProblemError(Problem(key=(), message="the bundle is nested too deep")) from None
    problems = list(_unfit(data, ()))
    if problems:
        raise ProblemError(*problems)
    return data


def _decoded(raw: bytes) -> str:
    if raw.startswith(b"\xef\xbb\xbf"):
        message = "the file begins with a byte order mark"
        raise ProblemError(Problem(key=(), message=message, advice="save it as plain UTF-8", line=1))
    try:
        return raw.decode()
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        message = f"byte {raw[error.start]:#04x} is not UTF-8"
        raise ProblemError(Problem(key=(), message=message, advice="save the file as UTF-8", line=line)) from None


def _syntax(message: str, text: str) -> Problem:
    place = _PLACE.search(message)
    what = _PLACE.sub("", message)
    digits = _MANY_DIGITS.search(text)
    if place is None and digits is not None:
        line = text.count("\n", 0, digits.start()) + 1
        return Problem(key=(), message="not TOML: a number does not fit 64 bits", line=line)
    line = int(place["line"]) if place and place["line"] else text.count("\n") + (not text.endswith("\n"))
    column = f", column {place['column']}" if place and place["column"] else ", at the end of the file" if place else ""
    return Problem(key=(), message=f"not TOML: {what[:1].lower()}{what[1:]}{column}", line=max(line, 1))


def _unfit(value: object, key: KeyPath) -> list[Problem]:
    """What no bundle needs and JSON cannot carry: dates, infinities, very large numbers, deep nesting."""
    if len(key) > _DEEPEST:
        return [Problem(key=key[:3], message="the bundle is nested too deep")]
    if isinstance(value, dict):
        return [problem for name, item in value.items() for problem in _unfit(item, (*key, str(name)))]
    if isinstance(value, list):
        return [problem for index, item in enumerate(value) for problem in _unfit(item, (*key, index))]
    if isinstance(value, str | bool):
        return []
    if isinstance(value, int):
        fits = -(1 << 63) <= value < 1 << 63
        return [] if fits else [Problem(key=key, message="the number does not fit 64 bits")]
    if isinstance(value, float):
        return [] if math.isfinite(value) else [Problem(key=key, message="the number is not finite")]
    return [Problem(key=key, message="dates and times are not used in bundles", advice="put it in quotes")]
