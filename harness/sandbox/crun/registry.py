"""Every crun container of this machine, whoever's it is: found by its state and groups, removed for good.

Needs no memory of who started it: a container's control groups and its folder of state bear its name,
`<owner>.<number>`, and with its processes its mounts die too, since only they ever saw them.
"""

from __future__ import annotations

import os
import re
import shutil
import time
from dataclasses import dataclass
from pathlib import Path

from harness.errors import SandboxError
from harness.sandbox.cgroups import Cgroups, discover
from harness.sandbox.crun.command import STATE
from harness.sandbox.owner import owner_is_dead
from harness.sandbox.paths import containers_dir

TRIAL_FILE = "trial"
_ID = re.compile(r"^(?P<container>(?P<owner>[^.]+)\.[0-9]+)(\.x[0-9]+)?$")


@dataclass(frozen=True, slots=True, kw_only=True)
class ContainerInfo:
    """One container: its id, whose it is, for which trial, and for how long it has existed."""

    id: str
    owner: str
    trial: str
    age_seconds: float


def list_containers() -> list[ContainerInfo]:
    """Every container of every owner, also half-made and half-removed ones. Raises SandboxError without root."""
    return [_describe(each) for each in _identities(discover())]


def remove_owned(owner: str) -> list[str]:
    """Kill and remove every container of `owner`; the ids removed. Raises SandboxError if one resists."""
    cgroups = discover()
    removed = [each for each in _identities(cgroups) if each.partition(".")[0] == owner]
    for each in removed:
        remove(each, cgroups)
    cgroups.tidy()
    return removed


def sweep() -> list[str]:
    """Remove the containers whose owner is surely dead; their ids."""
    owners = sorted({each.owner for each in list_containers() if owner_is_dead(each.owner)})
    return [each for owner in owners for each in remove_owned(owner)]


def remove(container: str, cgroups: Cgroups) -> None:
    """Kill everything in the container's groups, remove them and its state; no error if it is already gone."""
    for group in groups_of(container, cgroups):
        cgroups.remove(group)
    for folder in (STATE / container, containers_dir() / container):
        _remove_folder(folder)
    for group in groups_of(container, cgroups):  # made in the meantime by somebody who is dead by now
        cgroups.remove(group)


def groups_of(container: str, cgroups: Cgroups) -> list[str]:
    """The names of the container's control groups: its own, and one for each command run beside the session."""
    return [name for name in cgroups.names(container) if name == container or name.startswith(f"{container}.x")]


def _identities(cgroups: Cgroups) -> list[str]:
    names = {*cgroups.names(), *_entries(containers_dir()), *_entries(STATE)}
    found = {match["container"] for match in map(_ID.match, names) if match is not None}
    return sorted(found)


def _entries(folder: Path) -> list[str]:
    try:
        return os.listdir(folder)  # noqa: PTH208 - names are wanted, not paths
    except FileNotFoundError:
        return []


def _describe(container: str) -> ContainerInfo:
    file = containers_dir() / container / TRIAL_FILE
    try:
        trial, since = file.read_text(errors="replace"), file.stat().st_mtime
    except OSError:
        trial, since = "", time.time()
    owner = container.partition(".")[0]
    return ContainerInfo(id=container, owner=owner, trial=trial, age_seconds=max(0.0, time.time() - since))


def _remove_folder(folder: Path) -> None:
    try:
        shutil.rmtree(folder)
    except FileNotFoundError:
        return
    except OSError as error:
        raise SandboxError(f"cannot remove {folder}: {error.strerror}", hint="is another evalh removing it?") from error
