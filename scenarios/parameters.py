"""What a template declares: its parameters, its seeds, and whether both make sense."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from scenarios.problems import KeyPath, Problem, quoted

Data: TypeAlias = "str | int | float | bool | list[Data] | dict[str, Data]"  # what tomllib gives, dates apart

MOST_INSTANCES = 1000
BRACES = re.compile(
    r"(?P<escape>\{\{\{\{)|\{\{\s*(?P<name>[a-z][a-z0-9_]*(?:\.[a-z0-9_]+)*)\s*\}\}|(?P<bad>\{\{(?!\{))"
)
_NAME = re.compile(r"[a-z][a-z0-9_]*")

_Atom = Annotated[str, Field(strict=True)] | Annotated[int, Field(strict=True)]
_Pool = Annotated[
    tuple[_Atom | Annotated[dict[str, _Atom], Field(min_length=1)], ...], Field(min_length=1, max_length=2000)
]
_Size = Annotated[int, Field(strict=True, ge=0, le=1000)]
_Count = _Size | tuple[_Size, _Size]
_Bound = Annotated[int, Field(strict=True, ge=-(10**15), le=10**15)]


class _Parameter(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Choose(_Parameter):
    """One item of a pool, the pool used up evenly over the seeds; with `count`, that many, repeats allowed."""

    choose: _Pool
    count: _Count | None = None
    join: str = "\n"


class Range(_Parameter):
    """A whole number from lo to hi, both possible; with `count`, that many, repeats allowed."""

    range: tuple[_Bound, _Bound]
    count: _Count | None = None
    join: str = "\n"


class Sample(_Parameter):
    """`count` different items of a pool."""

    sample: _Pool
    count: _Count
    join: str = "\n"


class Derive(_Parameter):
    """A value computed from other parameters, in the language of scenarios.derive."""

    derive: Annotated[str, Field(min_length=1, max_length=1000)]
    join: str = "\n"


Parameter = Choose | Range | Sample | Derive
_KINDS: Mapping[str, type[Parameter]] = {"choose": Choose, "range": Range, "sample": Sample, "derive": Derive}


def read_seeds(value: Data | None, problems: list[Problem]) -> range:
    """The seeds that `instances = [first, last]` names; what is wrong is appended to `problems`."""
    advice = "write `instances = [1, 40]` above the first table: the first and the last seed"
    if value is None:
        problems.append(Problem(key=("parameters",), message="a bundle with parameters needs instances", advice=advice))
        return range(0)
    if not (isinstance(value, list) and len(value) == 2 and all(type(item) is int for item in value)):
        problems.append(Problem(key=("instances",), message="instances must be two whole numbers", advice=advice))
        return range(0)
    first, last = (int(str(item)) for item in value)
    if not 0 <= first <= last < MOST_INSTANCES:
        message = f"instances must satisfy 0 <= first <= last < {MOST_INSTANCES}, and is [{first}, {last}]"
        problems.append(Problem(key=("instances",), message=message, advice=advice))
        return range(0)
    return range(first, last + 1)


def read_parameters(value: Data | None, problems: list[Problem]) -> dict[str, Parameter]:
    """The table `[parameters]`; what is wrong is appended to `problems`."""
    if not isinstance(value, dict) or not value:
        advice = 'write for example `[parameters]` and below it `name = { choose = ["anna", "ben"] }`'
        key: KeyPath = ("instances",) if value is None else ("parameters",)
        problems.append(Problem(key=key, message="instances need a table of parameters", advice=advice))
        return {}
    found: dict[str, Parameter] = {}
    for name, raw in value.items():
        key = ("parameters", name)
        if _NAME.fullmatch(name) is None or name == "seed":
            message = f"{quoted(name)} cannot be a parameter's name"
            problems.append(Problem(key=key, message=message, advice="use a-z, 0-9 and _, not `seed` itself"))
            continue
        parameter = _parameter(key, raw, problems)
        if parameter is not None:
            found[name] = parameter
    return found


def _parameter(key: KeyPath, raw: Data, problems: list[Problem]) -> Parameter | None:
    kinds = [kind for kind in _KINDS if isinstance(raw, dict) and kind in raw]
    if len(kinds) != 1:
        message = "a parameter is a table with exactly one of choose, range, sample and derive"
        problems.append(Problem(key=key, message=message, advice="see docs/scenarios.md, Templates"))
        return None
    try:
        parameter = TypeAdapter(_KINDS[kinds[0]]).validate_python(raw)
    except ValidationError as error:
        for key_in, message in {_place(item["loc"]): item["msg"] for item in error.errors()}.items():
            problems.append(Problem(key=key + key_in, message=f"{_lower(message)}"))
        return None
    message = _misfit(parameter)
    if message:
        problems.append(Problem(key=(*key, kinds[0]), message=message))
        return None
    return parameter


def _place(location: tuple[int | str, ...]) -> KeyPath:
    """The part of pydantic's location that exists in the bundle (it adds names of union members)."""
    place: list[int | str] = []
    for part in location:
        if place and isinstance(part, str):
            break
        place.append(part)
    return tuple(place)


def _lower(message: str) -> str:
    return message[:1].lower() + message[1:]


def _misfit(parameter: Parameter) -> str:
    if isinstance(parameter, Range):
        lo, hi = parameter.range
        return "" if lo <= hi else f"the range is empty: {lo} is larger than {hi}"
    if isinstance(parameter, Derive):
        return ""
    pool = parameter.choose if isinstance(parameter, Choose) else parameter.sample
    if any(isinstance(item, dict) for item in pool):
        keys = {frozenset(item) if isinstance(item, dict) else None for item in pool}
        if len(keys) > 1:
            return "the rows of a pool must all have the same keys"
    distinct = {str(sorted(item.items())) if isinstance(item, dict) else f"={item}" for item in pool}
    if len(distinct) < len(pool):
        return f"an item stands in the pool twice ({len(pool)} items, {len(distinct)} different ones)"
    lo, hi = span(parameter.count)
    if lo > hi:
        return f"the count is empty: {lo} is larger than {hi}"
    if isinstance(parameter, Sample) and hi > len(pool):
        return f"{hi} different items cannot be drawn from a pool of {len(pool)}"
    return ""


def span(count: int | tuple[int, int] | None) -> tuple[int, int]:
    """A count as its least and its most; None is one."""
    if count is None:
        return (1, 1)
    return (count, count) if isinstance(count, int) else count


def check_use(parameters: Mapping[str, Parameter], body: Data) -> list[Problem]:
    """What is wrong between parameters and their uses: unknown names in pools, parameters never used."""
    problems: list[Problem] = []
    used = _mentioned(body)
    for name, parameter in parameters.items():
        if isinstance(parameter, Derive):
            used |= set(re.findall(r"[a-z][a-z0-9_]*", parameter.derive))
            continue
        inside = _mentioned(parameter.model_dump(mode="json"))
        used |= inside
        for unknown in sorted(inside - set(parameters) - {"seed"}):
            message = f"there is no parameter {quoted(unknown)}"
            problems.append(
                Problem(key=("parameters", name), message=message, advice="declare it, or correct the name")
            )
    for name in parameters:
        if name not in used:
            message, advice = (
                f"the parameter {name} is never used",
                f"write {{{{{name}}}}} where it belongs, or remove it",
            )
            problems.append(Problem(key=("parameters", name), message=message, advice=advice))
    return problems


def _mentioned(value: Data) -> set[str]:
    if isinstance(value, str):
        return {str(match["name"]).split(".")[0] for match in BRACES.finditer(value) if match["name"]}
    if isinstance(value, list):
        return set().union(*map(_mentioned, value))
    if isinstance(value, dict):
        return set().union(*(_mentioned(key) | _mentioned(item) for key, item in value.items()))
    return set()
