"""Scenarios: the bundle format, its loader, templates, and the bundles that evalh ships."""

from scenarios.bundle import Scenario, Split
from scenarios.loader import LoadedScenario, load_dir, load_file
from scenarios.select import select
from scenarios.sources import ResolvedFile
from scenarios.suites import shipped

__all__ = ["LoadedScenario", "ResolvedFile", "Scenario", "Split", "load_dir", "load_file", "select", "shipped"]
