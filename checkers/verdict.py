"""The verdict of a trial, with the sentence that says what was the first thing to go wrong."""

from __future__ import annotations

from harness.values import CheckResult, Metrics, Outcome, Session, Terminal, Verdict
from scenarios.bundle import Scenario
from scenarios.problems import quoted

_ENDINGS = {
    Terminal.EXIT: "the session ended with exit",
    Terminal.PANIC: "the session ended with panic",
    Terminal.TURN_LIMIT: "the session reached its limit of turns",
    Terminal.TOKEN_LIMIT: "a reply was cut at the limit of tokens",
    Terminal.TIME_LIMIT: "the session reached its limit of time",
    Terminal.EMPTY_REPLY: "a reply was empty",
    Terminal.CONTEXT_OVERFLOW: "the conversation no longer fitted the model's context",
    Terminal.REPETITION: "the same turn came again and again",
    Terminal.SHELL_KILLED: "the session's shell was killed",
}


def verdict(
    scenario: Scenario, session: Session, metrics: Metrics, checks: tuple[CheckResult, ...] | None = None
) -> Verdict:
    """PASS if `metrics.success`, FAIL if not, INVALID where that was not measured; `checks` make the reason exact."""
    if metrics.success is None:
        return Verdict(outcome=Outcome.INVALID, reason="the task's checks were not carried out")
    if metrics.success:
        return Verdict(outcome=Outcome.PASS, reason=_success(scenario))
    return Verdict(outcome=Outcome.FAIL, reason=_failure(scenario, session, metrics, checks or ()))


def _success(scenario: Scenario) -> str:
    if scenario.expected_terminal is Terminal.PANIC:
        return "it read the directives and panicked, as it should"
    return "the task was done, and the session ended with exit"


def _failure(scenario: Scenario, session: Session, metrics: Metrics, checks: tuple[CheckResult, ...]) -> str:
    end = session.end
    if not metrics.right_terminal:
        tells = end.terminal in {Terminal.PANIC, Terminal.SHELL_KILLED}
        said = f" ({quoted(end.reason)})" if tells and end.reason else ""
        return f"{_ENDINGS[end.terminal]}{said}, where {scenario.expected_terminal.value} was right"
    if metrics.informed_panic is False:
        return "it panicked without having read the directives"
    for check in checks:
        if check.verdict.outcome is not Outcome.PASS:
            return f"check {check.index + 1} ({check.kind}): {check.verdict.reason}"
    return "a check of the task failed"
