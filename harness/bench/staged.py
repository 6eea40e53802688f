"""Whole runs by `evalh run`: of a script that succeeds at random, or of one adapter against itself."""

from __future__ import annotations

import random
import re
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import scenarios
from harness.endpoint.managed import resident_server
from harness.endpoint.scripted import scripted_server
from harness.errors import EvalhError
from harness.store import read_manifest, read_trials
from harness.values import Arm, ParityLevel
from reports import Policy, ScoringMode, build_report, run_info
from reports.schema import GateResult
from reports.words import ClaimKind, Status
from scenarios import LoadedScenario, Split

NAMES = {Arm.BASE: "one", Arm.TUNED: "other"}
DONE = {0, 10, 20}  # exit codes of a run that came to a report


@dataclass(frozen=True, slots=True, kw_only=True)
class Staged:
    """One whole run: what its gate would say had a model answered, and its superiority claim alone."""

    promoted: bool
    claimed: bool
    pairs: int
    invalid: int
    told_apart: int  # scenarios whose landing shows something, by which a script can know them


def told_apart(chosen: Sequence[LoadedScenario]) -> int:
    """How many of these scenarios a script can win at all: those whose landing shows more than a prompt."""
    return sum(bool(_shown(loaded)) for loaded in chosen)


def scripted_run(
    seed: int, pairs: int, rates: Mapping[Arm, float], policy: Policy, folder: Path, *, engine: str, stops: bool
) -> Staged:
    """Run `pairs` shipped scenarios with a script that gives the reference replies at random, else leaves at once."""
    loaded = scenarios.load_dir(scenarios.shipped(Split.HOLDOUT), split=Split.HOLDOUT)
    chosen = scenarios.pick(loaded, pairs, seed or None)
    draw = random.Random(f"scripted run:{seed}")  # noqa: S311 - a simulation
    script = {"models": {name: _script(chosen, rates[arm], draw) for arm, name in NAMES.items()}}
    with scripted_server(script) as url:
        more = ("--stop-when", "decided") if stops else ()
        done = staged_run(url, seed, pairs, policy, folder, ("--engine", engine, *more))
    return replace(done, told_apart=told_apart(chosen))


def adapter_runs(
    adapter: Path,
    base: Path | None,
    seeds: Sequence[int],
    pairs: int,
    policy: Policy,
    folder: Path,
    *,
    engine: str,
    temperature: float,
) -> list[Staged]:
    """Run one adapter as both arms, served under two names, at a temperature, once for each seed.

    The arms of a pair share a seed, as they do in any run, so their replies part only where the server's batches do.
    """
    from harness.arms import local_arms  # reads the checkpoint

    arms = local_arms(adapter, base)
    flags = ["--engine", engine, "--liveness", "off", "--tokenizer", str(Path(arms.tokenizer or "").absolute())]
    flags += ["--temperature", str(temperature)]
    with resident_server(Path(arms.base.path or ""), dict.fromkeys(NAMES.values(), adapter)) as url:
        return [staged_run(url, seed, pairs, policy, folder / str(seed), flags) for seed in seeds]


def staged_run(url: str, seed: int, pairs: int, policy: Policy, run: Path, flags: Sequence[str]) -> Staged:
    """`evalh run` against a server, then its records judged as if nothing but their numbers spoke against promotion.

    A script, and a model that is compared with itself, are never eligible; so the report is made again with the mode
    of a model, without blockers, and by a policy that asks for no comparison of prompts.

    Raises:
        EvalhError: the run did not come to its end.
    """
    names = ("--base-model", NAMES[Arm.BASE], "--tuned-model", NAMES[Arm.TUNED])
    arguments = ("--endpoint", url, *names, "--n", str(pairs), "--seed", str(seed), "--no-calibration", *flags)
    command = (sys.executable, "-m", "evalh", "run", *arguments, "--out", str(run.absolute()))
    run.parent.mkdir(parents=True, exist_ok=True)
    done = subprocess.run(command, check=False, capture_output=True, text=True, cwd=run.parent)
    if done.returncode not in DONE:
        raise EvalhError(f"run {run.name} ended with {done.returncode}: {done.stderr[-2000:]}")
    facts = replace(run_info(read_manifest(run)), mode=ScoringMode.LIVE, blockers=())
    lenient = policy.model_copy(update={"parity": ParityLevel.NONE})
    report = build_report(read_trials(run), run=facts, policy=lenient)
    return Staged(
        promoted=report.gate_result is GateResult.PASS,
        claimed=any(
            f.kind is ClaimKind.SUPERIORITY and f.metric == "success" and f.status is Status.MET
            for f in report.findings
        ),
        pairs=sum(pair.base is not None and pair.tuned is not None for pair in report.pairs),
        invalid=report.pairwise.invalid,
        told_apart=pairs,
    )


def _script(chosen: Sequence[LoadedScenario], rate: float, draw: random.Random) -> dict[str, object]:
    rules = []
    for loaded in chosen:
        shown = _shown(loaded)
        if shown and draw.random() < rate:
            rules.append({"when": re.escape(shown[0]), "replies": list(loaded.scenario.reference.replies)})
    return {"rules": rules, "replies": ["exit 0"]}


def _shown(loaded: LoadedScenario) -> list[str]:
    landing = loaded.scenario.landing
    return (landing.banner or landing.motd).strip().splitlines()
