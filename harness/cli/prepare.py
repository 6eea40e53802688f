"""From settings to what a run stands on: everything is checked before anything is made."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import scenarios
from harness import evidence
from harness.arms import Arms, local_arms, remote_arms
from harness.certify.admission import admit
from harness.certify.certificates import Survey
from harness.cli.settings import RunSettings
from harness.errors import BadInputError
from harness.evidence import Checks, Paperwork
from scenarios import LoadedScenario


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """What a run stands on, all of it known to be there."""

    settings: RunSettings
    scenarios: tuple[LoadedScenario, ...]
    certificates: Survey
    arms: Arms
    papers: Paperwork


def prepare(settings: RunSettings, *, admitted: bool = False) -> Prepared:
    """Check scenarios and models; nothing is started and nothing is written.

    `admitted` is true where a run has begun with these scenarios, and its manifest says whether they were certified.

    Raises:
        BadInputError: one of them is missing, damaged, uncertified without leave, or does not fit the other.
    """
    chosen = choose_scenarios(settings)
    base, adapter, tokenizer = (
        _directory(getattr(settings, name), f"--{name}") for name in ("base", "adapter", "tokenizer")
    )
    if settings.endpoint:
        names = str(settings.base_model), str(settings.tuned_model)
        arms = remote_arms(*names, base=base, adapter=adapter, tokenizer=tokenizer)
    elif adapter is None:
        raise BadInputError("no adapter", hint="give --adapter DIR")
    else:
        arms = local_arms(adapter, base, tokenizer)
    papers = evidence.paperwork(arms, checks(settings), variables=settings.template_variables)
    certificates = admit(chosen, uncertified=settings.allow_uncertified or admitted)
    return Prepared(settings=settings, scenarios=chosen, certificates=certificates, arms=arms, papers=papers)


def checks(settings: RunSettings) -> Checks:
    """How strict these settings are about what could make the numbers worthless."""
    return Checks(parity=settings.parity, liveness=settings.liveness, contract=settings.contract)


def choose_scenarios(settings: RunSettings) -> tuple[LoadedScenario, ...]:
    """The scenarios of a run, in their fixed order."""
    split = scenarios.Split(settings.split)
    if settings.scenarios is None:
        loaded = scenarios.load_dir(scenarios.shipped(split), split=split)
    else:
        loaded = scenarios.load_dir(Path(settings.scenarios).expanduser())
    wanted = None if settings.n == "all" else settings.n
    return scenarios.pick(loaded, wanted, settings.seed or None)


def run_directory(settings: RunSettings) -> Path:
    """Where the run goes: --out, or runs/<time>-<name>."""
    if settings.out:
        given = Path(settings.out).expanduser()
        return given if given.name.strip(".") else given.resolve()  # a run is called by its directory's name
    name = Path(settings.adapter).name if settings.adapter else str(settings.tuned_model).replace("/", "_")
    stem = f"{datetime.now(UTC):%Y%m%d-%H%M%S}-{name or 'run'}"
    path, count = Path("runs") / stem, 1
    while path.exists():
        count += 1
        path = Path("runs") / f"{stem}-{count}"
    return path


def _directory(text: str | None, flag: str) -> Path | None:
    if text is None:
        return None
    path = Path(text).expanduser()
    if not path.is_dir():
        raise BadInputError(f"{flag} {text}: no such directory", hint="give an existing directory")
    return path
