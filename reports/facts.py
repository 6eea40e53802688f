"""What is known of a scenario without a record of it: from the manifest, or from a loaded bundle."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from harness.values import Terminal


@dataclass(frozen=True, slots=True, kw_only=True)
class ScenarioFacts:
    """What a report or a claim may ask of a scenario; None where nobody knows."""

    id: str
    digest: str | None = None
    archetype: str | None = None
    critical: bool | None = None
    expected_terminal: Terminal | None = None
    tags: Mapping[str, str] = field(default_factory=dict)
