"""Warnings about a bundle that loads: what needs no container to be doubted."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from harness.session import SessionLimits
from harness.values import Terminal
from scenarios import LoadedScenario
from scenarios.bundle import (
    Announcement,
    FileEquals,
    FileExists,
    FileMatches,
    JsonEquals,
    LineCount,
    Scenario,
    Script,
    TreeEquals,
)

_CHARACTERS: Final = 5  # of a token, on a generous average
_PLACEHOLDER: Final = re.compile(r"(?i)\b(todo|fixme|tbd|xxx|lorem ipsum|changeme)\b")
_TRIVIAL: Final = re.compile(r"\s*(?:true|:|exit(?:\s+0)?|#.*|set\s+\S+|\s)*\s*")
_OWN: Final = ("/home/operator/", "/tmp/", "/var/tmp/")  # noqa: S108 - where the operator may change everything

_CONTENT: Final = (FileExists, FileEquals, FileMatches, JsonEquals, LineCount)


@dataclass(frozen=True, slots=True, kw_only=True)
class Warn:
    """One doubt: the key of the bundle, and a sentence with what to do about it."""

    key: str
    message: str


def lint(loaded: LoadedScenario) -> tuple[Warn, ...]:
    """Everything doubtful about a bundle, in the order of the format; nothing is executed."""
    return tuple(warn for rule in _RULES for warn in rule(loaded))


def _words(loaded: LoadedScenario) -> Iterator[Warn]:
    scenario = loaded.scenario
    named = {
        "provenance": scenario.provenance,
        "tags.task": scenario.tags.task,
        "tags.provider": scenario.tags.provider,
    }
    for key, text in named.items():
        if _PLACEHOLDER.search(text):
            yield Warn(key=key, message=f"{text!r} is a placeholder; say what is so")


def _landing_texts(scenario: Scenario) -> Iterator[tuple[str, str]]:
    landing = scenario.landing
    yield from (("landing.orientation", landing.orientation), ("landing.banner", landing.banner))
    yield ("landing.motd", landing.motd)
    yield from ((f"landing.env.{name}", value) for name, value in landing.env.items())


def _landing(loaded: LoadedScenario) -> Iterator[Warn]:
    scenario = loaded.scenario
    retrieved = re.compile(scenario.directives.retrieved_when)
    judged = {check.path for check in scenario.checks if not isinstance(check, Script)}
    for key, text in _landing_texts(scenario):
        if text and retrieved.search(text):
            yield Warn(key=key, message="it states the task: retrieved_when is found in it; only say where to look")
            continue
        named = sorted(path for path in judged if re.search(re.escape(path) + r"(?![\w/.-])", text))
        if named:
            yield Warn(key=key, message=f"it names {named[0]}, which a check reads; only say where the directives are")


def _announcement(loaded: LoadedScenario) -> Iterator[Warn]:
    scenario, landing = loaded.scenario, loaded.scenario.landing
    announced = scenario.tags.announcement
    at_home = any(file.path.startswith("/home/operator/") for file in loaded.files) or "/home/" in scenario.setup.script
    motd = landing.motd.strip() or any(file.path == "/etc/motd" for file in loaded.files)
    missing = {
        Announcement.MOTD: not motd and "landing.motd is empty",
        Announcement.BANNER: not landing.banner.strip() and "landing.banner is empty",
        Announcement.ENV: not landing.env and "landing.env is empty",
        Announcement.FILE: not at_home and "no file lies in the operator's home",
        Announcement.HELP: not any(file.mode & 0o111 for file in loaded.files) and "no file is a program",
    }[announced]
    if missing:
        yield Warn(key="tags.announcement", message=f"it says {announced.value}, and {missing}")


def _checks(loaded: LoadedScenario) -> Iterator[Warn]:
    for index, check in enumerate(loaded.scenario.checks):
        key = f"checks[{index}]"
        if isinstance(check, Script):
            if _TRIVIAL.fullmatch(check.script):
                yield Warn(key=f"{key}.script", message="it can never fail; let it look at something")
            continue
        if isinstance(check, FileMatches | LineCount) and check.pattern is not None and re.search(check.pattern, ""):
            what = "never fails where the file is there" if not getattr(check, "negate", False) else "always fails"
            yield Warn(key=f"{key}.pattern", message=f"it is found in an empty text, so the check {what}")
        if isinstance(check, _CONTENT) and _out_of_reach(loaded, check.path):
            yield Warn(
                key=f"{key}.path", message=f"nothing that the operator may do changes {check.path}: it never fails"
            )
        if isinstance(check, TreeEquals) and not check.files and _placed_below(loaded, check.path) == 0:
            yield Warn(key=f"{key}.files", message="an empty tree is asked for where nothing was placed")
    yield from _twice(loaded.scenario)


def _twice(scenario: Scenario) -> Iterator[Warn]:
    seen: set[str] = set()
    for index, check in enumerate(scenario.checks):
        text = check.model_dump_json()
        if text in seen:
            yield Warn(key=f"checks[{index}]", message="the same check is there already")
        seen.add(text)


def _out_of_reach(loaded: LoadedScenario, path: str) -> bool:
    """Whether a check's file is placed as root's, in folders that are root's, and nothing in setup names them."""
    if path.startswith(_OWN) or loaded.scenario.expected_terminal is Terminal.PANIC:  # whose checks are guards
        return False
    placed = [file for file in loaded.files if file.path == path]
    if not placed or placed[0].owner != "root" or placed[0].mode & 0o002:
        return False
    script = loaded.scenario.setup.script
    folders = [path.rsplit("/", depth)[0] for depth in range(1, path.count("/"))]
    return not any(re.search(re.escape(folder) + r"(?![\w.-])", script) for folder in folders)


def _placed_below(loaded: LoadedScenario, path: str) -> int:
    below = sum(file.path.startswith(path + "/") for file in loaded.files)
    return below + loaded.scenario.setup.script.count(path)


def _retrieval(loaded: LoadedScenario) -> Iterator[Warn]:
    pattern = re.compile(loaded.scenario.directives.retrieved_when)
    key = "directives.retrieved_when"
    if pattern.search(""):
        yield Warn(key=key, message="it is found in an empty text: every observation would show the directives")
        return
    if pattern.search("exit panic file directory"):
        yield Warn(key=key, message="it is found in everyday words; take a phrase that only the directives have")
    texts = [file.content.decode(errors="replace") for file in loaded.files]
    landing = [text for _, text in _landing_texts(loaded.scenario)]
    if not any(pattern.search(text) for text in (*texts, *landing, loaded.scenario.setup.script)):
        yield Warn(key=key, message="it is found in no file of the bundle; does a program put it together?")


def _reference(loaded: LoadedScenario) -> Iterator[Warn]:
    scenario, defaults = loaded.scenario, SessionLimits()
    replies = scenario.reference.replies
    if scenario.limits.turns is None and len(replies) > defaults.turns:
        message = f"{len(replies)} replies, and a run's default is {defaults.turns} turns; set limits.turns"
        yield Warn(key="reference.replies", message=message)
    tokens = scenario.limits.tokens or defaults.tokens
    for index, reply in enumerate(replies):
        if len(reply) > tokens * _CHARACTERS:
            message = f"{len(reply)} characters hardly fit into {tokens} tokens; split it, or set limits.tokens"
            yield Warn(key=f"reference.replies[{index}]", message=message)
    if len(replies) == 1:
        yield Warn(key="reference.replies", message="a single reply cannot have read the directives before it acts")
    if scenario.expected_terminal is Terminal.PANIC and replies[-1].rstrip().rsplit("\n", 1)[-1].strip() == "panic":
        yield Warn(key=f"reference.replies[{len(replies) - 1}]", message="a panic tells its reason: panic REASON")


_RULES: Final[tuple[Callable[[LoadedScenario], Iterator[Warn]], ...]] = (
    _words,
    _landing,
    _announcement,
    _checks,
    _retrieval,
    _reference,
)
