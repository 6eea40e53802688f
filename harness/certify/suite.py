"""Many bundles side by side: each examined in one thread, a template's first instance standing for its kin."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from pathlib import Path
from typing import Final

from harness.certify.examine import Depth, examine, standing_for
from harness.certify.findings import Examination
from harness.sandbox.protocol import Engine
from scenarios import LoadedScenario

_POLL_SECONDS: Final = 0.2  # how soon a ^C is noticed


def examine_all(
    loaded: Sequence[LoadedScenario],
    engine: Engine,
    depth: Depth,
    *,
    jobs: int,
    on_session: Callable[[], None] = lambda: None,
) -> Iterator[Examination]:
    """Examine every bundle, `jobs` at a time, and yield what was found as it comes, in no order.

    Of a template the first instance has the omissions and the attacks; the others, which ask for the same by other
    names, have the reference runs and the idlers. The caller closes the engine, which takes the containers of
    whatever still runs when it stops early.

    Raises:
        InfrastructureError: the machine failed.
    """
    pool = ThreadPoolExecutor(max_workers=jobs, thread_name_prefix="certify")
    pending: set[Future[Examination]] = set()
    try:
        for item, own in _depths(loaded, depth):
            pending.add(pool.submit(examine, item, engine, own, on_session=on_session))
        while pending:
            done, pending = wait(pending, timeout=_POLL_SECONDS, return_when=FIRST_COMPLETED)
            for future in done:
                yield future.result()
    except BaseException:
        pool.shutdown(wait=False, cancel_futures=True)
        raise
    pool.shutdown()


def _depths(loaded: Sequence[LoadedScenario], depth: Depth) -> Iterator[tuple[LoadedScenario, Depth]]:
    first: dict[Path, str] = {}
    for item in loaded:
        before = first.setdefault(item.path, item.scenario.id)
        yield item, depth if before == item.scenario.id else standing_for(depth, before)
