"""`evalh sandbox build`: the image for every engine that this machine can use, with one content."""

from __future__ import annotations

import os
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Literal

from harness.errors import InfrastructureError, SandboxError
from harness.sandbox.docker.api import DockerApi
from harness.sandbox.image.base import Progress
from harness.sandbox.image.daemonless import Export, Image, build_rootfs
from harness.sandbox.image.dockerized import DockerImage, build_docker, export_docker


@dataclass(frozen=True, slots=True, kw_only=True)
class Built:
    """What was built: Docker's image id, the daemonless image, and why one of them was not."""

    docker: str | None
    crun: Image | None
    skipped: tuple[str, ...]


def build(engine: Literal["auto", "docker", "crun"], progress: Progress) -> Built:
    """Build the image for `engine`; `auto`: for each that can be used here, at least one.

    Raises SandboxError for what fails, InfrastructureError when no engine can be used at all.
    """
    skipped: list[str] = []
    with ExitStack() as stack:
        docker: DockerImage | None = None
        export: Export | None = None
        if engine != "crun":
            try:
                api = stack.enter_context(DockerApi())
                docker = build_docker(api, progress)
                export = _export(api, docker)
            except SandboxError as error:
                if engine == "docker":
                    raise
                skipped.append(f"docker: {error.message}")
        crun: Image | None = None
        if engine == "crun" or (engine == "auto" and os.geteuid() == 0):
            crun = build_rootfs(progress, export=export)
    if crun is None and engine == "auto":
        skipped.append("crun: needs root")
    if docker is None and crun is None:
        raise InfrastructureError(
            "no sandbox image could be built: " + "; ".join(skipped),
            hint="be root (with mmdebstrap and crun installed), or start a Docker engine",
        )
    return Built(docker=docker.id if docker else None, crun=crun, skipped=tuple(skipped))


def _export(api: DockerApi, image: DockerImage) -> Export | None:
    """Where Docker's base was pulled, its image is taken for crun too; a base made here is the same for both."""
    if image.base_made:
        return None
    return Export(image=image.id, write=lambda target: export_docker(api, image.id, target))
