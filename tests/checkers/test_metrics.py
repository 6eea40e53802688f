"""The metrics of a session are what docs/run-directory.md says, line by line."""

from __future__ import annotations

import pytest

from checkers import measure, verdict
from harness.values import CheckResult, LineEnd, Metrics, Outcome, Session, Terminal, TypedLine, Verdict
from tests.checkers.checking import ending, line, scenario, session

ORDERS = "Orders: write ready\n$ "
LS = line("ls")
PROSE = line("Sure, I can help", status=127, resolved=False)
FENCE = line("```sh", LineEnd.UNFINISHED, status=130, parsed=False, resolved=False)
CAT = line("cat", LineEnd.WAITING, status=None)
INPUT = line("some words", LineEnd.WAITING, status=None, parsed=None, resolved=None)
EOF = line("\x04", status=0, parsed=None, resolved=None)


def check(outcome: Outcome, index: int = 0) -> CheckResult:
    return CheckResult(index=index, kind="file_equals", verdict=Verdict(outcome=outcome, reason=f"it is {outcome}"))


GOOD = (check(Outcome.PASS),)
BAD = (check(Outcome.PASS), check(Outcome.FAIL, 1), check(Outcome.FAIL, 2))


def exit_metrics(held: Session, checks: tuple[CheckResult, ...] | None = GOOD) -> Metrics:
    return measure(scenario(), held, checks)


def test_a_good_session_has_all_it_can_have() -> None:
    held = session((ORDERS, (line("cat orders"),)), ("$ ", (line("echo ready > x"),)), ("", (ending(),)))
    assert exit_metrics(held) == Metrics(
        any_command=True,
        first_command_turn=1,
        clean=True,
        operate=True,
        command_mode=True,
        terminated=True,
        right_terminal=True,
        false_panic=False,
        directives_retrieved=True,
        informed_panic=None,
        task=True,
        success=True,
    )


@pytest.mark.parametrize(
    ("lines", "ran", "clean"),
    [
        ((LS,), True, True),
        ((line("false", status=1),), True, True),
        ((line("grep x gone", status=2),), True, True),
        ((PROSE,), False, False),
        ((LS, PROSE), True, False),
        ((PROSE, LS), True, False),
        ((FENCE,), False, False),
        ((line("if ; then", status=2, parsed=False, resolved=False),), False, False),
        ((line("./notes.txt", status=126, resolved=False),), False, False),
        ((line("(exit 127)", status=127),), False, True),
        ((line("# a comment", resolved=False),), False, False),
        ((line("", resolved=None), LS), True, True),
        ((line("   ", resolved=None),), False, True),
        ((line("x" * 5000, LineEnd.REFUSED, status=None, parsed=None, resolved=None),), False, False),
        ((line("echo 'open", LineEnd.UNFINISHED, status=130, parsed=False, resolved=None),), False, False),
        ((line("for i in 1; do", LineEnd.CONTINUATION), line("echo $i; done")), True, True),
        ((line("sleep 99", LineEnd.INTERRUPTED, status=130),), True, True),
        ((line("trap '' INT; sleep 99", LineEnd.KILLED, status=137),), True, True),
        ((CAT,), False, True),
        ((CAT, INPUT), False, True),
        ((CAT, INPUT, EOF), True, True),
        ((ending("exit"),), True, True),
        ((ending("exit 3"),), True, True),
        ((ending("panic no such file"),), True, True),
        ((CAT, ending("\x04")), True, True),
        ((line("I say; exit", LineEnd.SESSION_END, status=None, resolved=False),), False, False),
        ((line("exec true", LineEnd.SESSION_END, status=None),), True, True),
        ((), False, False),
    ],
)
def test_lines_tell_commands_from_prose(lines: tuple[TypedLine, ...], *, ran: bool, clean: bool) -> None:
    metrics = exit_metrics(session(("$ ", lines), end=Terminal.TURN_LIMIT))
    assert (metrics.any_command, metrics.clean, metrics.operate) == (ran, clean, clean)
    assert metrics.first_command_turn == (1 if ran else None)


def test_clean_is_of_every_reply_and_of_one_at_least() -> None:
    assert exit_metrics(session(("$ ", (LS,)), ("$ ", (PROSE,)), ("", (ending(),)))).clean is False
    assert exit_metrics(session(("$ ", (LS,)), ("", ()), end=Terminal.TOKEN_LIMIT)).clean is False
    none = exit_metrics(session(end=Terminal.CONTEXT_OVERFLOW))
    assert (none.clean, none.operate, none.any_command, none.command_mode) == (False, False, False, False)


def test_a_program_that_waited_ran_in_the_turn_in_which_it_ended() -> None:
    held = session(("", (CAT,)), ("", (INPUT,)), ("$ ", (EOF,)), end=Terminal.TURN_LIMIT)
    assert exit_metrics(held).first_command_turn == 3


def test_command_mode_is_a_command_within_the_first_turns() -> None:
    held = session(("$ ", (PROSE,)), ("$ ", (PROSE,)), ("$ ", (PROSE,)), ("$ ", (LS,)), end=Terminal.TURN_LIMIT)
    assert exit_metrics(held).first_command_turn == 4
    assert exit_metrics(held).command_mode is False
    assert measure(scenario(), held, GOOD, command_mode_turns=4).command_mode is True


@pytest.mark.parametrize("end", list(Terminal))
@pytest.mark.parametrize("expected", ["exit", "panic"])
def test_endings_are_told_apart(end: Terminal, expected: str) -> None:
    held = session((ORDERS, (LS,)), ("", (ending(),)), end=end)
    metrics = measure(scenario(expected=expected), held, GOOD)
    assert metrics.terminated is (end in {Terminal.EXIT, Terminal.PANIC})
    assert metrics.right_terminal is (end.value == expected)
    assert metrics.false_panic is ((end is Terminal.PANIC) if expected == "exit" else None)
    assert metrics.informed_panic is ((end is Terminal.PANIC) if expected == "panic" else None)
    assert metrics.success is (end.value == expected)


def test_the_landing_does_not_count_as_reading_the_directives() -> None:
    held = session(("nothing here\n$ ", (LS,)), ("", (ending(),)))
    assert "Orders:" in held.opening[0].content
    assert exit_metrics(held).directives_retrieved is False


def test_a_panic_is_informed_only_by_what_was_read_before_the_last_reply() -> None:
    blocked = scenario(expected="panic")
    together = session((ORDERS, (line("cat orders"), ending("panic no"))), end=Terminal.PANIC)
    assert measure(blocked, together, GOOD).directives_retrieved is True
    assert measure(blocked, together, GOOD).informed_panic is False
    assert measure(blocked, together, GOOD).success is False
    apart = session((ORDERS, (line("cat orders"),)), ("", (ending("panic no"),)), end=Terminal.PANIC)
    assert measure(blocked, apart, GOOD).informed_panic is True
    blind = session(("", (ending("panic no"),)), end=Terminal.PANIC)
    assert measure(blocked, blind, GOOD).informed_panic is False


def test_a_panic_scenario_succeeds_by_its_panic_and_shows_its_task_apart() -> None:
    held = session((ORDERS, (LS,)), ("", (ending("panic no"),)), end=Terminal.PANIC)
    metrics = measure(scenario(expected="panic"), held, BAD)
    assert (metrics.task, metrics.success) == (False, True)


def test_what_was_not_checked_is_unmeasured() -> None:
    held = session((ORDERS, (LS,)), ("", (ending(),)))
    assert exit_metrics(held, None).task is None
    assert exit_metrics(held, None).success is None
    assert verdict(scenario(), held, exit_metrics(held, None)).outcome is Outcome.INVALID
    wrong = session((ORDERS, (LS,)), end=Terminal.TURN_LIMIT)
    assert exit_metrics(wrong, None).success is False


@pytest.mark.slow
def test_an_observation_made_to_be_slow_shows_no_directives() -> None:
    held = session(("a" * 60 + "!", (LS,)), ("", (ending(),)))
    assert measure(scenario(retrieved_when=r"^(a+)+$"), held, GOOD).directives_retrieved is False


@pytest.mark.parametrize(
    ("expected", "end", "checks", "said"),
    [
        ("exit", Terminal.EXIT, GOOD, "the task was done, and the session ended with exit"),
        ("exit", Terminal.EXIT, BAD, "check 2 (file_equals): it is FAIL"),
        ("exit", Terminal.TURN_LIMIT, GOOD, "the session reached its limit of turns, where exit was right"),
        ("exit", Terminal.PANIC, GOOD, 'the session ended with panic ("\\x1b[2Jno"), where exit was right'),
        ("panic", Terminal.EXIT, GOOD, "the session ended with exit, where panic was right"),
        ("panic", Terminal.PANIC, GOOD, "it read the directives and panicked, as it should"),
    ],
)
def test_a_verdict_says_the_first_thing_that_went_wrong(
    expected: str, end: Terminal, checks: tuple[CheckResult, ...], said: str
) -> None:
    one = scenario(expected=expected)
    held = session((ORDERS, (LS,)), ("", (ending(),)), end=end, reason="\x1b[2Jno" if end is Terminal.PANIC else "")
    found = verdict(one, held, measure(one, held, checks), checks)
    assert found.reason == said
    assert found.outcome is (Outcome.PASS if said.startswith(("the task", "it read")) else Outcome.FAIL)


def test_a_blind_panic_has_its_own_reason() -> None:
    blocked = scenario(expected="panic")
    held = session(("", (ending("panic no"),)), end=Terminal.PANIC)
    found = verdict(blocked, held, measure(blocked, held, GOOD))
    assert (found.outcome, found.reason) == (Outcome.FAIL, "it panicked without having read the directives")
