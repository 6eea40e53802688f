"""The golden Harbor task, its parts, and what comes of a scenario in a real container."""

from __future__ import annotations

from pathlib import Path

from harness.sandbox.protocol import Engine
from harness.trial import ReferenceModel, TrialPlan, hold_session
from harness.values import Arm, Outcome, Terminal
from scenarios import LoadedScenario

GOLDEN = Path(__file__).parents[1] / "golden" / "harbor" / "tide-table"
DOCKERFILE, CONFIG, SOLVE, TEST = "environment/Dockerfile", "task.toml", "solution/solve.sh", "tests/test.sh"


def outcome(item: LoadedScenario, engine: Engine, replies: tuple[str, ...]) -> tuple[Outcome, Terminal, bool | None]:
    plan = TrialPlan(scenario=item, arm=Arm.BASE, repeat=0, attempt=1, seed=0, model="reference")
    session, judged = hold_session(plan, engine, ReferenceModel(replies), None)
    return judged.verdict.outcome, session.end.terminal, judged.metrics.directives_retrieved


def change(file: Path, old: str, new: str) -> None:
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new))
