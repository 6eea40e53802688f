"""From raw TOML data to a Scenario: pydantic's findings told as problems of the bundle."""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Mapping
from typing import Any, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from scenarios import bundle
from scenarios.parameters import Data
from scenarios.problems import KeyPath, Problem, ProblemError, dotted, quoted

CHECKS: tuple[type[BaseModel], ...] = get_args(get_args(bundle.Check)[0])
_KINDS = {str(get_args(model.model_fields["kind"].annotation)[0]): model for model in CHECKS}
_PARTS: Mapping[str, type[BaseModel]] = {
    "landing": bundle.Landing,
    "files": bundle.BundleFile,
    "setup": bundle.Setup,
    "limits": bundle.SessionLimits,
    "reference": bundle.Reference,
    "directives": bundle.Retrieval,
    "tags": bundle.Tags,
}
_MEMBER = re.compile(r"<\w+\.\w+: ('[^']*')>")  # how pydantic shows a member of an enumeration
_PATTERN_ADVICE = {
    "mode": 'write three or four octal digits, such as "644"',
    "path": 'write an absolute path without control characters, such as "/srv/board/today.txt"',
    "id": "use small letters, digits and -, at most 63 characters",
    "archetype": "use small letters, digits and -, at most 63 characters",
}


def shape(data: Mapping[str, Data], *, lenient: bool) -> bundle.Scenario:
    """The scenario that `data` describes; `lenient` lets texts of digits stand for numbers (templates).

    Raises ProblemError with everything that does not fit the format.
    """
    try:
        if lenient:
            return bundle.Scenario.model_validate(data)
        return bundle.Scenario.model_validate_json(json.dumps(data), strict=True)
    except ValidationError as error:
        found = (item for item in error.errors() if item["type"] != "default_factory_not_called")  # a mere consequence
        raise ProblemError(*(_problem(item, data) for item in found)) from None
    except RecursionError:
        raise ProblemError(Problem(key=(), message="the bundle is nested too deep")) from None


def _problem(error: ErrorDetails, data: Mapping[str, Data]) -> Problem:
    key = _key(error["loc"])
    kind, context = error["type"], error.get("ctx", {})
    if kind == "extra_forbidden":
        return _unknown_key(key, data)
    if kind in {"union_tag_invalid", "union_tag_not_found"}:
        return _unknown_kind(key, kind, context)
    if kind == "missing":
        parent = dotted(key[:-1])
        message = f"{dotted(key)} is missing"
        return Problem(key=key, message=message, advice=f"add `{key[-1]} = ...`" + (f" to {parent}" if parent else ""))
    if kind == "string_pattern_mismatch":
        advice = _PATTERN_ADVICE.get(str(key[-1]), f"it must match {context.get('pattern')}")
        return Problem(key=key, message=f"{_shown(error['input'])} does not fit", advice=advice)
    advice = _PATTERN_ADVICE["mode"] if key[-1:] == ("mode",) else ""
    message = _MEMBER.sub(r"\1", error["msg"][:1].lower() + error["msg"][1:])
    return Problem(
        key=key,
        message=f"{message.replace('input should', 'it should')}, and is {_shown(error['input'])}",
        advice=advice,
    )


def _key(location: tuple[int | str, ...]) -> KeyPath:
    """The key in the bundle: pydantic adds the tag of a union's member after `checks[i]`."""
    if len(location) > 2 and location[0] == "checks" and location[2] in _KINDS:
        return (*location[:2], *location[3:])
    return location


def _unknown_key(key: KeyPath, data: Mapping[str, Data]) -> Problem:
    model = _model(key[:-1], data)
    known = [*model.model_fields, *(("instances", "parameters") if model is bundle.Scenario else ())]
    name = str(key[-1])
    near = difflib.get_close_matches(name, known, n=1)
    advice = f"did you mean `{near[0]}`?" if near else f"the keys here are {', '.join(known)}"
    return Problem(key=key, message=f"there is no key {quoted(name)}", advice=advice)


def _model(key: KeyPath, data: Mapping[str, Data]) -> type[BaseModel]:
    if not key:
        return bundle.Scenario
    if key[0] == "checks":
        checks = data.get("checks")
        check = checks[key[1]] if isinstance(checks, list) and len(key) > 1 and isinstance(key[1], int) else None
        kind = check.get("kind") if isinstance(check, dict) else None
        return _KINDS[str(kind)]
    return _PARTS[str(key[0])]


def _unknown_kind(key: KeyPath, kind: str, context: Mapping[str, Any]) -> Problem:
    kinds = ", ".join(_KINDS)
    if kind == "union_tag_not_found":
        return Problem(key=key, message="a check needs a kind", advice=f"the kinds are {kinds}")
    tag = str(context.get("tag", ""))
    near = difflib.get_close_matches(tag, _KINDS, n=1)
    advice = (f"did you mean `{near[0]}`? " if near else "") + f"the kinds are {kinds}"
    return Problem(key=(*key, "kind"), message=f"there is no check kind {quoted(tag)}", advice=advice)


def _shown(value: object) -> str:
    if isinstance(value, str):
        return quoted(value, limit=60)
    if isinstance(value, Mapping):
        return "a table"
    if isinstance(value, list | tuple):
        return f"an array of {len(value)}"
    return json.dumps(value)
