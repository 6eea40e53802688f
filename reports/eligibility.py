"""Why a run may promote nothing whatever its numbers are: what manifest and records show of one that is not clean."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from harness.values import Arm, Outcome, TrialRecord
from reports.plain import plain
from reports.run_info import RunInfo
from reports.wording import plural

Cell = tuple[str, int]  # scenario and repeat


def blockers(records: Sequence[TrialRecord], kept: Sequence[TrialRecord], run: RunInfo) -> tuple[str, ...]:
    """One sentence for each reason; `records` are all, `kept` the last attempts."""
    return (
        *(plain(text) for text in run.blockers),
        *_models(kept, run),
        *_versions(kept, run),
        *_conditions(kept, run),
        *_attempts(records),
    )


def _models(kept: Sequence[TrialRecord], run: RunInfo) -> Iterator[str]:
    """The arms are two models, each one of them the manifest's."""
    names = {arm: {record.model for record in kept if record.arm is arm} for arm in Arm}
    if names[Arm.BASE] & names[Arm.TUNED]:
        yield "both arms were served under the same model name"
    if any(len(models) > 1 for models in names.values()):
        yield "one arm was served under more than one model name"
    named = dict(run.models)
    for arm, models in names.items():
        if models and arm.value in named and models != {named[arm.value]}:
            yield f"the {arm} arm ran under another model name than the manifest's"
    digests = dict(run.digests)
    if digests.get("base") is not None and digests.get("base") == digests.get("tuned"):
        yield "both arms are the same model by their digests"


def _versions(kept: Sequence[TrialRecord], run: RunInfo) -> Iterator[str]:
    """Every trial ran the version of its scenario that the manifest names, and one that it names."""
    named = {fact.id: fact.digest for fact in run.scenarios}
    ran: dict[str, str] = {}
    changed = sorted(
        {
            record.scenario
            for record in kept
            if (named.get(record.scenario) or ran.setdefault(record.scenario, record.scenario_digest))
            != record.scenario_digest
        }
    )
    if changed:
        yield f"{_some('scenario', changed)} ran in more than one version, or another than the manifest names"
    planned = set(run.planned)
    strange = sorted({(record.scenario, record.repeat) for record in kept} - planned) if planned else []
    if strange:
        yield f"{_some('pair', [f'{name}.{repeat}' for name, repeat in strange])} ran without being planned"


def _conditions(kept: Sequence[TrialRecord], run: RunInfo) -> Iterator[str]:
    """Both arms of a pair met the same seed, and all trials the same engine."""
    seeds: dict[Cell, int] = {}
    differ = {
        cell
        for record in kept
        if seeds.setdefault(cell := (record.scenario, record.repeat), record.seed) != record.seed
    }
    if differ:
        yield f"in {_some('pair', [f'{n}.{r}' for n, r in sorted(differ)])} the arms ran with different seeds"
    engines = {record.engine for record in kept} | ({run.engine} if run.engine and kept else set())
    if len(engines) > 1:
        names = ", ".join(plain(name, 60) for name in sorted(engines))
        yield f"not every trial ran on the same sandbox engine: {names}"


def _attempts(records: Sequence[TrialRecord]) -> Iterator[str]:
    """A trial is run again only where the pair had an INVALID one: a verdict that was seen is never drawn again."""
    again: set[Cell] = set()
    excused: set[Cell] = set()
    seen: dict[tuple[str, int, Arm, int], TrialRecord] = {}
    twice: set[Cell] = set()
    for record in records:
        cell = record.scenario, record.repeat
        if record.attempt > 1:
            again.add(cell)
        if record.outcome is Outcome.INVALID:
            excused.add(cell)
        if seen.setdefault((*cell, record.arm, record.attempt), record) != record:
            twice.add(cell)
    if unexcused := sorted(again - excused):
        yield f"{_some('pair', [f'{n}.{r}' for n, r in unexcused])} ran again although no trial of it was INVALID"
    if twice:
        yield f"{_some('pair', [f'{n}.{r}' for n, r in sorted(twice)])} has two records of one attempt that differ"


def _some(noun: str, names: Sequence[str]) -> str:
    return f"{plural(len(names), noun)} (the first: {plain(names[0], 80)})"
