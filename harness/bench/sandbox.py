"""How long a whole reference trial takes on each engine, beside `docker run` of a container that does nothing."""

from __future__ import annotations

import shutil
import statistics
import subprocess
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from time import monotonic

import scenarios
from harness.errors import EvalhError
from harness.sandbox.protocol import Engine
from harness.sandbox.select import ENGINES, kind
from harness.trial import ReferenceModel, TrialPlan, hold_session
from harness.values import Arm, Outcome
from scenarios import LoadedScenario

TRIALS, SIDE_BY_SIDE = 16, 4


def main() -> None:
    """Measure and print; an engine that cannot be used here is named with the reason."""
    loaded = scenarios.select(scenarios.load_dir(scenarios.shipped("holdout")), TRIALS, 0)
    floor = docker_floor()
    if floor is not None:
        print(f"docker run (does nothing)   {floor * 1000:7.0f} ms each, one at a time")
    for name in ENGINES:
        if reason := kind(name).probe():
            print(f"{name}: not measured: {reason}")
            continue
        with closing(kind(name).make()) as engine:
            alone = statistics.median(timed(engine, each) for each in loaded)
            began = monotonic()
            with ThreadPoolExecutor(SIDE_BY_SIDE) as pool:
                list(pool.map(lambda each: timed(engine, each), loaded))
            rate = len(loaded) / (monotonic() - began)
        ratio = f", {alone / floor:.2f} of docker run" if floor else ""
        print(f"{name:6} whole trial          {alone * 1000:7.0f} ms{ratio}; {rate:.1f} trials/s at {SIDE_BY_SIDE}")


def timed(engine: Engine, loaded: LoadedScenario) -> float:
    """Seconds for a whole trial: container, session of the reference replies, checks, removal."""
    plan = TrialPlan(scenario=loaded, arm=Arm.BASE, repeat=0, attempt=1, seed=0, model="reference")
    began = monotonic()
    _, judgement = hold_session(plan, engine, ReferenceModel(loaded.scenario.reference.replies), None)
    if judgement.verdict.outcome is not Outcome.PASS:
        raise EvalhError(f"{loaded.scenario.id}: {judgement.verdict.reason}", hint="`evalh sandbox doctor`")
    return monotonic() - began


def docker_floor(runs: int = 5) -> float | None:
    """Seconds of the median `docker run --rm` of the sandbox image with nothing to do; None without Docker."""
    if shutil.which("docker") is None or not Path("/var/run/docker.sock").exists():
        return None
    command = ("docker", "run", "--rm", "--network", "none", "--entrypoint", "/bin/true", "evalh-sandbox:latest")
    seconds = []
    for _ in range(runs):
        began = monotonic()
        if subprocess.run(command, check=False, capture_output=True).returncode != 0:
            return None
        seconds.append(monotonic() - began)
    return statistics.median(seconds)


if __name__ == "__main__":
    main()
