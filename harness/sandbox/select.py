"""Chooses the engine: the named one, or the best that can be used here."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from harness.errors import InfrastructureError
from harness.sandbox.protocol import Engine

EngineName = Literal["auto", "docker", "crun"]
ENGINES: tuple[Literal["crun", "docker"], ...] = ("crun", "docker")  # the faster one first


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """One kind of engine: `probe` says why it cannot be used now (None: it can), `make` makes one."""

    name: str
    probe: Callable[[], str | None]
    make: Callable[[], Engine]


def kind(name: str) -> Kind:
    """The engine kind of that name, imported only now. Raises InfrastructureError for an unknown one."""
    if name == "docker":
        from harness.sandbox import docker  # the docker package takes a third of a second

        return Kind(name=name, probe=docker.probe, make=docker.DockerEngine)
    if name == "crun":
        from harness.sandbox import crun

        return Kind(name=name, probe=crun.probe, make=crun.CrunEngine)
    raise InfrastructureError(f"there is no sandbox engine {name!r}", hint="engines are auto, crun and docker")


def choose(name: str = "auto") -> Engine:
    """A new engine of the kind `name`; `auto` takes crun where it can be used, else docker.

    The caller closes it. Raises InfrastructureError, which says of each engine tried why it cannot be
    used and what to do about it.
    """
    reasons = []
    for each in ENGINES if name == "auto" else (name,):
        found = kind(each)
        reason = found.probe()
        if reason is None:
            return found.make()
        reasons.append(f"{each}: {reason}")
    raise InfrastructureError(
        "no sandbox engine can be used:\n  " + "\n  ".join(reasons),
        hint="`evalh sandbox build` makes the image; `evalh sandbox doctor` looks closer",
    )
