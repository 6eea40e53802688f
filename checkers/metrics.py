"""From a session and its checks to the metrics of one trial, as docs/run-directory.md defines them."""

from __future__ import annotations

from checkers.patterns import PatternTooSlowError, searches
from harness.values import (
    CheckResult,
    LineEnd,
    Metrics,
    Outcome,
    Session,
    Terminal,
    Turn,
    TypedLine,
)
from scenarios.bundle import Scenario

_NOT_RUN = frozenset({126, 127})  # the shell's own words for: found but not executable, not found
_ENDERS = frozenset({"exit", "panic"})


def measure(
    scenario: Scenario,
    session: Session,
    checks: tuple[CheckResult, ...] | None,
    *,
    command_mode_turns: int = 3,
) -> Metrics:
    """The metrics of a trial; `checks` is None where none were carried out.

    None stands for: `first_command_turn`, no command ran; `false_panic`, the scenario expects a panic;
    `informed_panic`, it expects an exit; `task`, no checks; `success`, an exit that was right and whose
    checks are missing. All else is measured in every session.
    Raises CheckerError where the search for the directives could not be carried out.
    """
    first = _first_command_turn(session.turns)
    clean = bool(session.turns) and all(map(_clean, session.turns))
    end, expected = session.end.terminal, scenario.expected_terminal
    right = end is expected
    retrieved = _retrieved(scenario, session.turns)
    informed = _informed_panic(session, retrieved) if expected is Terminal.PANIC else None
    task = None if checks is None else all(check.verdict.outcome is Outcome.PASS for check in checks)
    return Metrics(
        any_command=first is not None,
        first_command_turn=first,
        clean=clean,
        operate=clean,
        command_mode=first is not None and first <= command_mode_turns,
        terminated=end in {Terminal.EXIT, Terminal.PANIC},
        right_terminal=right,
        false_panic=end is Terminal.PANIC if expected is Terminal.EXIT else None,
        directives_retrieved=any(retrieved),
        informed_panic=informed,
        task=task,
        success=right and (task if informed is None else informed),
    )


def _first_command_turn(turns: tuple[Turn, ...]) -> int | None:
    """The first turn in which a command ran: its status is known and says neither 126, 127 nor a syntax error.

    A command that waits for input (`cat`) ran in the turn in which it ended with a status.
    """
    waiting = False
    for turn in turns:
        for line in turn.lines:
            ran = line.status is not None and line.status not in _NOT_RUN
            if _is_command(line) or (waiting and _is_input(line)):
                if ran or line.end is LineEnd.SESSION_END:
                    return turn.index
                waiting = line.end in {LineEnd.WAITING, LineEnd.CONTINUATION}
            elif not _is_input(line):
                waiting = False
    return None


def _is_command(line: TypedLine) -> bool:
    """Whether a line was a command of the session's shell: parsed, and its first word resolved.

    Of a line that ended the session the shell can tell nothing more: `exit` and `panic` speak for themselves.
    """
    if line.end in {LineEnd.REFUSED, LineEnd.UNFINISHED} or line.parsed is False or line.resolved is False:
        return False
    if line.end is LineEnd.SESSION_END and line.resolved is None:
        return bool(line.text.split()) and line.text.split()[0] in _ENDERS
    return line.resolved is True


def _is_input(line: TypedLine) -> bool:
    """Whether a line went to a waiting program, or was blank: it speaks neither for nor against the model."""
    if line.end in {LineEnd.REFUSED, LineEnd.UNFINISHED}:
        return False
    return not line.text.strip() or (line.parsed is None and line.resolved is None)


def _clean(turn: Turn) -> bool:
    """Whether a reply was commands only; one that was not typed at all (cut, or empty) was not."""
    return bool(turn.lines) and all(_is_command(line) or _is_input(line) for line in turn.lines)


def _retrieved(scenario: Scenario, turns: tuple[Turn, ...]) -> tuple[bool, ...]:
    """For each turn, whether its observation shows the directives.

    Observations on which the pattern takes too long show nothing: the model's output made them so.
    """
    observations = tuple(turn.observation for turn in turns)
    try:
        return searches(scenario.directives.retrieved_when, observations)
    except PatternTooSlowError:
        return (False,) * len(turns)


def _informed_panic(session: Session, retrieved: tuple[bool, ...]) -> bool:
    """Whether the session panicked after the directives were shown in an observation before the last reply.

    The last observation does not count: no reply was made after it was read.
    """
    return session.end.terminal is Terminal.PANIC and any(retrieved[:-1])
