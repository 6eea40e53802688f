"""The grid of trials: pairs in a fixed order, run side by side, retried as pairs, resumable."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from itertools import chain
from time import monotonic

from harness.errors import InfrastructureError, ParityError
from harness.sandbox.protocol import Engine, Limits
from harness.session import Model, SessionLimits
from harness.store import RunStore
from harness.trial import TrialPlan, run_trial, trial_seed
from harness.values import Arm, Outcome, TrialKey, TrialRecord
from scenarios import LoadedScenario

POLL_SECONDS = 0.2  # how soon a stop is noticed while trials run
HEARTBEAT_SECONDS = 10.0  # between two notes in the audit log that the campaign is alive


@dataclass(frozen=True, slots=True, kw_only=True)
class Campaign:
    """What is to be run: the scenarios, how often, and under which limits."""

    scenarios: tuple[LoadedScenario, ...]
    models: Mapping[Arm, str]  # the name each arm is served under
    repeats: int = 1
    seed: int = 0
    concurrency: int = 8
    attempts: int = 2  # of a pair with an INVALID arm
    limits: SessionLimits = field(default_factory=SessionLimits)
    container: Limits = field(default_factory=Limits)
    control_tokens: tuple[str, ...] = ()
    apart: bool = False  # every base trial of a round before its first tuned one

    @property
    def size(self) -> int:
        """How many trials the grid has."""
        return len(self.scenarios) * self.repeats * len(Arm)


def grid(campaign: Campaign, finished: Iterable[TrialRecord] = ()) -> tuple[TrialPlan, ...]:
    """The trials still to run, in order: both arms of a pair side by side, the first one drawn by the seed.

    Of a campaign that runs `apart`, all base trials come first, then all tuned ones.
    A finished trial is not run again. An INVALID one is, together with its other arm (so that both
    arms of a pair meet the same conditions), while attempts are left.
    """
    latest: dict[TrialKey, TrialRecord] = {record.key: record for record in finished}
    plans: list[TrialPlan] = []
    for repeat in range(campaign.repeats):
        for loaded in campaign.scenarios:
            seed = trial_seed(campaign.seed, loaded.scenario.id, repeat)
            arms = list(Arm)
            random.Random(seed).shuffle(arms)  # noqa: S311 - an order, not a secret
            pair = [_plan(campaign, loaded, arm, repeat, seed) for arm in arms]
            plans.extend(_unfinished(campaign, pair, latest))
    if campaign.apart:
        plans.sort(key=lambda plan: plan.arm is Arm.TUNED)
    return tuple(plans)


def _stages(campaign: Campaign, plans: Sequence[TrialPlan]) -> list[Sequence[TrialPlan]]:
    """What may run at the same time: everything, or one arm after the other."""
    if not campaign.apart:
        return [plans]
    arms = ([plan for plan in plans if plan.arm is arm] for arm in (Arm.BASE, Arm.TUNED))
    return [stage for stage in arms if stage]


def _plan(campaign: Campaign, loaded: LoadedScenario, arm: Arm, repeat: int, seed: int, attempt: int = 1) -> TrialPlan:
    return TrialPlan(
        scenario=loaded,
        arm=arm,
        repeat=repeat,
        attempt=attempt,
        seed=seed,
        model=campaign.models[arm],
        limits=campaign.limits,
        container=campaign.container,
        control_tokens=campaign.control_tokens,
    )


def _unfinished(
    campaign: Campaign, pair: Sequence[TrialPlan], latest: Mapping[TrialKey, TrialRecord]
) -> list[TrialPlan]:
    records = [latest.get(plan.key) for plan in pair]
    retry = any(_worth_retrying(campaign, record) for record in records)
    plans = []
    for plan, record in zip(pair, records, strict=True):
        if record is None or retry:
            attempt = 1 if record is None else record.attempt + 1
            plans.append(_plan(campaign, plan.scenario, plan.arm, plan.repeat, plan.seed, attempt))
    return plans


def _worth_retrying(campaign: Campaign, record: TrialRecord | None) -> bool:
    return record is not None and record.outcome is Outcome.INVALID and record.attempt < campaign.attempts


class Breaker:
    """Stops a grid whose trials keep failing for one infrastructural reason."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._row: list[TrialRecord] = []

    def note(self, record: TrialRecord) -> None:
        """Take a finished trial into account.

        Raises:
            ParityError: the server reads other tokens than the contract says: every further trial would be wasted.
            InfrastructureError: the row of INVALID trials is too long.
        """
        if record.outcome is not Outcome.INVALID:
            self._row.clear()
            return
        if record.failure is not None and record.failure.address == ParityError.address:
            raise ParityError(record.failure.message, hint="see `evalh parity`; nothing further was run")
        self._row.append(record)
        if len(self._row) >= self._limit:
            raise InfrastructureError(
                f"{len(self._row)} trials in a row were INVALID, the last one by {record.reason}",
                hint="mend the cause, then `evalh resume` the run",
            )


def run_campaign(
    campaign: Campaign,
    engine: Engine,
    models: Mapping[Arm, Model],
    store: RunStore,
    *,
    finished: Iterable[TrialRecord] = (),
    on_record: Callable[[TrialRecord], None],
    stop: threading.Event,
) -> None:
    """Run every unfinished trial of the grid; each record is on disk before `on_record` hears of it.

    Setting `stop` makes it return soon: running trials are not recorded and run again on resume.

    Raises:
        ParityError: a trial found that the server reads other tokens than the contract says.
        InfrastructureError: the store failed, or trial after trial was INVALID.
    """
    latest: dict[TrialKey, TrialRecord] = {record.key: record for record in finished}
    breaker = Breaker(limit=2 * campaign.concurrency + 2)
    pool = ThreadPoolExecutor(max_workers=campaign.concurrency, thread_name_prefix="trial")
    try:
        for _ in range(campaign.attempts + 1):
            plans = grid(campaign, latest.values())
            if not plans or stop.is_set():
                break
            stages = (_run_round(pool, stage, engine, models, store, stop) for stage in _stages(campaign, plans))
            for record in chain.from_iterable(stages):
                store.append_trial(record)
                latest[record.key] = record
                on_record(record)
                breaker.note(record)
    except BaseException:
        stop.set()  # what still runs loses its container and its endpoint when the caller unwinds
        pool.shutdown(wait=False, cancel_futures=True)
        raise
    pool.shutdown(wait=not stop.is_set())


def _run_round(
    pool: ThreadPoolExecutor,
    plans: Sequence[TrialPlan],
    engine: Engine,
    models: Mapping[Arm, Model],
    store: RunStore,
    stop: threading.Event,
) -> Iterable[TrialRecord]:
    def one(plan: TrialPlan) -> TrialRecord | None:
        if stop.is_set():
            return None
        record = run_trial(plan, engine, models[plan.arm], store)
        return None if stop.is_set() else record

    pending: set[Future[TrialRecord | None]] = {pool.submit(one, plan) for plan in plans}
    beat = monotonic()
    try:
        while pending and not stop.is_set():
            done, pending = wait(pending, timeout=POLL_SECONDS, return_when=FIRST_COMPLETED)
            if monotonic() - beat >= HEARTBEAT_SECONDS:
                beat = monotonic()
                store.audit("heartbeat", unfinished=len(pending))
            for future in done:
                if (record := future.result()) is not None:
                    yield record
    finally:
        for future in pending:
            future.cancel()
