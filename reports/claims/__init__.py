"""The claims of a policy, each held against the pairs: met, not met, refuted, or beyond what they can show."""

from reports.claims.find import Finding, find, finding_rows, title, with_holm
from reports.claims.foresight import undecidable
from reports.claims.needs import pairs_needed
from reports.words import Status

__all__ = [
    "Finding",
    "Status",
    "find",
    "finding_rows",
    "pairs_needed",
    "title",
    "undecidable",
    "with_holm",
]
