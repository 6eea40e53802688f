"""Provider programs that a bundle can install: a body in POSIX sh, headed by the bundle's own settings."""

from __future__ import annotations

import difflib
import re
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import MappingProxyType

from scenarios.problems import KeyPath, Problem, quoted
from scenarios.world_paths import misplaced

_FOLDER = Path(__file__).parent
_VERB = re.compile(r"[a-z][a-z-]{0,19}")
_LONGEST_TITLE = 100  # characters
_OWN_VERBS = frozenset({"help"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Provider:
    """A program to read directives with: its file here, and what its sub-commands are called if not told."""

    body: str
    title: str
    verbs: tuple[str, ...]  # each is a setting of its own, whose value is the word to type

    @property
    def settings(self) -> tuple[str, ...]:
        """The names of all that a bundle may set; `data`, the folder of its records, it must."""
        return ("data", "title", *self.verbs)


PROVIDERS: Mapping[str, Provider] = MappingProxyType(
    {
        "order-book": Provider(body="order_book.sh", title="The order book", verbs=("list", "read", "sign")),
        "ticket-queue": Provider(body="ticket_queue.sh", title="The ticket queue", verbs=("list", "show", "close")),
        "mailbox": Provider(body="mailbox.sh", title="The mailbox", verbs=("list", "read", "answer")),
        "notice-board": Provider(body="notice_board.sh", title="The notice board", verbs=("list", "read", "find")),
        "config-store": Provider(body="config_store.sh", title="The config store", verbs=("list", "get", "set")),
    }
)


def program(name: str, settings: Mapping[str, str]) -> bytes:
    """The text of a provider program, ready to be placed with the mode 755.

    `settings` must have passed `broken_settings`. A settings table is part of the text, so of a digest.
    """
    provider = PROVIDERS[name]
    chosen = {"title": provider.title, **{verb: verb for verb in provider.verbs}, **settings}
    head = [f"{key.upper()}={shlex.quote(chosen[key])}" for key in provider.settings]
    return "\n".join(["#!/bin/sh", *head, "", _text("common.sh"), _text(provider.body)]).encode()


@cache
def _text(file: str) -> str:
    return (_FOLDER / file).read_text()


def broken_settings(name: str, settings: Mapping[str, str], key: KeyPath) -> Iterator[Problem]:
    """What is wrong with the provider and the settings of the file at `key`."""
    provider = PROVIDERS.get(name)
    if provider is None:
        message = f"there is no provider {quoted(name)}"
        advice = _near(name, PROVIDERS) + f"the providers are {', '.join(PROVIDERS)}"
        yield Problem(key=(*key, "provider"), message=message, advice=advice)
        return
    if "data" not in settings:
        advice = 'add `settings = { data = "/srv/..." }`, the folder of its records'
        yield Problem(key=key, message=f"the provider {name} needs the setting data", advice=advice)
    for setting, value in settings.items():
        message, advice = _wrong(provider, setting, value)
        if message:
            yield Problem(key=(*key, "settings", setting), message=message, advice=advice)
    verbs = [settings.get(verb, verb) for verb in provider.verbs]
    doubles = sorted({verb for verb in verbs if verbs.count(verb) > 1})
    if doubles:
        message = f"two sub-commands of {name} would be called {quoted(doubles[0])}"
        yield Problem(key=(*key, "settings"), message=message, advice="give each another word")


def _wrong(provider: Provider, setting: str, value: str) -> tuple[str, str]:
    """What is wrong with one setting, and what to do; two empty texts for a good one."""
    if setting not in provider.settings:
        advice = _near(setting, provider.settings) + f"the settings here are {', '.join(provider.settings)}"
        return f"there is no setting {quoted(setting)}", advice
    if setting == "data":
        return misplaced(value, root_itself=False), ""
    if setting == "title":
        good = value.isprintable() and 0 < len(value) <= _LONGEST_TITLE
        return ("" if good else "the title is one visible line", f"at most {_LONGEST_TITLE} characters")
    if _VERB.fullmatch(value) is None or value in _OWN_VERBS:
        return f"{quoted(value)} cannot be a sub-command", "use small letters and -, and another word than help"
    return "", ""


def _near(name: str, known: Mapping[str, Provider] | tuple[str, ...]) -> str:
    near = difflib.get_close_matches(name, known, n=1)
    return f"did you mean `{near[0]}`? " if near else ""
