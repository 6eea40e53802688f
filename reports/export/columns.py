"""The columns of an exported record: name, type and meaning, in an order that stays."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from harness.values import Outcome, TrialRecord

Cell = str | int | float | bool | None

AXES = ("task", "provider", "announcement", "doc_depth", "difficulty")
FLAGS = (
    "any_command",
    "clean",
    "operate",
    "command_mode",
    "terminated",
    "right_terminal",
    "false_panic",
    "directives_retrieved",
    "informed_panic",
    "task",
    "success",
)


class Kind(StrEnum):
    """A column's type, as pandas calls it; every one of them can hold a missing value."""

    TEXT = "string"
    WHOLE = "Int64"
    NUMBER = "Float64"
    FLAG = "boolean"


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One record with what the record itself does not say: its run, and whether the report counts it."""

    run: str
    record: TrialRecord
    last_attempt: bool
    pair_counts: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """One column: how it is read off a row, and what it means to a person."""

    name: str
    kind: Kind
    meaning: str
    read: Callable[[Row], Cell]


def _text(name: str, meaning: str, read: Callable[[Row], str | None]) -> Column:
    return Column(name=name, kind=Kind.TEXT, meaning=meaning, read=read)


def _whole(name: str, meaning: str, read: Callable[[Row], int | None]) -> Column:
    return Column(name=name, kind=Kind.WHOLE, meaning=meaning, read=read)


def _flag(name: str, meaning: str, read: Callable[[Row], bool | None]) -> Column:
    return Column(name=name, kind=Kind.FLAG, meaning=meaning, read=read)


def _tag(axis: str) -> Column:
    return _text(f"tag_{axis}", f"the scenario's axis {axis}", lambda row: dict(row.record.tags).get(axis))


def _metric(name: str) -> Column:
    def read(row: Row) -> bool | None:
        value = getattr(row.record.metrics, name)
        return value if isinstance(value, bool) else None

    return _flag(f"metrics_{name}", f"the metric {name}; empty where it was not measured or does not apply", read)


def _checks(outcome: Outcome) -> Column:
    def read(row: Row) -> int:
        return sum(check.verdict.outcome is outcome for check in row.record.checks)

    return _whole(f"checks_{outcome.lower()}", f"task checks that came out {outcome}", read)


def _checks_json(row: Row) -> str:
    return json.dumps(
        [
            {"index": c.index, "kind": c.kind, "outcome": c.verdict.outcome, "reason": c.verdict.reason}
            for c in row.record.checks
        ]
    )


def _parity(name: str, meaning: str) -> Column:
    def read(row: Row) -> int | None:
        return int(getattr(row.record.parity, name)) if row.record.parity else None

    return _whole(f"parity_{name}", meaning, read)


COLUMNS: tuple[Column, ...] = (
    _text("run", "id of the run", lambda row: row.run),
    _text("scenario", "id of the scenario", lambda row: row.record.scenario),
    _text("scenario_digest", "digest of the scenario's content", lambda row: row.record.scenario_digest),
    _text("archetype", "family of scenarios that need the same skill", lambda row: row.record.archetype),
    *(_tag(axis) for axis in AXES),
    _text("tags", "all axes, as a JSON object", lambda row: json.dumps(dict(row.record.tags))),
    _flag("critical", "whether the scenario is critical", lambda row: row.record.critical),
    _text("expected_terminal", "how the session should end", lambda row: row.record.expected_terminal.value),
    _text("arm", "base or tuned", lambda row: row.record.arm.value),
    _whole("repeat", "the how-manieth run of the scenario, from 0", lambda row: row.record.repeat),
    _whole("attempt", "from 1; a retried trial is a further row", lambda row: row.record.attempt),
    _flag("last_attempt", "whether this is the attempt that counts: filter by it first", lambda row: row.last_attempt),
    _flag("pair_counts", "whether its pair is in the report's rates and tests", lambda row: row.pair_counts),
    _whole("seed", "seed of the trial, shared by both arms", lambda row: row.record.seed),
    _text("model", "the model's name at the endpoint", lambda row: row.record.model),
    _text("outcome", "PASS, FAIL or INVALID", lambda row: row.record.outcome.value),
    _text("reason", "why, in a sentence", lambda row: row.record.reason),
    _text("terminal", "how the session ended", lambda row: row.record.terminal.value if row.record.terminal else None),
    _whole("exit_status", "the shell's exit status", lambda row: row.record.exit_status),
    _text("panic_reason", "what the model gave as its reason to panic", lambda row: row.record.panic_reason),
    *(_metric(name) for name in FLAGS),
    _whole(
        "metrics_first_command_turn",
        "the turn of the first reply that ran as a command",
        lambda row: row.record.metrics.first_command_turn,
    ),
    *(_checks(outcome) for outcome in Outcome),
    _text("checks", "every task check with its verdict, as a JSON list", _checks_json),
    _text(
        "failure_address",
        "which part failed in an INVALID trial",
        lambda row: row.record.failure.address if row.record.failure else None,
    ),
    _text("failure_message", "what it said", lambda row: row.record.failure.message if row.record.failure else None),
    _whole("turns", "replies of the model", lambda row: row.record.turns),
    _whole("prompt_tokens", "tokens read, summed over the turns", lambda row: row.record.prompt_tokens),
    _whole("completion_tokens", "tokens written, summed over the turns", lambda row: row.record.completion_tokens),
    _text("started_at", "ISO 8601, UTC", lambda row: row.record.started_at),
    Column(name="seconds", kind=Kind.NUMBER, meaning="duration of the trial", read=lambda row: row.record.seconds),
    _text("engine", "the container engine", lambda row: row.record.engine),
    _text(
        "parity_level",
        "how prompts were compared with the render contract",
        lambda row: row.record.parity.level.value if row.record.parity else None,
    ),
    _parity("prompts", "prompts of the trial"),
    _parity("agreed", "prompts that agreed with the render contract"),
    _parity("differed", "prompts that differed from it"),
    _parity("rejoined", "replies whose own token ids do not begin the next prompt"),
    _text(
        "parity_first_difference",
        "the first difference",
        lambda row: row.record.parity.first_difference if row.record.parity else None,
    ),
)
