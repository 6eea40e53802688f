"""Checkers: what a session left behind, and what happened in it, become verdicts and metrics."""

from checkers.metrics import measure
from checkers.table import CHECKERS, run_checks
from checkers.verdict import verdict

__all__ = ["CHECKERS", "measure", "run_checks", "verdict"]
