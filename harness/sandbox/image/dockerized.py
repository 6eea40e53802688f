"""The image as Docker builds it from Dockerfile.sandbox, on Debian's own image where that can be pulled."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from harness.errors import SandboxError
from harness.sandbox.docker.api import DockerApi
from harness.sandbox.image.base import Progress, build_base
from harness.sandbox.image.sources import SUITE
from harness.sandbox.image.tree import (
    CONTEXT_TREE,
    REPOSITORY,
    docker_inputs_digest,
    dockerfile,
    image_name,
    tree_archive,
)

INPUTS_LABEL = "evalh.inputs"
_BASE_LABEL = "evalh.base"
_MADE = "made"
_DEBIAN = ("debian", f"{SUITE}-slim")
_MADE_BASE = ("evalh-base", SUITE)
_BUILD_SECONDS = 600


@dataclass(frozen=True, slots=True, kw_only=True)
class DockerImage:
    """An image in a Docker engine: its id, its tag, and whether its base was made here rather than pulled."""

    id: str
    tag: str
    base_made: bool


def build_docker(api: DockerApi, progress: Progress) -> DockerImage:
    """Build the image unless the engine has it for these very inputs; tag it, also as `latest`.

    Raises SandboxError with the build's last words when it fails.
    """
    name = image_name()
    found = _labels(api, name)
    if found.get(INPUTS_LABEL) != docker_inputs_digest():
        base, made = _base(api, progress)
        progress(f"docker: building on {base}")
        _build(api, name, base, made=made)
        found = _labels(api, name)
    image = api.image(name)
    if image is None:
        raise SandboxError("the Docker engine built an image, but does not have it", hint="build again")
    with api.failures("tagging the image"):
        api.client.tag(image, REPOSITORY, "latest", force=True)
    progress(f"docker: {name}")
    return DockerImage(id=image, tag=name, base_made=found.get(_BASE_LABEL) == _MADE)


def _labels(api: DockerApi, name: str) -> dict[str, str]:
    """The labels of an image; empty where there is no such image."""
    image = api.image(name)
    if image is None:
        return {}
    with api.failures("looking at the image"):
        about = api.client.inspect_image(image)  # type: ignore[no-untyped-call] # the stubs lack its types
    return dict(about["Config"]["Labels"] or {})


def export_docker(api: DockerApi, image: str, target: Path) -> None:
    """Write the whole root filesystem of `image` to the tar file `target`, by a container that is never started."""
    with api.failures("exporting the image"):
        container = api.client.create_container(image, labels={"evalh": "1"})["Id"]
        try:
            chunks: Iterable[bytes] = api.client.export(container)
            with target.open("wb") as file:
                for chunk in chunks:
                    file.write(chunk)
        finally:
            api.client.remove_container(container, force=True)


def _base(api: DockerApi, progress: Progress) -> tuple[str, bool]:
    """The image to build on, and whether it was made here: Debian's own if it is there or can be pulled."""
    debian, made = ":".join(_DEBIAN), ":".join(_MADE_BASE)
    if api.image(debian) is not None:
        return debian, False
    if api.image(made) is not None:
        return made, True
    progress(f"docker: pulling {debian}")
    try:
        with api.failures(f"pulling {debian}"):
            api.client.pull(*_DEBIAN)
    except SandboxError as error:
        progress(f"docker: {error.message.splitlines()[0]}")
    if api.image(debian) is not None:
        return debian, False
    tar = build_base(progress)
    progress(f"docker: importing {tar.name}")
    with api.failures("importing the base"), tar.open("rb") as stream:
        api.client.import_image_from_data(stream, repository=_MADE_BASE[0], tag=_MADE_BASE[1])
    return made, True


def _build(api: DockerApi, tag: str, base: str, *, made: bool) -> None:
    with api.failures("building the image"):
        lines = api.client.build(
            fileobj=io.BytesIO(_context()),
            custom_context=True,
            dockerfile="Dockerfile.sandbox",
            tag=tag,
            buildargs={"BASE": base},
            labels={INPUTS_LABEL: docker_inputs_digest(), _BASE_LABEL: _MADE if made else "pulled"},
            network_mode="none",
            rm=True,
            forcerm=True,
            timeout=_BUILD_SECONDS,
            decode=True,
        )
        said: list[str] = []
        for line in lines:
            said.append(str(line.get("stream") or line.get("error") or "").rstrip())
            if "error" in line:
                raise SandboxError("docker could not build the sandbox image:\n" + "\n".join(said[-12:]))


def _context() -> bytes:
    """The build context: Dockerfile.sandbox and the tree, where the Dockerfile looks for it."""
    buffer = io.BytesIO()
    content = dockerfile()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as tar:
        member = tarfile.TarInfo("Dockerfile.sandbox")
        member.size = len(content)
        tar.addfile(member, io.BytesIO(content))
        with tarfile.open(fileobj=io.BytesIO(tree_archive(f"{CONTEXT_TREE}/"))) as tree:
            for each in tree:
                tar.addfile(each, tree.extractfile(each) if each.isfile() else None)
    return buffer.getvalue()
