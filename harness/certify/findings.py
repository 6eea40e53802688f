"""What an examination found: values that views and certificates are made from."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from scenarios import LoadedScenario


class Weight(StrEnum):
    """Whether a finding refuses the certificate."""

    FATAL = "fatal"
    REMARK = "remark"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that an author should know, and the experiment that showed it."""

    weight: Weight
    experiment: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Battery:
    """What the attacks came to: `passed` is 0 in a certified bundle; `work` did by accident what was asked for."""

    attacks: int = 0
    passed: tuple[str, ...] = ()
    work: tuple[str, ...] = ()
    on: str = ""  # the id it ran on: of a template, one instance stands for all; "" where it did not run


@dataclass(frozen=True, slots=True, kw_only=True)
class Examination:
    """One bundle's way through all experiments."""

    loaded: LoadedScenario
    findings: tuple[Finding, ...]
    repeats: int  # runs of the reference
    flaky: int  # of them that differed from the first
    battery: Battery
    needed: tuple[int, ...] | None = None  # replies of the reference without which it fails, from 1; None: not looked
    sessions: int = 0
    seconds: float = 0.0

    @property
    def certified(self) -> bool:
        """Whether nothing was found that refuses the certificate."""
        return not any(finding.weight is Weight.FATAL for finding in self.findings)

    @property
    def flake_rate(self) -> float:
        """The share of reference runs that differed from the first."""
        return self.flaky / self.repeats
