"""Two runs held against each other, as far as they are comparable; what is not is said, and no row is dropped."""

from reports.compare.build import compare_runs
from reports.compare.identity import ALLOWABLE
from reports.compare.schema import Comparison, Verdict
from reports.compare.side import Side, read_side

__all__ = ["ALLOWABLE", "Comparison", "Side", "Verdict", "compare_runs", "read_side"]
