"""The session: a model and a terminal take turns until one of them ends it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from time import monotonic
from typing import Protocol

import render
from harness.errors import ContextOverflowError
from harness.values import Completion, Exchange, Message, Role, Session, SessionEnd, Terminal, Turn
from scenarios.bundle import Scenario

CONTRACT_VERSION = "1"
SEEDS = 2**31


class Model(Protocol):
    """Whatever answers: an endpoint under one model name, or the reference replies."""

    def reply(self, messages: Sequence[Message], *, seed: int, max_tokens: int) -> Completion:
        """The next reply to a normalised conversation; EndpointError if none can be had."""
        ...


class Typist(Protocol):
    """A terminal that types replies; harness.terminal.ShellTerminal is one."""

    def landing(self, timeout: float) -> bytes:
        """What the terminal shows up to and including the first prompt."""
        ...

    def type_reply(self, reply: str, *, deadline_seconds: float) -> Exchange:
        """Type a reply and wait for what it does."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionLimits:
    """When the harness ends a session of its own accord."""

    turns: int = 12
    seconds: float = 120.0  # spent in the shell; waiting for the endpoint does not count
    turn_seconds: float = 20.0  # for one reply, then ^C
    output_bytes: int = 8192  # of one observation
    tokens: int = 160  # of one reply
    repetitions: int = 4  # the same reply and observation, that many times in a row
    landing_seconds: float = 30.0

    def narrowed(self, scenario: Scenario) -> SessionLimits:
        """The limits as this scenario's own `[limits]` change them."""
        own = scenario.limits
        return replace(
            self,
            turns=own.turns or self.turns,
            seconds=own.seconds or self.seconds,
            output_bytes=own.output_bytes or self.output_bytes,
            tokens=own.tokens or self.tokens,
        )

    def longest(self, *, reply_seconds: float) -> float:
        """The most seconds from the first prompt to the session's end, where each reply takes `reply_seconds`."""
        return self.landing_seconds + self.seconds + self.turns * reply_seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class Observers:
    """Who is told of each step while the session runs; each call returns before the next step."""

    opening: Callable[[tuple[Message, ...]], None]
    turn: Callable[[Turn], None]


def run_session(
    scenario: Scenario,
    terminal: Typist,
    model: Model,
    *,
    limits: SessionLimits,
    seed: int,
    control_tokens: tuple[str, ...],
    observers: Observers,
) -> Session:
    """Hold one session and say how it ended.

    Raises:
        EndpointError: no reply could be had. SandboxError: the terminal was lost.
    """
    landing = terminal.landing(limits.landing_seconds)
    shown = render.observed(landing, cap_bytes=limits.output_bytes, control_tokens=control_tokens)
    opening: tuple[Message, ...] = (Message(role=Role.USER, content=shown),)
    if scenario.landing.orientation.strip():
        orientation = render.break_control_tokens(scenario.landing.orientation, control_tokens)
        opening = (Message(role=Role.SYSTEM, content=orientation), *opening)
    observers.opening(opening)
    turns: list[Turn] = []
    end: SessionEnd | None = None
    while end is None:
        if len(turns) >= limits.turns:
            end = SessionEnd(terminal=Terminal.TURN_LIMIT, reason=f"{limits.turns} turns")
            break
        messages = conversation(opening, turns, control_tokens)
        try:
            completion = model.reply(messages, seed=(seed + len(turns)) % SEEDS, max_tokens=limits.tokens)
        except ContextOverflowError as error:
            end = SessionEnd(terminal=Terminal.CONTEXT_OVERFLOW, reason=error.message)
            break
        turn, end = _take_turn(terminal, completion, turns, limits, control_tokens)
        turns.append(turn)
        observers.turn(turn)
    return Session(opening=opening, turns=tuple(turns), end=end)


def conversation(
    opening: tuple[Message, ...], turns: Sequence[Turn], control_tokens: tuple[str, ...]
) -> tuple[Message, ...]:
    """The messages that the model reads before its next reply, under the render contract."""
    messages = list(opening)
    for turn in turns:
        reply = render.replied(turn.completion.text, control_tokens)
        messages.append(Message(role=Role.ASSISTANT, content=reply))
        messages.append(Message(role=Role.USER, content=turn.observation))
    return render.normalize_for_template(messages)


def _take_turn(
    terminal: Typist,
    completion: Completion,
    before: Sequence[Turn],
    limits: SessionLimits,
    control_tokens: tuple[str, ...],
) -> tuple[Turn, SessionEnd | None]:
    turn = Turn(index=len(before) + 1, completion=completion)
    if completion.finish_reason == "length":  # a stump must never run
        return turn, SessionEnd(terminal=Terminal.TOKEN_LIMIT, reason=f"reply cut at {limits.tokens} tokens")
    if not any(character.isprintable() and not character.isspace() for character in completion.text):
        return turn, SessionEnd(terminal=Terminal.EMPTY_REPLY, reason="a reply without a visible character")
    spent = sum(earlier.typing_seconds for earlier in before)
    started = monotonic()
    exchange = terminal.type_reply(
        completion.text, deadline_seconds=max(1.0, min(limits.turn_seconds, limits.seconds - spent))
    )
    observation = render.observed(
        exchange.output,
        cap_bytes=limits.output_bytes,
        omitted_bytes=exchange.omitted_bytes,
        control_tokens=control_tokens,
    )
    seconds = monotonic() - started
    turn = replace(turn, lines=exchange.lines, observation=observation, typing_seconds=seconds)
    if exchange.end is not None:
        return turn, exchange.end
    if spent + seconds >= limits.seconds:
        return turn, SessionEnd(terminal=Terminal.TIME_LIMIT, reason=f"{limits.seconds:g} s in the shell")
    if _repeats((*before, turn), limits.repetitions):
        return turn, SessionEnd(terminal=Terminal.REPETITION, reason=f"the same turn {limits.repetitions} times")
    return turn, None


def _repeats(turns: Sequence[Turn], times: int) -> bool:
    last = [(turn.completion.text, turn.observation) for turn in turns[-times:]]
    return len(last) == times and len(set(last)) == 1
