"""One experiment: replies typed into a fresh world of a scenario, and what became of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import checkers
from harness.certify.snapshot import Snapshot, snapshot
from harness.errors import InfrastructureError
from harness.sandbox.protocol import Engine
from harness.session import Observers, run_session
from harness.trial import TrialPlan, landed
from harness.values import Arm, CheckResult, Completion, Message, Metrics, Outcome, Role, SessionEnd, Verdict
from scenarios import LoadedScenario
from scenarios.bundle import Scenario, Script

ATTEMPTS: Final = 2  # of an experiment whose machine failed
_SILENT: Final = Observers(opening=lambda _messages: None, turn=lambda _turn: None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """How an experiment went; `world` is what it left at the paths that the checks read, where that was asked for."""

    verdict: Verdict
    metrics: Metrics
    checks: tuple[CheckResult, ...]
    end: SessionEnd
    world: Snapshot

    @property
    def passed(self) -> bool:
        """Whether a model that had replied so would have succeeded."""
        return self.verdict.outcome is Outcome.PASS

    @property
    def signature(self) -> tuple[object, ...]:
        """What must be the same each time: the verdict, the terminal, and every check's outcome."""
        return (self.verdict.outcome, self.end.terminal, *(check.verdict.outcome for check in self.checks))


class Typed:
    """A model that says fixed replies, one a turn, and then nothing, which ends the session."""

    def __init__(self, replies: Sequence[str]) -> None:
        self._replies = tuple(replies)

    def reply(self, messages: Sequence[Message], *, seed: int, max_tokens: int) -> Completion:  # noqa: ARG002 - Model
        """The reply for the turn that the conversation has come to; an empty one past the last."""
        turn = sum(message.role is Role.ASSISTANT for message in messages)
        text = self._replies[turn] if turn < len(self._replies) else ""
        return Completion(text=text, finish_reason="stop", model="certify", seconds=0.0)


def experiment(
    loaded: LoadedScenario,
    engine: Engine,
    replies: Sequence[str],
    *,
    paths: tuple[str, ...] = (),
    script_seconds: float | None = None,
) -> Result:
    """Type the replies into a fresh container of the scenario, and judge what they leave.

    `paths` are looked at for the result's `world`. `script_seconds` shortens the time of script checks, for
    replies that mean to keep them waiting.

    Raises:
        InfrastructureError: sandbox or checker failed, twice.
    """
    judged = loaded if script_seconds is None else _hurried(loaded, script_seconds)
    for _ in range(ATTEMPTS - 1):
        try:
            return _once(judged, engine, replies, paths)
        except InfrastructureError:
            continue
    return _once(judged, engine, replies, paths)


def _once(loaded: LoadedScenario, engine: Engine, replies: Sequence[str], paths: tuple[str, ...]) -> Result:
    scenario = loaded.scenario
    plan = TrialPlan(scenario=loaded, arm=Arm.BASE, repeat=0, attempt=1, seed=0, model="certify")
    with landed(plan, engine, cast=None) as (sandbox, terminal):
        session = run_session(
            scenario,
            terminal,
            Typed(replies),
            limits=plan.limits.narrowed(scenario),
            seed=plan.seed,
            control_tokens=(),
            observers=_SILENT,
        )
        terminal.close()
        sandbox.kill_operator()
        checks = checkers.run_checks(scenario, sandbox)
        world = snapshot(scenario, sandbox.world, paths)
    metrics = checkers.measure(scenario, session, checks)
    verdict = checkers.verdict(scenario, session, metrics, checks)
    return Result(verdict=verdict, metrics=metrics, checks=checks, end=session.end, world=world)


def _hurried(loaded: LoadedScenario, seconds: float) -> LoadedScenario:
    checks = tuple(
        check.model_copy(update={"timeout": min(check.timeout, seconds)}) if isinstance(check, Script) else check
        for check in loaded.scenario.checks
    )
    scenario: Scenario = loaded.scenario.model_copy(update={"checks": checks})
    return replace(loaded, scenario=scenario)
