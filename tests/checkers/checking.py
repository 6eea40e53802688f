"""Scenarios around single checks, and sessions around single lines."""

from __future__ import annotations

from checkers import run_checks
from harness.values import (
    Completion,
    LineEnd,
    Message,
    Outcome,
    Role,
    Session,
    SessionEnd,
    Terminal,
    Turn,
    TypedLine,
)
from harness.world import JudgedWorld
from scenarios.bundle import Scenario


def scenario(*checks: dict[str, object], expected: str = "exit", retrieved_when: str = "Orders:") -> Scenario:
    """A scenario with these checks."""
    return Scenario.model_validate(
        {
            "schema_version": 1,
            "id": "one",
            "archetype": "kin",
            "split": "holdout",
            "expected_terminal": expected,
            "provenance": "made for a test",
            "tags": {"task": "t", "provider": "p", "announcement": "motd"},
            "checks": checks or ({"kind": "file_absent", "path": "/tmp/x"},),
            "reference": {"replies": [expected]},
            "directives": {"retrieved_when": retrieved_when},
        }
    )


def judge(judged: JudgedWorld, **check: object) -> tuple[Outcome, str]:
    """Outcome and reason of one check."""
    (result,) = run_checks(scenario(check), judged)
    return result.verdict.outcome, result.verdict.reason


def passes(judged: JudgedWorld, **check: object) -> bool:
    """Whether one check passes; anything but PASS and FAIL is an error of its own."""
    outcome, reason = judge(judged, **check)
    assert outcome in {Outcome.PASS, Outcome.FAIL}
    assert reason.isprintable()
    return outcome is Outcome.PASS


def line(
    text: str,
    end: LineEnd = LineEnd.PROMPT,
    *,
    status: int | None = 0,
    parsed: bool | None = True,
    resolved: bool | None = True,
) -> TypedLine:
    """A typed line; without more said, a command that ran well."""
    return TypedLine(text=text, end=end, status=status, parsed=parsed, resolved=resolved)


def ending(text: str = "exit") -> TypedLine:
    """A line that ended the session: the shell could say nothing of it any more."""
    return line(text, LineEnd.SESSION_END, status=None, parsed=None, resolved=None)


def session(*turns: tuple[str, tuple[TypedLine, ...]], end: Terminal = Terminal.EXIT, reason: str = "") -> Session:
    """A session of turns, each an observation and its lines."""
    return Session(
        opening=(Message(role=Role.USER, content="Orders: see below\n$ "),),
        turns=tuple(
            Turn(
                index=index,
                completion=Completion(
                    text="\n".join(item.text for item in lines), finish_reason="stop", model="m", seconds=0.0
                ),
                lines=lines,
                observation=observation,
            )
            for index, (observation, lines) in enumerate(turns, start=1)
        ),
        end=SessionEnd(terminal=end, reason=reason),
    )
