"""Both splits recorded, trained on and evaluated, each step by an ordinary command, which is shown.

What is there already is not made again, so an interruption costs little.
"""

from __future__ import annotations

import io
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Final

import scenarios
from harness.demo.places import BASE
from harness.demo.plans import train_plan
from harness.demo.results.outcomes import Made, Results, Training, read_results
from harness.errors import BadInputError, InfrastructureError
from reports.files import REPORT

HOME: Final = Path("build/results")
FIRST: Final = "fdaeb9c"  # the commit that shipped the first training split
_FOLDER: Final = "scenarios/train"


def make_results(*, steps: int, n: str, show: Callable[[list[str]], None]) -> Results:
    """Train on both splits for `steps`, evaluate on `n` held-out scenarios, and read what came of it.

    Raises:
        BadInputError: the repository's history does not hold the first split. InfrastructureError: a command failed.
    """
    first = _made("first", first_split(HOME / "first"), steps=steps, n=n, show=show)
    now = _made("now", scenarios.shipped("train"), steps=steps, n=n, show=show)
    return read_results(first, now)


def first_split(folder: Path) -> Path:
    """The first training split, taken from the repository's history into `folder`; returns its directory."""
    done = subprocess.run(["git", "archive", "--format=zip", FIRST, _FOLDER], capture_output=True, check=False)
    if done.returncode != 0:
        said = done.stderr.decode(errors="replace").strip()
        raise BadInputError(
            f"the first training split is not in this repository's history: {said}",
            hint="run in the root of a full clone (`git fetch --unshallow` completes a shallow one)",
        )
    with zipfile.ZipFile(io.BytesIO(done.stdout)) as archive:
        archive.extractall(folder)
    return folder / _FOLDER


def _made(name: str, split: Path, *, steps: int, n: str, show: Callable[[list[str]], None]) -> Made:
    """One split's trajectories, adapter and run, as far as they are missing."""
    data, adapter, run = (HOME / name / part for part in ("trajectories.jsonl", "ckpt", "run"))
    loaded = scenarios.load_dir(split)
    plan = train_plan(steps=steps, seed=0, threads=None)
    recipe = ("--batch-tokens", str(plan.batch_tokens), "--lr", str(plan.learning_rate), "--rank", str(plan.rank))
    _evalh(show, "record", "--scenarios", str(split), "--base", str(BASE), "--out", str(data))
    own = ("--data", str(data), "--base", str(BASE), "--out", str(adapter), "--steps", str(steps))
    _evalh(show, "train", *own, *recipe)
    if (run / REPORT).is_file():
        pass
    elif run.is_dir():
        _evalh(show, "resume", str(run))
    else:
        _evalh(show, "run", "--adapter", str(adapter), "--n", n, "--out", str(run))
    archetypes = tuple(sorted({item.scenario.archetype for item in loaded}))
    return Made(training=Training(scenarios=len(loaded), archetypes=archetypes), adapter=adapter, run=run)


def _evalh(show: Callable[[list[str]], None], *words: str) -> None:
    show(["evalh", *words])
    done = subprocess.run([sys.executable, "-m", "evalh", *words], stdout=subprocess.DEVNULL, check=False)
    if done.returncode != 0:
        raise InfrastructureError(f"evalh {words[0]} ended with {done.returncode}", hint="see what it said above")
