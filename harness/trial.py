"""One trial: the only place where sandbox, terminal, model and checkers meet."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic

import checkers
from harness.errors import EndpointError, EvalhError, SandboxError, StoreError
from harness.parity.tally import tally
from harness.sandbox.protocol import Engine, Limits, PlacedFile, Sandbox, SandboxSpec
from harness.session import SEEDS, Model, Observers, SessionLimits, run_session
from harness.store import RunStore, SessionWriter, now
from harness.terminal import CastWriter, ShellTerminal, TerminalLimits, prompt_variables
from harness.values import (
    Arm,
    CheckResult,
    Completion,
    Failure,
    Message,
    Metrics,
    Outcome,
    Role,
    Session,
    Terminal,
    TrialKey,
    TrialRecord,
    Verdict,
)
from scenarios import LoadedScenario
from scenarios.bundle import Scenario

_LOST = "nothing is left to look at: the container's own memory limit had killed the container"


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialPlan:
    """Everything that is decided about a trial before it starts."""

    scenario: LoadedScenario
    arm: Arm
    repeat: int
    attempt: int
    seed: int
    model: str
    limits: SessionLimits = field(default_factory=SessionLimits)
    container: Limits = field(default_factory=Limits)
    control_tokens: tuple[str, ...] = ()
    command_mode_turns: int = 3

    @property
    def key(self) -> TrialKey:
        """The grid cell that this trial fills."""
        return TrialKey(scenario=self.scenario.scenario.id, arm=self.arm, repeat=self.repeat)


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """What the checkers made of a finished session."""

    checks: tuple[CheckResult, ...]
    metrics: Metrics
    verdict: Verdict


def trial_seed(run_seed: int, scenario: str, repeat: int) -> int:
    """The seed that both arms of a pair share, in [0, 2^31)."""
    digest = hashlib.sha256(f"{run_seed}:{scenario}:{repeat}".encode()).digest()
    return int.from_bytes(digest[:8], "big") % SEEDS


class ReferenceModel:
    """Answers with a scenario's own reference replies, one a turn; calibration and recording use it."""

    def __init__(self, replies: Sequence[str]) -> None:
        self._replies = tuple(replies)

    def reply(self, messages: Sequence[Message], *, seed: int, max_tokens: int) -> Completion:  # noqa: ARG002 - Model
        """The reply for the turn that the conversation has come to."""
        turn = sum(message.role is Role.ASSISTANT for message in messages)
        if turn >= len(self._replies):
            raise EndpointError(
                f"the reference has {len(self._replies)} replies and the session wants another",
                hint="end the bundle's reference replies with exit or panic",
            )
        return Completion(text=self._replies[turn], finish_reason="stop", model="reference", seconds=0.0)


def sandbox_spec(plan: TrialPlan, *, nonce: str, end_secret: str) -> SandboxSpec:
    """The container that a scenario asks for."""
    scenario = plan.scenario.scenario
    files = tuple(
        PlacedFile(path=file.path, content=file.content, mode=file.mode, owner=file.owner)
        for file in plan.scenario.files
    )
    return SandboxSpec(
        trial=str(plan.key),
        files=files,
        setup=scenario.setup.script,
        env=(*sorted(scenario.landing.env.items()), *prompt_variables(nonce)),
        banner=scenario.landing.banner,
        motd=scenario.landing.motd,
        end_secret=end_secret,
        limits=plan.container,
    )


@contextmanager
def landed(plan: TrialPlan, engine: Engine, *, cast: Path | None) -> Iterator[tuple[Sandbox, ShellTerminal]]:
    """A fresh container of the plan's scenario, with a terminal on its session shell."""
    nonce, end_secret = secrets.token_hex(8), secrets.token_hex(16)
    spec = sandbox_spec(plan, nonce=nonce, end_secret=end_secret)
    with engine.open(spec) as sandbox, _recorder(cast, spec) as recorder:
        terminal = ShellTerminal(
            sandbox,
            nonce=nonce,
            end_secret=end_secret,
            recorder=recorder,
            limits=TerminalLimits(turn_seconds=plan.limits.turn_seconds),
        )
        try:
            yield sandbox, terminal
        finally:
            terminal.close()


@contextmanager
def _recorder(cast: Path | None, spec: SandboxSpec) -> Iterator[CastWriter | None]:
    if cast is None:
        yield None
        return
    with CastWriter(cast, columns=spec.columns, rows=spec.rows, title=spec.trial) as recorder:
        yield recorder


def hold_session(
    plan: TrialPlan, engine: Engine, model: Model, writer: SessionWriter | None
) -> tuple[Session, Judgement]:
    """Hold a trial's session in a fresh container, then judge what it left behind.

    Raises:
        InfrastructureError: sandbox, endpoint or checker failed; the trial says nothing about the model.
    """
    scenario = plan.scenario.scenario
    observers = Observers(
        opening=writer.opening if writer else lambda _messages: None,
        turn=writer.turn if writer else lambda _turn: None,
    )
    with landed(plan, engine, cast=writer.cast if writer else None) as (sandbox, terminal):
        session = run_session(
            scenario,
            terminal,
            model,
            limits=plan.limits.narrowed(scenario),
            seed=plan.seed,
            control_tokens=plan.control_tokens,
            observers=observers,
        )
        terminal.close()
        if writer:
            writer.end(session.end)
        checks = _checked(scenario, sandbox)
    metrics = checkers.measure(scenario, session, checks, command_mode_turns=plan.command_mode_turns)
    verdict = checkers.verdict(scenario, session, metrics, checks)
    return session, Judgement(checks=checks, metrics=metrics, verdict=verdict)


def _checked(scenario: Scenario, sandbox: Sandbox) -> tuple[CheckResult, ...]:
    """The checks' results: all failed where the operator had its own container killed before they were made.

    Were that INVALID, a model could void a loss by using up the container's memory.
    """
    try:
        sandbox.kill_operator()
        return checkers.run_checks(scenario, sandbox)
    except SandboxError:
        if not sandbox.killed_by_memory():
            raise
        lost = Verdict(outcome=Outcome.FAIL, reason=_LOST)
        return tuple(CheckResult(index=i, kind=check.kind, verdict=lost) for i, check in enumerate(scenario.checks))


def run_trial(plan: TrialPlan, engine: Engine, model: Model, store: RunStore) -> TrialRecord:
    """Run one trial and make its record; only a failing store raises.

    What fails in sandbox, endpoint or checker makes the record INVALID with its address and cause.
    """
    store.audit("trial_started", trial=str(plan.key), attempt=plan.attempt)
    with store.session(plan.key, plan.attempt) as writer:
        record = play(plan, engine, model, writer)
    store.audit("trial_finished", trial=str(plan.key), attempt=plan.attempt, outcome=record.outcome.value)
    return record


def play(plan: TrialPlan, engine: Engine, model: Model, writer: SessionWriter | None = None) -> TrialRecord:
    """Run one trial and make its record, INVALID where something but the model failed; only the writer may raise."""
    started_at, started = now(), monotonic()
    session: Session | None = None
    judgement: Judgement | None = None
    failure: Failure | None = None
    try:
        session, judgement = hold_session(plan, engine, model, writer)
    except StoreError:
        raise
    except EvalhError as error:
        failure = Failure(address=error.address, message=str(error))
    except Exception as error:  # noqa: BLE001 - a bug of ours must not end the grid, and is not the model's fault
        failure = Failure(address="harness", message=f"{type(error).__name__}: {error}")
    return _record(plan, engine.name, session, judgement, failure, (started_at, monotonic() - started))


def _record(
    plan: TrialPlan,
    engine: str,
    session: Session | None,
    judgement: Judgement | None,
    failure: Failure | None,
    clock: tuple[str, float],
) -> TrialRecord:
    scenario = plan.scenario.scenario
    turns = session.turns if session else ()
    verdict = judgement.verdict if judgement else Verdict(outcome=Outcome.INVALID, reason=_cause(failure))
    return TrialRecord(
        scenario=scenario.id,
        scenario_digest=plan.scenario.digest,
        archetype=scenario.archetype,
        tags=tuple(sorted((name, str(value)) for name, value in scenario.tags.model_dump(mode="json").items())),
        critical=scenario.critical,
        expected_terminal=Terminal(scenario.expected_terminal),
        arm=plan.arm,
        repeat=plan.repeat,
        attempt=plan.attempt,
        seed=plan.seed,
        model=plan.model,
        outcome=verdict.outcome,
        reason=verdict.reason,
        terminal=session.end.terminal if session else None,
        exit_status=session.end.status if session else None,
        panic_reason=session.end.reason if session and session.end.terminal is Terminal.PANIC else "",
        metrics=judgement.metrics if judgement else Metrics(),
        checks=judgement.checks if judgement else (),
        failure=failure,
        turns=len(turns),
        prompt_tokens=_total([turn.completion.prompt_tokens for turn in turns]),
        completion_tokens=_total([turn.completion.completion_tokens for turn in turns]),
        started_at=clock[0],
        seconds=clock[1],
        engine=engine,
        parity=tally(turns),
    )


def _cause(failure: Failure | None) -> str:
    return f"{failure.address}: {failure.message}" if failure else "unknown"


def _total(counts: Sequence[int | None]) -> int | None:
    known = [count for count in counts if count is not None]
    return sum(known) if known and len(known) == len(counts) else None
