"""What identifies a measurement: facts that two runs must share to be comparable, and what a difference means."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from reports.compare.schema import Fact, Status, Weight
from reports.compare.side import Side
from reports.plain import plain

Read = Callable[[Side], str | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Question:
    """One fact: how to read it off a run, what a difference does, and what to tell a person."""

    read: Read
    weight: Weight
    title: str


def _digest(name: str) -> Read:
    return lambda side: side.report.run.digests.get(name)


def _setting(name: str) -> Read:
    def read(side: Side) -> str | None:
        value = side.manifest.settings.get(name) if side.manifest else None
        return None if value is None else _shown(value)

    return read


def _run(name: str) -> Read:
    def read(side: Side) -> str | None:
        value = getattr(side.report.run, name)
        return None if value is None else _shown(value)

    return read


def _shown(value: object) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def _variables(side: Side) -> str | None:
    """The template's variables in one spelling, whatever the order and spacing they were given in."""
    if side.manifest is None:
        return None
    try:
        return json.dumps(json.loads(side.manifest.chat_template_kwargs), sort_keys=True)
    except ValueError:
        return side.manifest.chat_template_kwargs


def _parity(side: Side) -> str | None:
    return side.report.parity.level.value if side.report.parity else None


_QUESTIONS: Mapping[str, _Question] = MappingProxyType(
    {
        name: _Question(read=read, weight=weight, title=title)
        for name, read, weight, title in (
            ("mode", lambda side: side.report.scoring.mode.value, Weight.REFUSES, "who answered, a model or a script"),
            ("sandbox_image", _digest("sandbox_image"), Weight.REFUSES, "the sandbox image"),
            ("session_contract", _digest("session_contract"), Weight.REFUSES, "the session contract"),
            ("render_contract", _digest("render_contract"), Weight.REFUSES, "the render contract"),
            ("chat_template", _digest("chat_template"), Weight.REFUSES, "the chat template"),
            ("template_variables", _variables, Weight.REFUSES, "the chat template's variables"),
            ("temperature", _run("temperature"), Weight.REFUSES, "the sampling temperature"),
            ("top_p", _run("top_p"), Weight.REFUSES, "the nucleus sampling mass"),
            ("max_tokens", _run("max_tokens"), Weight.REFUSES, "the limit of tokens for a reply"),
            ("max_turns", _setting("max_turns"), Weight.REFUSES, "the limit of turns"),
            ("turn_seconds", _setting("turn_seconds"), Weight.REFUSES, "the limit of seconds for a reply"),
            ("session_seconds", _setting("session_seconds"), Weight.REFUSES, "the limit of seconds for a session"),
            ("base", _digest("base"), Weight.QUALIFIES, "the base model"),
            ("tokenizer", _digest("tokenizer"), Weight.QUALIFIES, "the tokenizer"),
            ("seed", _run("seed"), Weight.QUALIFIES, "the seed"),
            ("dtype", _setting("dtype"), Weight.QUALIFIES, "the number format of the weights"),
            ("engine", _run("engine"), Weight.QUALIFIES, "the container engine"),
            ("parity_level", _parity, Weight.QUALIFIES, "how prompts were compared with the render contract"),
            ("evalh_version", _run("evalh_version"), Weight.QUALIFIES, "the version of evalh"),
            ("deterministic", _run("deterministic"), Weight.INFORMS, "one request at a time"),
            ("repeats", _run("repeats"), Weight.INFORMS, "the number of repeats"),
            ("tuned", _digest("tuned"), Weight.INFORMS, "the tuned model"),
        )
    }
)

ALLOWABLE = tuple(name for name, question in _QUESTIONS.items() if question.weight is Weight.REFUSES)


def facts(a: Side, b: Side, allowed: frozenset[str]) -> tuple[Fact, ...]:
    """Every fact of the table in both runs."""
    return tuple(_fact(name, question, a, b, allowed) for name, question in _QUESTIONS.items())


def _fact(name: str, question: _Question, a: Side, b: Side, allowed: frozenset[str]) -> Fact:
    values = question.read(a), question.read(b)
    status, note = _status(*values), None
    if name == "sandbox_image" and status is Status.DIFFERS and a.report.run.engine != b.report.run.engine:
        status, note = Status.UNKNOWN, "each engine names images in its own way"
    return Fact(
        name=name,
        weight=question.weight,
        status=status,
        allowed=status is Status.DIFFERS and name in allowed,
        a=None if values[0] is None else plain(values[0]),
        b=None if values[1] is None else plain(values[1]),
        note=note,
    )


def _status(a: str | None, b: str | None) -> Status:
    if a is None or b is None:
        return Status.UNKNOWN
    return Status.SAME if a == b else Status.DIFFERS


def refusals(found: tuple[Fact, ...]) -> tuple[str, ...]:
    """Why the runs are not compared, one sentence a fact."""
    return tuple(
        f"{_sentence(fact)} (--allow {fact.name} compares all the same)"
        for fact in found
        if fact.weight is Weight.REFUSES and fact.status is Status.DIFFERS and not fact.allowed
    )


def qualifications(found: tuple[Fact, ...]) -> tuple[str, ...]:
    """With what reservations the runs are compared: a sentence for each fact that differs, one for all unknown ones."""
    bearing = [fact for fact in found if fact.weight is not Weight.INFORMS]
    differ = [fact for fact in bearing if fact.status is Status.DIFFERS]
    unknown = [fact for fact in bearing if fact.status is Status.UNKNOWN]
    sentences = [_sentence(fact) for fact in differ if fact.weight is Weight.QUALIFIES or fact.allowed]
    sentences += [f"{_title(fact)} was not compared: {fact.note}" for fact in unknown if fact.note]
    for silent in ("A", "B", "A and B"):
        if names := [fact.name for fact in unknown if not fact.note and _silent(fact) == silent]:
            sentences.append(f"unknown in {silent}, not compared: {', '.join(names)}")
    return tuple(sentences)


def _sentence(fact: Fact) -> str:
    return f"{_title(fact)} differs: A {_short(fact.a)}, B {_short(fact.b)}"


def _title(fact: Fact) -> str:
    return f"{fact.name}: {_QUESTIONS[fact.name].title}"


def _silent(fact: Fact) -> str:
    return " and ".join(name for name, value in (("A", fact.a), ("B", fact.b)) if value is None)


def _short(value: str | None, limit: int = 24) -> str:
    shown = plain(value or "")
    return shown if len(shown) <= limit else f"{shown[: limit - 3]}..."
