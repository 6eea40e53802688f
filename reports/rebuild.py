"""A report made again from a run directory: its manifest and its records, never its old report."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from harness.errors import BadInputError
from harness.store import RunManifest, read_manifest, read_trials
from reports.build import build_report
from reports.calibration import read_calibration
from reports.policy import DEFAULT, Policy, load_policy
from reports.run_info import RunInfo, run_info
from reports.schema import Report


def rebuild_report(run_dir: Path, policy: Policy | None = None) -> Report:
    """The report of a run, finished or not; without `policy`, by the one that the run was started with.

    Raises:
        BadInputError: it is no run directory, a record is damaged, or the policy is wrong.
    """
    manifest = read_manifest(run_dir)
    info = _with_calibration(manifest, run_dir)
    return build_report(read_trials(run_dir), run=info, policy=policy or policy_of(manifest))


def policy_of(manifest: RunManifest) -> Policy:
    """The policy that a run was started with, or the default; BadInputError if it cannot be read any more."""
    named = manifest.settings.get("gate")
    return load_policy(named if isinstance(named, str) and named else DEFAULT)


def _with_calibration(manifest: RunManifest, run_dir: Path) -> RunInfo:
    """What the manifest tells; a calibration that cannot be read is left out, and noted."""
    try:
        return run_info(manifest, read_calibration(run_dir))
    except BadInputError as error:
        info = run_info(manifest)
        return replace(info, notes=(*info.notes, f"calibration is left out: {error.message}"))
