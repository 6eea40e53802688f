"""The one thread that owns the model: it takes requests from a queue and serves them together."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue
from threading import Thread
from typing import Any, TypeVar

import torch

from harness.endpoint.resident.adapters import BASE, Adapters
from harness.endpoint.resident.batch import Batch, Row
from harness.endpoint.resident.jobs import Ask, Broken, Job, Piece, Told
from harness.endpoint.resident.model import Base, Runner, load_base
from harness.endpoint.resident.options import ServeOptions
from harness.endpoint.resident.prefixes import PrefixStore
from harness.endpoint.resident.sampling import NonFiniteLogitsError, Sampling
from harness.endpoint.resident.slots import Slots
from harness.endpoint.resident.text import TextStream
from harness.endpoint.resident.tokens import Tokens
from harness.errors import EndpointError

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Command:
    run: Callable[[], None]


class _Stop:
    """The word that ends the thread."""


class Worker:
    """Serves jobs in one running batch per lane; a failure ends the rows that it hit, never the thread.

    Everything that touches the model runs on this thread. A context: leaving it ends the thread.
    """

    def __init__(self, options: ServeOptions, tokenizer: Any) -> None:
        self._options = options
        self._tokenizer = tokenizer
        self._inbox: SimpleQueue[Job | _Command | _Stop] = SimpleQueue()
        self._waiting: deque[Job] = deque()
        self._running: list[Job] = []
        self._lanes: dict[str, Batch] = {}
        self._stopping = False
        self._thread = Thread(target=self._serve, name="model", daemon=True)
        self._store = PrefixStore(0 if options.deterministic else options.prefix_cache_bytes)
        self._max_batch = 1 if options.deterministic else options.max_batch
        self.base: Base
        self.tokens: Tokens
        self._adapters: Adapters
        self._runner: Runner
        self._room: int

    def __enter__(self) -> Worker:
        self._thread.start()
        try:
            self.call(self._load).result()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_exc: object) -> None:
        self._inbox.put(_Stop())
        self._thread.join(timeout=10)  # a load that runs cannot be interrupted; the thread is a daemon

    def submit(self, ask: Ask, tell: Callable[[Told], None]) -> Job:
        """Queue a request; `tell` hears of every token, on the worker's thread."""
        job = self._job(ask, tell)
        self._inbox.put(job)
        return job

    def call(self, function: Callable[[], T]) -> Future[T]:
        """Run a function on the worker's thread, between two steps."""
        future: Future[T] = Future()

        def run() -> None:
            try:
                future.set_result(function())
            except BaseException as error:  # noqa: BLE001 - it belongs to the caller
                future.set_exception(error)

        self._inbox.put(_Command(run=run))
        return future

    def load_adapter(self, directory: Path) -> Future[str]:
        """Load an adapter; its key. BadInputError if it does not fit."""
        return self.call(lambda: self._adapters.load(directory))

    def unload_adapter(self, key: str) -> Future[None]:
        """Remove an adapter; requests that still use it are told so."""
        return self.call(lambda: self._unload(key))

    def _load(self) -> None:
        self.base = load_base(self._options, tokenizer_limit=int(self._tokenizer.model_max_length))
        generation = getattr(self.base.model, "generation_config", None)
        self.tokens = Tokens(self._tokenizer, getattr(generation, "eos_token_id", None))
        torch.set_num_threads(self.base.threads)
        if self._options.deterministic:
            os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
            torch.use_deterministic_algorithms(mode=True)
        self._adapters = Adapters(self.base.model, self.base.device)
        self._runner = Runner(self.base, self._adapters)
        self._room = self._options.kv_cache_bytes or _free_bytes(self.base.device) // 4
        self._warm_up()

    def _warm_up(self) -> None:
        """Answer one prompt, so that what cannot work fails now, not in the first trial."""
        ask = Ask(adapter=BASE, prompt=(0, 0), max_tokens=2, sampling=Sampling(temperature=0.0))
        told: list[Told] = []
        self._waiting.append(self._job(ask, told.append))
        while self._waiting or self._running:
            self._turn()
        self._store.clear()
        if isinstance(told[-1], Broken):
            raise EndpointError(f"the base {self._options.base} does not answer: {told[-1].message}")

    def _job(self, ask: Ask, tell: Callable[[Told], None]) -> Job:
        return Job(ask=ask, tell=tell, stream=TextStream(self.tokens.decode, ask.stops), end_ids=self.tokens.end_ids)

    def _unload(self, key: str) -> None:
        for job in [j for j in (*self._running, *self._waiting) if j.ask.adapter == key]:
            self._end(job, Broken(message="the adapter was unloaded while this request ran"))
        self._lanes.pop(key, None)
        self._adapters.unload(key)
        self._store.forget(key)

    def _serve(self) -> None:
        while not self._stopping:
            busy = bool(self._waiting or self._running)
            while not self._stopping and not (busy and self._inbox.empty()):
                self._take(self._inbox.get())
                busy = bool(self._waiting or self._running)
            if not self._stopping:
                try:
                    self._turn()
                except Exception as error:  # noqa: BLE001 - the thread outlives whatever happens in a turn
                    self._start_afresh(_explain(error))
        self._start_afresh("the server is shutting down")

    def _start_afresh(self, why: str) -> None:
        """Tell every request that it is over, and give everything back."""
        for job in [*self._running, *self._waiting]:
            self._forget(job)
            self._tell(job, Broken(message=why))
        while self._lanes:
            self._lanes.popitem()[1].clear()
        self._store.clear()

    def _take(self, item: Job | _Command | _Stop) -> None:
        match item:
            case Job() if self._adapters.knows(item.ask.adapter):
                self._waiting.append(item)
            case Job():
                self._tell(item, Broken(message="the adapter was unloaded before this request ran"))
            case _Command():
                item.run()
            case _Stop():
                self._stopping = True

    def _turn(self) -> None:
        """Let go of what nobody waits for, let in what fits, and take one step in every lane."""
        for job in [j for j in (*self._running, *self._waiting) if j.given_up.is_set()]:
            self._end(job, None)
        self._admit()
        for name, batch in list(self._lanes.items()):
            if batch.rows:
                self._guard(name, batch, batch.rows, batch.step)

    def _admit(self) -> None:
        joining: dict[str, list[Job]] = {}
        while self._waiting and self._fits(self._waiting[0]):
            job = self._waiting.popleft()
            self._running.append(job)
            joining.setdefault(self._adapters.lane(job.ask.adapter), []).append(job)
        for name, jobs in joining.items():
            batch = self._lane(name)
            for group in batch.plan([job.make_row(self._seed(job)) for job in jobs]):
                self._guard(name, batch, group, lambda group=group, batch=batch: batch.admit(group))  # type: ignore[misc] # bound now

    def _fits(self, job: Job) -> bool:
        """Whether one more row may join: there is a place, and room for all that it may yet become."""
        if not self._running:
            return True
        if len(self._running) >= self._max_batch:
            return False
        batch = self._lane(self._adapters.lane(job.ask.adapter))
        longest = max(len(j.ask.prompt) + j.ask.max_tokens for j in (*self._running, job))
        return batch.bytes_with(len(self._running) + 1, longest) <= self._room

    def _lane(self, name: str) -> Batch:
        if name not in self._lanes:
            slots = Slots.for_config(self.base.model.config)
            self._lanes[name] = Batch(self._runner, slots, self._store, self.base.device)
        return self._lanes[name]

    def _seed(self, job: Job) -> int:
        seed = job.ask.sampling.seed
        if seed is not None:
            return seed
        return 0 if self._options.deterministic else int.from_bytes(os.urandom(8), "little", signed=True)

    def _guard(self, name: str, batch: Batch, rows: Sequence[Row], work: Callable[[], None]) -> None:
        """Do one piece of work; if it fails, its rows end with the reason and the lane starts afresh if it must."""
        try:
            work()
        except Exception as error:  # noqa: BLE001 - the worker outlives any failure of one batch
            hit = list(rows)
            if batch.torn:
                hit += batch.rows
                self._lanes.pop(name)
            for job in self._jobs_of(hit):
                self._forget(job)
                self._tell(job, Broken(message=_explain(error)))
            if self.base.device.type == "cuda":
                torch.cuda.empty_cache()
            return
        for job in self._jobs_of(rows):
            self._report(job)

    def _jobs_of(self, rows: Sequence[Row]) -> list[Job]:
        return [job for job in self._running if any(job.row is row for row in rows)]

    def _report(self, job: Job) -> None:
        row = job.row
        if row is not None and row.error is not None:
            self._end(job, Broken(message=_explain(row.error)))
            return
        try:
            finished = job.advance()
        except Exception as error:  # noqa: BLE001 - a text that cannot be decoded ends its own row only
            self._end(job, Broken(message=_explain(error)))
            return
        if finished:
            self._end(job, None, keep=True)

    def _end(self, job: Job, told: Broken | None, *, keep: bool = False) -> None:
        if job.row is not None:
            batch = self._lanes[self._adapters.lane(job.ask.adapter)]
            batch.remove(job.row, keep=keep)
        self._forget(job)
        if told is not None:
            self._tell(job, told)

    def _forget(self, job: Job) -> None:
        job.row = None
        with suppress(ValueError):
            self._running.remove(job)
        with suppress(ValueError):
            self._waiting.remove(job)

    @staticmethod
    def _tell(job: Job, told: Piece | Broken) -> None:
        with suppress(RuntimeError):  # the listener's event loop has closed
            job.tell(told)


def _explain(error: Exception) -> str:
    if isinstance(error, NonFiniteLogitsError):
        return "the model's output is not finite: its weights or the adapter's are broken, or its dtype is too narrow"
    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return "out of memory: lower --max-batch or --max-model-len"
    return f"{type(error).__name__}: {str(error).partition(chr(10))[0]}"


def _free_bytes(device: torch.device) -> int:
    if device.type == "cuda":
        return int(torch.cuda.mem_get_info(device)[0])
    with Path("/proc/meminfo").open(encoding="ascii") as file:
        fields = dict(line.split(":", 1) for line in file)
    return int(fields["MemAvailable"].split()[0]) * 1024
