"""Run directories for the page's tests: written by the store and the recorder themselves, with chosen words in them."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path

from harness import store
from harness.store import RunStore
from harness.terminal import CastWriter
from harness.values import (
    Arm,
    Completion,
    LineEnd,
    Message,
    Outcome,
    Role,
    SessionEnd,
    Terminal,
    TrialRecord,
    Turn,
    TypedLine,
)
from tests.records import manifest, record

LANDING = "Welcome. Duty: /srv/duty.txt\r\n$ "
HOSTILE_WORDS = "</script><img src=x onerror=alert(1)><script>alert(2)</script>"
HOSTILE_SHELL = (
    f"{HOSTILE_WORDS}\r\n"
    "\x1b]0;a title\x07\x1b]8;;javascript:alert(3)\x1b\\a link\x1b]8;;\x1b\\ \x1b]52;c;cm0gLXJm\x07"
    "\x1b[31mred\x1b[0m \u202egnp.exe\u202c \x1b[8mhidden\x1b[0m\r\n"
    "\x1e0123456789abcdef:0:7\x1f" + "x" * 200_000 + "\r\n$ "
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One turn: what the model said, and the terminal's bytes that followed, one piece for each line typed."""

    reply: str
    shown: tuple[str, ...]
    end: LineEnd = LineEnd.PROMPT

    @property
    def lines(self) -> tuple[TypedLine, ...]:
        """The reply as it was typed; nothing, where nothing was shown."""
        return tuple(TypedLine(text=line, end=self.end, status=0) for line in self.reply.split("\n") if self.shown)


GOOD = (
    Step(reply="cat /srv/duty.txt", shown=("Count the barges.\r\n$ ",)),
    Step(reply="cd /srv\nwc -l barges", shown=("$ ", "12 barges\r\n$ ")),
    Step(reply="exit", shown=("",), end=LineEnd.SESSION_END),
)
BAD = (
    Step(reply="I would be happy to help!", shown=("/bin/sh: 1: I: not found\r\n$ ",)),
    Step(reply="and so on and so", shown=()),
)
HOSTILE = (Step(reply=f"echo '{HOSTILE_WORDS}' \x1b[2J\u202e", shown=(HOSTILE_SHELL,)),)


def write_session(run: RunStore, trial: TrialRecord, steps: Sequence[Step]) -> None:
    """A session's two files, as the recorder and the store write them."""
    with run.session(trial.key, trial.attempt) as session, CastWriter(session.cast, columns=200, rows=50) as cast:
        session.opening((Message(role=Role.USER, content=LANDING.replace("\r\n", "\n")),))
        cast.output(LANDING.encode())
        for index, step in enumerate(steps, start=1):
            if step.shown:
                cast.marker(f"{index}: {step.reply.splitlines()[0]}")
            for piece in step.shown:
                cast.output(piece.encode())
            said = Completion(text=step.reply, finish_reason="stop", model="m", completion_tokens=9, seconds=1.5)
            session.turn(Turn(index=index, completion=said, lines=step.lines, observation="".join(step.shown)))
        session.end(SessionEnd(terminal=Terminal.EXIT, status=0))


def trials(scenario: str, *, base: bool | None, tuned: bool | None, repeat: int = 0) -> tuple[TrialRecord, TrialRecord]:
    """Both trials of a pair, by who succeeded (None: INVALID)."""
    first, second = (
        record(scenario, arm, success=won, repeat=repeat) for arm, won in ((Arm.BASE, base), (Arm.TUNED, tuned))
    )
    return first, second


def write_run(path: Path, *, repeats: int = 1) -> Path:
    """A run of five scenarios: won, lost, tied, invalid, and one with a hostile model; finished."""
    won = trials("archive-01", base=False, tuned=True)
    lost = trials("archive-02", base=True, tuned=False)
    tied = trials("count-01", base=True, tuned=True)
    broken = trials("count-02", base=True, tuned=None)
    hostile = tuple(
        replace(trial, reason=HOSTILE_WORDS, panic_reason=f"\x1b[31m{HOSTILE_WORDS}", outcome=Outcome.FAIL)
        for trial in trials("hostile-01", base=False, tuned=False)
    )
    pairs = [won, lost, tied, broken, hostile]
    names = [first.scenario for first, _ in pairs]
    with closing(store.create(path, manifest(*names, repeats=repeats))) as run:
        run.audit("run_started", finished=0, engine="crun")
        for pair in pairs:
            for trial in pair:
                steps = HOSTILE if trial.scenario.startswith("hostile") else GOOD if trial.metrics.success else BAD
                write_session(run, trial, steps)
                run.append_trial(trial)
        run.audit("run_finished")
    return path
