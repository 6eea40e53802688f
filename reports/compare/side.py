"""One of the two runs that are compared, read from its directory or from a report file."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from harness.errors import BadInputError
from harness.store import MANIFEST, RunManifest, read_manifest
from reports.files import REPORT, read_report
from reports.plain import plain
from reports.rebuild import rebuild_report
from reports.schema import Report


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """A run's report, and its manifest where there is one: it tells what a report alone may not."""

    report: Report
    manifest: RunManifest | None
    from_records: bool


def read_side(path: Path) -> Side:
    """A run directory (its report is made again from the records), or a report file.

    A report that lies in the directory of its own run is read with that run's manifest.

    Raises:
        BadInputError: it is neither, or it is damaged.
    """
    if path.is_dir():
        if (path / MANIFEST).exists():
            return Side(report=rebuild_report(path), manifest=read_manifest(path), from_records=True)
        if (path / REPORT).exists():
            return Side(report=read_report(path / REPORT), manifest=None, from_records=False)
        raise BadInputError(
            f"{plain(str(path))} is neither a run directory nor holds a report",
            hint=f"give a directory that `evalh run` made, or a {REPORT}",
        )
    report = read_report(path)
    return Side(report=report, manifest=_manifest_beside(path, report), from_records=False)


def _manifest_beside(path: Path, report: Report) -> RunManifest | None:
    """The manifest of the run that a report file lies in, if it is the report of that run."""
    if not (path.parent / MANIFEST).exists():
        return None
    manifest = read_manifest(path.parent)
    return manifest if plain(manifest.run) == report.run.id else None
