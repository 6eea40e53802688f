"""How long a report of many pairs takes, beside merely parsing the JSON of the same records.

python -m harness.bench.report [--pairs 10000]
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from time import perf_counter, process_time
from typing import TypeVar

from pydantic import TypeAdapter

import reports
from harness.store import MANIFEST, TRIALS, ModelRef, RunManifest, Sampling, ScenarioRef, read_manifest, read_trials
from harness.values import Arm, Metrics, Outcome, ParityLevel, ParityTally, Terminal, TrialRecord

T = TypeVar("T")

PAIRS, SIZES = 10_000, (1_000, 10_000, 20_000)
ARCHETYPES = 12
DIGEST = "sha256:" + "0" * 64
VIEWS: tuple[tuple[str, Callable[[reports.Report], str]], ...] = (
    ("JSON", reports.report_json),
    ("Markdown", reports.render_markdown),
    ("comment", reports.render_comment),
    ("JUnit", reports.render_junit),
    ("text", reports.render_text),
)
_RECORD = TypeAdapter(TrialRecord)


def main() -> None:
    """Measure and print; with --peak, print only the peak memory of one report in kibibytes."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=int, default=PAIRS)
    parser.add_argument("--peak", type=int, help="the peak memory of a process that reports so many pairs")
    args = parser.parse_args()
    if args.peak is not None:
        print(peak(args.peak))
        return
    for line in measure(args.pairs):
        print(line, flush=True)
    for line in memory():
        print(line, flush=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """How long something took: on the clock, and of the processor, which other work does not lengthen."""

    seconds: float
    cpu: float

    def __add__(self, other: Taken) -> Taken:
        return Taken(seconds=self.seconds + other.seconds, cpu=self.cpu + other.cpu)


def measure(pairs: int) -> Iterator[str]:
    """One line for each step from the run directory to the files of its report."""
    with run_of(pairs) as run:
        floor, _ = timed(lambda: [json.loads(line) for line in (run / TRIALS).read_bytes().splitlines()])
        yield f"report of {pairs} pairs; floor: JSON of {2 * pairs} records parsed in {floor.cpu:.2f} CPU s"
        reading, records = timed(lambda: read_trials(run))
        policy, info = reports.load_policy(), reports.run_info(read_manifest(run))
        building, made = timed(lambda: reports.build_report(records, run=info, policy=policy))
        steps = [("read the records", reading), ("build the report", building)]
        steps += [(name, timed(partial(view, made))[0]) for name, view in VIEWS]
        writing, _ = timed(lambda: reports.write_reports(run, made))
        for name, took in (*steps, ("write all files", writing), ("read, build, write", reading + building + writing)):
            ratio = f"{took.cpu / floor.cpu:6.1f} of the floor"
            yield f"  {name:<20}{took.seconds:6.2f} s{took.cpu:6.2f} CPU s{pairs / took.cpu:9.0f} pairs/CPU s{ratio}"


def memory() -> Iterator[str]:
    """Peak memory of a process that reads, builds and writes, at three sizes: it grows with the pairs and no faster."""
    idle = _peak_of(0)
    for size in SIZES:
        own = _peak_of(size) - idle
        yield f"  peak memory at {size:>6} pairs{own / 1024:8.0f} MiB above an idle process{own / size:8.1f} KiB a pair"


def _peak_of(pairs: int) -> int:
    command = [sys.executable, "-m", "harness.bench.report", "--peak", str(pairs)]
    return int(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def peak(pairs: int) -> int:
    """Kibibytes: the largest this process has been after reporting so many pairs, or after importing for none."""
    if pairs:
        with run_of(pairs) as run:
            reports.write_reports(run, reports.rebuild_report(run, reports.load_policy()))
    status = Path("/proc/self/status").read_text()  # not getrusage: its maximum begins with the parent's
    return int(status.split("VmHWM:")[1].split()[0])


@contextmanager
def run_of(pairs: int) -> Iterator[Path]:
    """A run directory of so many pairs, one scenario each, over twelve archetypes; gone afterwards."""
    with tempfile.TemporaryDirectory() as place:
        run = Path(place)
        (run / MANIFEST).parent.mkdir()
        (run / MANIFEST).write_text(_manifest(pairs).model_dump_json())
        with (run / TRIALS).open("wb") as stream:
            for number in range(pairs):
                for arm in Arm:
                    stream.write(_RECORD.dump_json(_record(number, arm)) + b"\n")
        yield run


def timed(work: Callable[[], T]) -> tuple[Taken, T]:
    """How long the work took, and what it gave."""
    began, began_cpu = perf_counter(), process_time()
    result = work()
    return Taken(seconds=perf_counter() - began, cpu=process_time() - began_cpu), result


def _manifest(pairs: int) -> RunManifest:
    return RunManifest(
        run="bench",
        created_at="2026-01-01T00:00:00.000+00:00",
        argv=("evalh", "run"),
        versions={"evalh": "0"},
        settings={},
        seed=0,
        repeats=1,
        scenarios=tuple(ScenarioRef(id=f"s-{number:06d}", digest=DIGEST) for number in range(pairs)),
        engine="crun",
        sandbox_image=DIGEST,
        base=ModelRef(name="base", digest=DIGEST),
        tuned=ModelRef(name="tuned", digest=DIGEST),
        chat_template_sha256=DIGEST,
        endpoint="resident",
        endpoint_scripted=False,
        endpoint_notes=(),
        sampling=Sampling(temperature=0.0, top_p=1.0, max_tokens=128, deterministic=True),
        session_contract="1",
        render_contract="1",
    )


def _record(number: int, arm: Arm) -> TrialRecord:
    """A trial: base passes one in five, tuned three in five, in no pattern with the archetypes."""
    won = (number * 7919) % 5 < (1 if arm is Arm.BASE else 3)
    turns = 3 + number % 7
    return TrialRecord(
        scenario=f"s-{number:06d}",
        scenario_digest=DIGEST,
        archetype=f"archetype-{number % ARCHETYPES}",
        tags=(("announcement", ("motd", "banner", "env")[number % 3]), ("difficulty", str(1 + number % 5))),
        critical=number % 8 == 0,
        expected_terminal=Terminal.EXIT,
        arm=arm,
        repeat=0,
        attempt=1,
        seed=number,
        model=arm.value,
        outcome=Outcome.PASS if won else Outcome.FAIL,
        reason="the task was done, and the session ended with exit" if won else "the session was never ended",
        terminal=Terminal.EXIT if won else Terminal.TURN_LIMIT,
        exit_status=0 if won else None,
        panic_reason="",
        metrics=_metrics(won=won),
        checks=(),
        failure=None,
        turns=turns,
        prompt_tokens=300 * turns,
        completion_tokens=20 * turns,
        started_at="2026-01-01T00:00:00.000+00:00",
        seconds=1.0 + number % 11,
        engine="crun",
        parity=ParityTally(level=ParityLevel.REPLY_IDS, prompts=turns, agreed=turns, differed=0, rejoined=0),
    )


def _metrics(*, won: bool) -> Metrics:
    return Metrics(
        any_command=True,
        first_command_turn=1,
        clean=won,
        operate=won,
        command_mode=True,
        terminated=won,
        right_terminal=won,
        false_panic=False,
        directives_retrieved=won,
        task=won,
        success=won,
    )


if __name__ == "__main__":
    main()
