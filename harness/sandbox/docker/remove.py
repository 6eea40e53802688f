"""What of ours a Docker engine holds, found by label, and its removal."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import requests

from harness.errors import SandboxError
from harness.sandbox.docker.api import DockerApi
from harness.sandbox.docker.create import HOST_LABEL, LABEL, OWNER_LABEL, TRIAL_LABEL

_AT_ONCE = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class DockerContainer:
    """One container of ours: whose it is, for which trial, and its age in seconds."""

    id: str
    owner: str
    trial: str
    host: str
    age_seconds: float


def this_host() -> str:
    """Tells this boot of this machine from others that may share an engine."""
    return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()


def docker_containers(api: DockerApi, owner: str | None = None) -> list[DockerContainer]:
    """Every container of ours (of `owner`, if given), running or not."""
    with api.failures("listing containers"):
        found = api.client.containers(all=True, filters={"label": _label(owner)})
    containers = []
    for each in found:
        labels = each.get("Labels") or {}
        containers.append(
            DockerContainer(
                id=str(each["Id"]),
                owner=str(labels.get(OWNER_LABEL, "")),
                trial=str(labels.get(TRIAL_LABEL, "")),
                host=str(labels.get(HOST_LABEL, "")),
                age_seconds=max(0.0, time.time() - float(each["Created"])),
            )
        )
    return containers


def remove_owned(api: DockerApi, owner: str) -> list[str]:
    """Remove every container and volume of `owner`; the ids of the containers that were there.

    Returns once the engine knows none of them any more; SandboxError if that takes over half a minute.
    """
    ids = [each.id for each in docker_containers(api, owner)]
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        list(pool.map(api.remove, ids))
    _remove_volumes(api, owner)
    return ids


def _remove_volumes(api: DockerApi, owner: str) -> None:
    """Volumes whose container vanished without them, e.g. when the engine was killed in between."""
    with api.failures("listing volumes"):
        volumes = api.client.volumes(filters={"label": _label(owner)})["Volumes"] or []
    for volume in volumes:
        with api.failures("removing a volume"):
            reply = api.client.delete(api.url(f"/volumes/{volume['Name']}"), timeout=api.seconds)
        if reply.status_code not in {requests.codes.no_content, requests.codes.not_found, requests.codes.conflict}:
            raise SandboxError(f"a volume could not be removed: {reply.text.strip()[:300]}")


def _label(owner: str | None) -> str:
    return f"{OWNER_LABEL}={owner}" if owner is not None else f"{LABEL}=1"
