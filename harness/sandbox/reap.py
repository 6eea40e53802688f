"""Finds and removes what harnesses left behind: containers whose owner is dead, or all of ours."""

from __future__ import annotations

from dataclasses import dataclass

from harness.errors import SandboxError
from harness.sandbox.owner import owner_is_dead
from harness.sandbox.select import ENGINES


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """One container of ours on one engine."""

    engine: str
    id: str
    owner: str
    trial: str
    age_seconds: float
    abandoned: bool  # its owner is surely dead


@dataclass(frozen=True, slots=True, kw_only=True)
class Reaped:
    """What a reaping did: what it removed, what it left alone since its owner lives, and what it could not ask."""

    removed: tuple[Found, ...]
    kept: tuple[Found, ...]
    unreachable: tuple[str, ...]  # "docker: why", one an engine


def reap(*, everything: bool = False) -> Reaped:
    """Remove abandoned containers (`everything`: also those whose owner lives) on every engine that answers."""
    removed: list[Found] = []
    kept: list[Found] = []
    unreachable: list[str] = []
    for engine in ENGINES:
        try:
            found = find(engine)
            doomed = [each for each in found if everything or each.abandoned]
            _remove(engine, doomed)
        except SandboxError as error:
            unreachable.append(f"{engine}: {error}")
            continue
        removed += doomed
        kept += [each for each in found if each not in doomed]
    return Reaped(removed=tuple(removed), kept=tuple(kept), unreachable=tuple(unreachable))


def find(engine: str) -> tuple[Found, ...]:
    """Every container of ours on `engine`. Raises SandboxError where it cannot be asked."""
    if engine == "docker":
        return _find_docker()
    from harness.sandbox import crun  # only where it is asked for

    return tuple(
        Found(
            engine=engine,
            id=each.id,
            owner=each.owner,
            trial=each.trial,
            age_seconds=each.age_seconds,
            abandoned=owner_is_dead(each.owner),
        )
        for each in crun.list_containers()
    )


def _find_docker() -> tuple[Found, ...]:
    from harness.sandbox.docker.api import DockerApi  # heavy
    from harness.sandbox.docker.remove import docker_containers, this_host

    host = this_host()
    with DockerApi() as api:
        return tuple(
            Found(
                engine="docker",
                id=each.id,
                owner=each.owner,
                trial=each.trial,
                age_seconds=each.age_seconds,
                abandoned=each.host == host and owner_is_dead(each.owner),
            )
            for each in docker_containers(api)
        )


def _remove(engine: str, doomed: list[Found]) -> None:
    """Remove containers, and with them whatever else is left of their owners."""
    owners = sorted({each.owner for each in doomed} - {""})
    if engine == "docker":
        from harness.sandbox.docker.api import DockerApi  # heavy
        from harness.sandbox.docker.remove import remove_owned

        with DockerApi() as api:
            for each in doomed:
                api.remove(each.id)
            for owner in owners:
                remove_owned(api, owner)
        return
    from harness.sandbox import crun

    for owner in owners:
        crun.remove_owned(owner)
