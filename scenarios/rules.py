"""What a bundle must satisfy beyond its shape: paths, patterns, names, sizes, and a reference that ends."""

from __future__ import annotations

import json
import re
import warnings
from collections.abc import Callable, Iterator
from itertools import pairwise

from harness.values import Terminal
from scenarios.bundle import BundleFile, FileMatches, JsonEquals, LineCount, Scenario, Script, TreeEquals
from scenarios.problems import KeyPath, Problem, quoted
from scenarios.providers import broken_settings
from scenarios.world_paths import crooked, misplaced

LONGEST_PATTERN = 1000  # characters
LONGEST_LINE = 4094  # bytes that a terminal takes in one line, without its newline
LARGEST_LANDING = 1 << 16  # bytes of banner, motd or orientation
_LARGEST_VARIABLE = 1 << 12
_ENV_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_OWN_ENV = frozenset({"PS1", "PS2", "PS4", "EVN", "PATH", "HOME", "USER", "LOGNAME", "SHELL", "TERM", "PWD", "OLDPWD"})
_SHELL_ENV = frozenset({"IFS", "LANG", "LC_ALL", "ENV", "BASH_ENV", "COLUMNS", "LINES", "PPID", "OPTIND"})


def broken_rules(scenario: Scenario) -> tuple[Problem, ...]:
    """Everything about a well-shaped scenario that cannot work, in the order of the format."""
    return tuple(problem for rule in _RULES for problem in rule(scenario))


def _landing(scenario: Scenario) -> Iterator[Problem]:
    texts = scenario.landing.model_dump(include={"orientation", "banner", "motd"})
    for name, text in texts.items():
        if "\0" in text or len(text.encode()) > LARGEST_LANDING:
            message = f"it has a NUL byte or is larger than {LARGEST_LANDING} bytes"
            yield Problem(key=("landing", name), message=message)
    for name, value in scenario.landing.env.items():
        key = ("landing", "env", name)
        if _ENV_NAME.fullmatch(name) is None:
            yield Problem(key=key, message=f"{quoted(name)} is no variable name", advice="use letters, digits and _")
        elif name in _OWN_ENV | _SHELL_ENV or name.startswith(("EVALH_", "LD_")):
            yield Problem(key=key, message=f"{name} is set by the session itself", advice="choose another name")
        if "\0" in value or len(value.encode()) > _LARGEST_VARIABLE:
            yield Problem(key=key, message=f"its value has a NUL byte or is larger than {_LARGEST_VARIABLE} bytes")


def _files(scenario: Scenario) -> Iterator[Problem]:
    for index, file in enumerate(scenario.files):
        key = ("files", index)
        message = misplaced(file.path, root_itself=False)
        if message:
            yield Problem(key=(*key, "path"), message=message)
        if file.path == "/etc/motd" and scenario.landing.motd:
            yield Problem(
                key=(*key, "path"), message="/etc/motd is written from landing.motd", advice="remove one of them"
            )
        yield from _origin(file, key)
    yield from _clashes(("files",), [(("files", i, "path"), file.path) for i, file in enumerate(scenario.files)])


def _origin(file: BundleFile, key: KeyPath) -> Iterator[Problem]:
    """What is wrong with where a file's bytes come from."""
    origins = {"content": file.content, "source": file.source, "provider": file.provider}
    given = [name for name, value in origins.items() if value is not None]
    if not given:
        message = "the file has neither content nor source nor provider"
        yield Problem(key=key, message=message, advice="give exactly one of them")
    elif len(given) > 1:
        message = f"the file has both {' and '.join(given)}"
        yield Problem(key=key, message=message, advice="give exactly one of them")
    if file.provider is not None:
        yield from broken_settings(file.provider, file.settings, key)
    elif file.settings:
        message = "settings are for a provider, and the file has none"
        yield Problem(key=(*key, "settings"), message=message, advice="add `provider = ...`, or remove them")


def _clashes(where: KeyPath, paths: list[tuple[KeyPath, str]]) -> Iterator[Problem]:
    """Paths that are given twice, or that need a file to be a directory."""
    ordered = sorted(paths, key=lambda item: item[1].split("/"))
    for (_, first), (key, second) in pairwise(ordered):
        if first == second:
            yield Problem(key=key or where, message=f"{quoted(second)} is given twice")
        elif second.startswith(first + "/"):
            yield Problem(key=key or where, message=f"{quoted(first)} is a file, so it cannot hold {quoted(second)}")


def _setup(scenario: Scenario) -> Iterator[Problem]:
    if "\0" in scenario.setup.script:
        yield Problem(key=("setup", "script"), message="a script cannot hold a NUL byte")


def _checks(scenario: Scenario) -> Iterator[Problem]:
    for index, check in enumerate(scenario.checks):
        key = ("checks", index)
        if isinstance(check, Script):
            if "\0" in check.script:
                yield Problem(key=(*key, "script"), message="a script cannot hold a NUL byte")
            continue
        message = misplaced(check.path, root_itself=True)
        if message:
            yield Problem(key=(*key, "path"), message=message)
        if isinstance(check, FileMatches | LineCount) and check.pattern is not None:
            yield from _pattern((*key, "pattern"), check.pattern)
        if isinstance(check, TreeEquals):
            places = [((*key, "files", name), name) for name in check.files]
            yield from (Problem(key=at, message=crooked(name)) for at, name in places if crooked(name))
            yield from _clashes((*key, "files"), [(at, name) for at, name in places])
        if isinstance(check, JsonEquals):
            yield from _json(key, check)


def _pattern(key: KeyPath, pattern: str) -> Iterator[Problem]:
    if len(pattern) > LONGEST_PATTERN:
        yield Problem(key=key, message=f"the pattern is longer than {LONGEST_PATTERN} characters")
        return
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            re.compile(pattern)
    except (re.error, Warning) as error:
        message = f"{quoted(pattern, limit=60)} is no regular expression: {error}"
        yield Problem(key=key, message=message, advice="it is read by Python's re")
    except (OverflowError, RecursionError, MemoryError):
        yield Problem(key=key, message=f"{quoted(pattern, limit=60)} is too large or too deep a regular expression")


def _json(key: KeyPath, check: JsonEquals) -> Iterator[Problem]:
    try:
        json.loads(check.value, object_pairs_hook=_distinct, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        message = f"the value is not JSON: {str(error) or 'nested too deep'}"
        yield Problem(key=(*key, "value"), message=message, advice="write JSON text, e.g. '\"done\"' or '{\"a\": 1}'")
    if check.at and (not check.at.startswith("/") or re.search(r"~(?![01])", check.at)):
        message = f"{quoted(check.at)} is no JSON pointer"
        yield Problem(
            key=(*key, "at"), message=message, advice="write / before each name, ~1 for a / in a name, ~0 for ~"
        )


def _distinct(pairs: list[tuple[str, object]]) -> dict[str, object]:
    table = dict(pairs)
    if len(table) < len(pairs):
        raise ValueError("an object has a key twice")
    return table


def _no_constant(name: str) -> object:
    raise ValueError(f"{name} is no JSON")


def _reference(scenario: Scenario) -> Iterator[Problem]:
    replies = scenario.reference.replies
    for index, reply in enumerate(replies):
        if not reply.strip() or "\0" in reply:
            yield Problem(key=("reference", "replies", index), message="a reply needs text, and no NUL byte")
        elif any(len(line.encode()) > LONGEST_LINE for line in reply.split("\n")):
            message = f"a line is longer than the {LONGEST_LINE} bytes that a terminal takes"
            yield Problem(key=("reference", "replies", index), message=message)
    key = ("reference", "replies", len(replies) - 1)
    words = (replies[-1].rstrip().rsplit("\n", 1)[-1].split() or [""])[0]
    expected = scenario.expected_terminal
    if words != expected.value:
        other = Terminal.PANIC if expected is Terminal.EXIT else Terminal.EXIT
        advice = "expected_terminal says so" if words == other.value else "the reference must end the session"
        message = f"the last line of the last reply must begin with `{expected.value}`, not {quoted(words, limit=40)}"
        yield Problem(key=key, message=message, advice=advice)
    if scenario.limits.turns is not None and len(replies) > scenario.limits.turns:
        message = f"the reference needs {len(replies)} turns, and limits.turns is {scenario.limits.turns}"
        yield Problem(key=("limits", "turns"), message=message)


def _directives(scenario: Scenario) -> Iterator[Problem]:
    yield from _pattern(("directives", "retrieved_when"), scenario.directives.retrieved_when)


def _words(scenario: Scenario) -> Iterator[Problem]:
    named = [(("provenance",), scenario.provenance), (("tags", "task"), scenario.tags.task)]
    for key, text in [*named, (("tags", "provider"), scenario.tags.provider)]:
        if not text.strip() or not text.replace("\n", " ").isprintable():
            yield Problem(key=key, message="it needs a visible text without control characters")


_RULES: tuple[Callable[[Scenario], Iterator[Problem]], ...] = (
    _words,
    _landing,
    _files,
    _setup,
    _checks,
    _reference,
    _directives,
)
