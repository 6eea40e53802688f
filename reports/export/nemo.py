"""Records as NeMo Evaluator reads them: `results.jsonl` and an `eval-*.json` bundle for each arm.

The format is that of NeMo Evaluator's page "Evaluation Result Format", as `nel compare` and `nel gate` read
it: `problem_idx` and `reward` are required; `repeat`, `expected_answer`, `extracted_answer`,
`metadata.category` and `scoring_details` are known; further keys are ours.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from pathlib import Path

from harness.store import write_atomically
from harness.values import Arm, Outcome, TrialRecord
from reports.pairing import last_attempts
from reports.schema import Report
from reports.schema_numbers import Rate

NAME = "evalh"  # of the benchmark
INDEX_BITS = 52  # every JSON reader holds such a number exactly

Json = str | int | float | bool | None | list["Json"] | dict[str, "Json"]


def problem_idx(scenario: str, digest: str) -> int:
    """A number for a version of a scenario, the same in every run: NeMo pairs runs by it."""
    seen = hashlib.sha256(f"{scenario}\n{digest}".encode("utf-8", "backslashreplace")).digest()
    return int.from_bytes(seen[:8], "big") >> (64 - INDEX_BITS)


def results_jsonl(records: Iterable[TrialRecord], arms: Sequence[Arm] = tuple(Arm)) -> str:
    """One line for each trial with a verdict, by its last attempt, sorted by scenario, repeat and arm.

    An INVALID trial has no line: NeMo knows only rewards, and a reward of 0 would count it as a failure.
    """
    return _lines(_result(record) for record in _judged(records, arms))


def excluded_jsonl(records: Iterable[TrialRecord], arms: Sequence[Arm] = tuple(Arm)) -> str:
    """The INVALID trials that `results_jsonl` has no line for, each with its reason."""
    return _lines(
        {**_identity(record), "reason": record.reason, "failure": record.failure.address if record.failure else None}
        for record in _sorted(records, arms)
        if record.outcome is Outcome.INVALID
    )


def bundle_json(report: Report, arm: Arm) -> str:
    """The arm's `eval-*.json`: success as mean_reward with its Wilson interval, overall and by archetype."""
    success = next(metric for metric in report.metrics if metric.name == "success")
    side = report.arms.base if arm is Arm.BASE else report.arms.tuned
    rate = success.base if arm is Arm.BASE else success.tuned
    rows = {row.archetype: row.base if arm is Arm.BASE else row.tuned for row in success.by_archetype}
    bundle: dict[str, Json] = {
        "run_id": f"{report.run.id}-{arm}",
        "config": {"benchmark": NAME, "model": side.model, "arm": arm.value, "invalid_trials": side.invalid},
        "benchmark": {
            "name": NAME,
            "samples": rate.n if rate else 0,
            "scores": {"mean_reward": _score(rate)} if rate else {},
            "categories": {
                name: {"mean_reward": found.rate, "n": found.n} for name, found in rows.items() if found is not None
            },
        },
    }
    return json.dumps(bundle, indent=2) + "\n"


def write_nemo(folder: Path, records: Sequence[TrialRecord], report: Report, arms: Sequence[Arm] = tuple(Arm)) -> None:
    """Write FOLDER/ARM/results.jsonl, excluded.jsonl and eval-evalh.json for each arm: what `nel compare` takes.

    Raises:
        StoreError: the folder cannot be written.
    """
    for arm in arms:
        write_atomically(folder / arm / "results.jsonl", results_jsonl(records, (arm,)))
        write_atomically(folder / arm / "excluded.jsonl", excluded_jsonl(records, (arm,)))
        write_atomically(folder / arm / f"eval-{NAME}.json", bundle_json(report, arm))


def _sorted(records: Iterable[TrialRecord], arms: Sequence[Arm]) -> list[TrialRecord]:
    kept = [record for record in last_attempts(records).values() if record.arm in arms]
    return sorted(kept, key=lambda record: (record.scenario, record.repeat, record.arm))


def _judged(records: Iterable[TrialRecord], arms: Sequence[Arm]) -> list[TrialRecord]:
    return [record for record in _sorted(records, arms) if record.outcome is not Outcome.INVALID]


def _identity(record: TrialRecord) -> dict[str, Json]:
    return {
        "problem_idx": problem_idx(record.scenario, record.scenario_digest),
        "repeat": record.repeat,
        "sample_id": str(record.key),
        "metadata": {
            "category": record.archetype,
            "scenario": record.scenario,
            "scenario_digest": record.scenario_digest,
            "arm": record.arm.value,
            "model": record.model,
            "critical": record.critical,
            "tags": dict(record.tags),
        },
    }


def _result(record: TrialRecord) -> dict[str, Json]:
    ending = record.terminal.value if record.terminal else None
    return {
        **_identity(record),
        "reward": 1.0 if record.outcome is Outcome.PASS else 0.0,
        "expected_answer": record.expected_terminal.value,
        "extracted_answer": ending,
        "scoring_details": {
            "category": record.archetype,
            "outcome": record.outcome.value,
            "reason": record.reason,
            "metrics": dict(asdict(record.metrics)),
            "turns": record.turns,
            "seconds": record.seconds,
            "prompt_tokens": record.prompt_tokens,
            "completion_tokens": record.completion_tokens,
            "seed": record.seed,
            "attempt": record.attempt,
        },
    }


def _score(rate: Rate) -> Json:
    return {"value": rate.rate, "ci_lower": rate.wilson[0], "ci_upper": rate.wilson[1]}


def _lines(values: Iterable[dict[str, Json]]) -> str:
    return "".join(json.dumps(value) + "\n" for value in values)
