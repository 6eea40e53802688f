"""A report made again from a run directory: its manifest and its records, never its old report."""

from __future__ import annotations

from pathlib import Path

from harness.store import read_manifest, read_trials
from reports.build import build_report
from reports.policy import DEFAULT, Policy, load_policy
from reports.run_info import run_info
from reports.schema import Report


def rebuild_report(run_dir: Path, policy: Policy | None = None) -> Report:
    """The report of a run, finished or not; without `policy`, by the one that the run was started with.

    Raises:
        BadInputError: it is no run directory, a record is damaged, or the policy is wrong.
    """
    manifest = read_manifest(run_dir)
    if policy is None:
        named = manifest.settings.get("gate")
        policy = load_policy(named if isinstance(named, str) and named else DEFAULT)
    return build_report(read_trials(run_dir), run=run_info(manifest), policy=policy)
