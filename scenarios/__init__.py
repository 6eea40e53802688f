"""Scenarios: the bundle format, its loader, templates, and the bundles that evalh ships."""

from scenarios.archetypes import archetypes
from scenarios.bundle import Scenario, Split
from scenarios.loader import LoadedScenario, load_dir, load_file
from scenarios.select import select
from scenarios.sources import ResolvedFile
from scenarios.suites import pick, shipped, subset

__all__ = [
    "LoadedScenario",
    "ResolvedFile",
    "Scenario",
    "Split",
    "archetypes",
    "load_dir",
    "load_file",
    "pick",
    "select",
    "shipped",
    "subset",
]
