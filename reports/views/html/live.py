"""A run directory as it is now: its report made again when its records grow, its progress, and its sessions."""

from __future__ import annotations

import json
import threading
from dataclasses import asdict
from pathlib import Path
from time import monotonic

from harness.store import AUDIT, TRIALS, read_manifest
from harness.values import Arm, TrialKey
from reports.policy import Policy
from reports.rebuild import rebuild_report
from reports.schema import Report
from reports.views.html.casts import read_session_cast, summary_of
from reports.views.html.page import live_page
from reports.views.html.progress import Progress, progress_of
from reports.views.html.sessions import session_json

PATIENCE = 10.0  # a report is made again at the earliest after so many times what making it took


class LiveRun:
    """Reads one run directory and never writes it. Thread-safe.

    Every method raises BadInputError where the directory can no longer be read.
    """

    def __init__(self, run_dir: Path, policy: Policy | None = None) -> None:
        self._run = run_dir
        self._policy = policy
        self._mutex = threading.Lock()
        self._manifest = read_manifest(run_dir)
        self._stamp = ""
        self._due = 0.0
        self._report: Report
        self._current()

    def page(self) -> str:
        """The whole page with the report as it is now."""
        report, stamp = self._current()
        return live_page(report, version=f"{stamp}.{self._pulse()}", progress=self._progress(report))

    def news(self, version: str) -> str | None:
        """What changed since `version`, as JSON: version, progress, the report if records came; None for nothing."""
        report, stamp = self._current()
        now = f"{stamp}.{self._pulse()}"
        if now == version:
            return None
        made = "null" if version.split(".")[0] == stamp else report.model_dump_json()
        progress = json.dumps(asdict(self._progress(report)))
        return f'{{"version":{json.dumps(now)},"progress":{progress},"report":{made}}}'

    def session(self, trial: str, attempt: int) -> str | None:
        """The session of an attempt at a trial, as the page's JSON; None if the report knows no such trial."""
        report, _ = self._current()
        for pair in report.pairs:
            for arm in Arm:
                summary = summary_of(pair, arm)
                key = TrialKey(scenario=pair.scenario, arm=arm, repeat=pair.repeat)
                if summary is not None and str(key) == trial and 1 <= attempt <= summary.attempt:
                    found = read_session_cast(self._run, key, attempt)
                    return None if found is None else session_json(found)
        return None

    def _current(self) -> tuple[Report, str]:
        with self._mutex:
            stamp = _stamp(self._run / TRIALS)
            began = monotonic()
            if not self._stamp or (stamp != self._stamp and began >= self._due):
                self._report = rebuild_report(self._run, self._policy)
                self._stamp = stamp
                self._due = monotonic() + PATIENCE * (monotonic() - began)
            return self._report, self._stamp

    def _progress(self, report: Report) -> Progress:
        return progress_of(self._run, self._manifest, report)

    def _pulse(self) -> str:
        return _stamp(self._run / AUDIT)


def _stamp(path: Path) -> str:
    """What changes when a file grows."""
    try:
        facts = path.stat()
    except OSError:
        return "none"
    return f"{facts.st_size:x}-{facts.st_mtime_ns:x}"
