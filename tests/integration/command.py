"""The evalh command as a user runs it, and the small suite that these tests run it on."""

from __future__ import annotations

import os
import subprocess
import sys
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path

from harness.store import read_trials
from harness.values import TrialRecord

SUITE = Path(__file__).parents[1] / "golden" / "suite"
UNPROVEN = ("--allow-uncertified",)  # that suite has scenarios that misbehave on purpose


def evalh(*arguments: str, cwd: Path, timeout: float = 240.0) -> subprocess.CompletedProcess[str]:
    """Run the command to its end."""
    return subprocess.run(
        [sys.executable, "-m", "evalh", *arguments],
        check=False,
        capture_output=True,
        text=True,
        cwd=cwd,
        timeout=timeout,
        env={**os.environ, "NO_COLOR": "1"},
    )


def started(*arguments: str, cwd: Path) -> subprocess.Popen[str]:
    """Start the command and come back at once."""
    return subprocess.Popen(
        [sys.executable, "-m", "evalh", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        cwd=cwd,
        start_new_session=True,
    )


def against(url: str, engine: str, *more: str, suite: Path = SUITE) -> tuple[str, ...]:
    """The arguments of a run of the models `plain` and `trained` at a server."""
    names = ("--base-model", "plain", "--tuned-model", "trained")
    return (
        "run",
        "--endpoint",
        url,
        *names,
        "--scenarios",
        str(suite),
        "--engine",
        engine,
        "--out",
        "run",
        *UNPROVEN,
        *more,
    )


def reference_rules(suite: Path = SUITE) -> list[Mapping[str, object]]:
    """Script rules that answer each scenario of the suite with its reference replies."""
    rules: list[Mapping[str, object]] = []
    for path in sorted(suite.rglob("*.toml")):
        bundle = tomllib.loads(path.read_text())
        landing = bundle.get("landing", {})
        when = landing.get("motd", "").strip() or landing.get("orientation", "").strip()
        rules.append({"when": when.replace("/", "\\/"), "replies": bundle["reference"]["replies"]})
    return rules


def script(plain: Sequence[object], trained: Sequence[object] | None = None) -> dict[str, object]:
    """A script in which `plain` says the given replies and `trained` those, or the reference replies."""
    spoken: dict[str, object] = {"replies": list(trained)} if trained is not None else {"rules": reference_rules()}
    return {"models": {"plain": {"replies": list(plain)}, "trained": spoken}}


def records(run: Path) -> dict[str, TrialRecord]:
    """The last record of each trial, by its name."""
    return {str(record.key): record for record in read_trials(run)}
