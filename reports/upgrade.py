"""A report of schema 1 read as one of schema 2: what can be computed from its pairs is, and nothing is made up."""

from __future__ import annotations

import json

from reports.measures import compare_measures
from reports.metrics import LEVEL, compare_metrics, valid_of
from reports.schema import SCHEMA_VERSION, Report
from reports.steadiness import repeats_section

OLD_VERSION = 1


def upgraded(content: bytes) -> Report | None:
    """The report in `content` if it is one of schema 1; None if it is of any other, or no JSON.

    Its policy is unknown, so that it has no findings; the axes of its scenarios, their digests and its
    calibration are unknown, too. ValidationError (pydantic) if it is damaged.
    """
    try:
        fields = json.loads(content)
    except (ValueError, RecursionError):
        return None
    if not isinstance(fields, dict) or fields.get("schema_version") != OLD_VERSION:
        return None
    report = Report.model_validate_json(json.dumps({**fields, "schema_version": SCHEMA_VERSION}), strict=True)
    valid = valid_of(report.pairs)
    return report.model_copy(
        update={
            "metrics": compare_metrics(report.pairs),
            "measures": compare_measures(valid, LEVEL),
            "repeats": repeats_section(valid),
        }
    )
