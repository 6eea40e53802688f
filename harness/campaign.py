"""The grid of trials: pairs in a fixed order, run side by side, retried as pairs, resumable."""

from __future__ import annotations

import random
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field, replace
from itertools import chain, islice
from math import ceil
from time import monotonic

from harness.attempts import open_attempts
from harness.endpoint import CALL_SECONDS
from harness.errors import InfrastructureError, ParityError
from harness.sandbox.protocol import Engine, Limits
from harness.session import Model, SessionLimits
from harness.stopping import Watch
from harness.store import RunStore, StopRule
from harness.trial import TrialPlan, run_trial, trial_seed
from harness.values import Arm, Outcome, TrialKey, TrialRecord
from scenarios import LoadedScenario

POLL_SECONDS = 0.2  # how soon a stop is noticed while trials run
HEARTBEAT_SECONDS = 10.0  # between two notes in the audit log that the campaign is alive
AHEAD = 2  # pairs for each trial at a time, that a run which may stop early sets out to run before it looks again
LEAST_OUTAGE = 3  # INVALID trials in a row at the end of a round: more than one pair


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
    control_tokens: tuple[str, ...] = ()
    apart: bool = False  # every base trial of a round before its first tuned one
    stop_rule: StopRule | None = None  # None: every trial of the grid is run

    @property
    def size(self) -> int:
        """How many trials the grid has."""
        return len(self.scenarios) * self.repeats * len(Arm)


def grid(campaign: Campaign, finished: Iterable[TrialRecord] = ()) -> tuple[TrialPlan, ...]:
    """The trials still to run, in order: both arms of a pair side by side, the first one drawn by the seed.

    Of a campaign that runs `apart`, all base trials come first, then all tuned ones. One that may stop early goes
    through its scenarios in the preset order, all repeats of one before the next.
    A finished trial is not run again. An INVALID one is, together with its other arm (so that both
    arms of a pair meet the same conditions), while attempts are left; what was interrupted between
    the two arms goes on with the second one.
    """
    return _apart(campaign, [plan for pair in _open_pairs(campaign, finished) for plan in pair])


def unfinished(campaign: Campaign, finished: Iterable[TrialRecord]) -> tuple[TrialPlan, ...]:
    """The trials that a resumed campaign would still run: none once its stopping rule has decided."""
    latest = {record.key: record for record in finished}
    watch = _watch(campaign)
    return () if watch and watch.look(latest) else grid(campaign, latest.values())


def _round(campaign: Campaign, finished: Iterable[TrialRecord]) -> tuple[TrialPlan, ...]:
    """The trials to set out to run now: the whole grid, or as far ahead as a campaign goes that may stop early."""
    pairs = _open_pairs(campaign, finished)
    if campaign.stop_rule is not None:
        pairs = islice(pairs, AHEAD * campaign.concurrency)
    return _apart(campaign, [plan for pair in pairs for plan in pair])


def _open_pairs(campaign: Campaign, finished: Iterable[TrialRecord]) -> Iterator[list[TrialPlan]]:
    """What is still to run of each pair that is not finished, in the campaign's order."""
    latest: dict[TrialKey, TrialRecord] = {record.key: record for record in finished}
    for loaded, repeat in _cells(campaign):
        seed = trial_seed(campaign.seed, loaded.scenario.id, repeat)
        arms = list(Arm)
        random.Random(seed).shuffle(arms)  # noqa: S311 - an order, not a secret
        pair = [_plan(campaign, loaded, arm, repeat, seed) for arm in arms]
        attempts = open_attempts([latest.get(plan.key) for plan in pair], campaign.attempts)
        if plans := [replace(plan, attempt=k) for plan, k in zip(pair, attempts, strict=True) if k is not None]:
            yield plans


def _cells(campaign: Campaign) -> Iterator[tuple[LoadedScenario, int]]:
    if campaign.stop_rule is None:
        yield from ((loaded, repeat) for repeat in range(campaign.repeats) for loaded in campaign.scenarios)
        return
    by_name = {loaded.scenario.id: loaded for loaded in campaign.scenarios}
    yield from ((by_name[name], repeat) for name in campaign.stop_rule.order for repeat in range(campaign.repeats))


def _apart(campaign: Campaign, plans: list[TrialPlan]) -> tuple[TrialPlan, ...]:
    if campaign.apart:
        plans.sort(key=lambda plan: plan.arm is Arm.TUNED)
    return tuple(plans)


def _watch(campaign: Campaign) -> Watch | None:
    rule = campaign.stop_rule
    return Watch(rule, repeats=campaign.repeats, attempts=campaign.attempts) if rule else None


def _stages(campaign: Campaign, plans: Sequence[TrialPlan]) -> list[Sequence[TrialPlan]]:
    """What may run at the same time: everything, or one arm after the other."""
    if not campaign.apart:
        return [plans]
    arms = ([plan for plan in plans if plan.arm is arm] for arm in (Arm.BASE, Arm.TUNED))
    return [stage for stage in arms if stage]


def _plan(campaign: Campaign, loaded: LoadedScenario, arm: Arm, repeat: int, seed: int) -> TrialPlan:
    return TrialPlan(
        scenario=loaded,
        arm=arm,
        repeat=repeat,
        attempt=1,
        seed=seed,
        model=campaign.models[arm],
        limits=campaign.limits,
        container=_container(campaign.limits.narrowed(loaded.scenario)),
        control_tokens=campaign.control_tokens,
    )


def _container(limits: SessionLimits) -> Limits:
    """The limits of a container that outlives the longest session: else a model could sleep itself into INVALID."""
    usual = Limits()
    session = limits.longest(reply_seconds=CALL_SECONDS)
    return replace(usual, ttl_seconds=usual.ttl_seconds + ceil(session))  # setup and checks have the usual time


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
        self._hold(self._limit)

    def begin_round(self, outage: int) -> None:
        """Begin a new row, unless that of the last round is as long as an outage: InfrastructureError then."""
        self._hold(outage)
        self._row.clear()

    def _hold(self, limit: int) -> None:
        if len(self._row) >= limit:
            raise InfrastructureError(
                f"{len(self._row)} trials in a row were INVALID, the last one by {self._row[-1].reason}",
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

    With a stopping rule no trial starts any more once it has decided; those that run are finished and recorded.
    Setting `stop` makes it return soon: running trials are not recorded and run again on resume.

    Raises:
        ParityError: a trial found that the server reads other tokens than the contract says.
        InfrastructureError: the store failed, or trial after trial was INVALID.
    """
    latest: dict[TrialKey, TrialRecord] = {record.key: record for record in finished}
    breaker = Breaker(limit=2 * campaign.concurrency + 2)
    outage = min(max(campaign.concurrency, LEAST_OUTAGE), campaign.size)
    referee = _Referee(campaign, store, latest)
    pool = ThreadPoolExecutor(max_workers=campaign.concurrency, thread_name_prefix="trial")
    runner = _Runner(
        pool=pool,
        engine=engine,
        models=models,
        store=store,
        stop=stop,
        decided=referee.decided,
        at_once=campaign.concurrency if campaign.stop_rule else campaign.size,
    )
    try:
        while not (stop.is_set() or referee.decided.is_set()) and (plans := _round(campaign, latest.values())):
            breaker.begin_round(outage)  # another attempt in the same outage would be wasted
            for record in chain.from_iterable(runner.run(stage) for stage in _stages(campaign, plans)):
                store.append_trial(record)
                latest[record.key] = record
                on_record(record)
                breaker.note(record)
                referee.look()
    except BaseException:
        stop.set()  # what still runs loses its container and its endpoint when the caller unwinds
        pool.shutdown(wait=False, cancel_futures=True)
        raise
    pool.shutdown(wait=not stop.is_set())


class _Referee:
    """Says when a campaign's stopping rule has decided, and writes that down."""

    def __init__(self, campaign: Campaign, store: RunStore, latest: Mapping[TrialKey, TrialRecord]) -> None:
        self.decided = threading.Event()
        self._watch, self._store, self._latest = _watch(campaign), store, latest
        self.look()

    def look(self) -> None:
        """Take the records of by now into account."""
        if self._watch is None or self.decided.is_set() or not self._watch.look(self._latest):
            return
        self.decided.set()
        told = self._watch.told()
        course = told.course
        self._store.audit(
            "decided",
            decision=str(told.decision),
            scenarios=told.after,
            planned=told.planned,
            wins=course.wins,
            losses=course.losses,
            log_e=course.log_e,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Runner:
    """Runs plans side by side and yields their records as they come."""

    pool: ThreadPoolExecutor
    engine: Engine
    models: Mapping[Arm, Model]
    store: RunStore
    stop: threading.Event  # nothing counts any more
    decided: threading.Event  # nothing more is to begin
    at_once: int  # trials handed out before one of them has its record

    def run(self, plans: Sequence[TrialPlan]) -> Iterable[TrialRecord]:
        """The records of one stage."""
        waiting = deque(plans)
        pending: set[Future[TrialRecord | None]] = set()
        beat = monotonic()
        try:
            while (waiting or pending) and not self.stop.is_set():
                while waiting and len(pending) < self.at_once and not self.decided.is_set():
                    pending.add(self.pool.submit(self._one, waiting.popleft()))
                if not pending:
                    return
                done, pending = wait(pending, timeout=POLL_SECONDS, return_when=FIRST_COMPLETED)
                if monotonic() - beat >= HEARTBEAT_SECONDS:
                    beat = monotonic()
                    self.store.audit("heartbeat", unfinished=len(pending))
                for future in done:
                    if (record := future.result()) is not None:
                        yield record
        finally:
            for future in pending:
                future.cancel()

    def _one(self, plan: TrialPlan) -> TrialRecord | None:
        if self.stop.is_set():
            return None
        record = run_trial(plan, self.engine, self.models[plan.arm], self.store)
        return None if self.stop.is_set() else record
