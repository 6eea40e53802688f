"""The files that evalh itself adds to the image, and the identity of everything that goes into it."""

from __future__ import annotations

import hashlib
import io
import tarfile
from functools import cache
from pathlib import Path

from harness.errors import SandboxError

TREE = Path(__file__).parent / "rootfs"
PROVISION = "usr/local/lib/evalh/provision"
REPOSITORY = "evalh-sandbox"
CONTEXT_TREE = "harness/sandbox/image/rootfs"  # as Dockerfile.sandbox names it
_DOCKERFILE = "Dockerfile.sandbox"


@cache
def dockerfile() -> bytes:
    """Dockerfile.sandbox: of the checkout, or as packaged beside this module. Raises SandboxError without one."""
    here = Path(__file__)
    for folder in (here.parents[3], here.parent):
        if (folder / _DOCKERFILE).is_file():
            return (folder / _DOCKERFILE).read_bytes()
    raise SandboxError(f"{_DOCKERFILE} is missing from this installation", hint="install evalh anew")


def tree_archive(prefix: str = "") -> bytes:
    """The tree as an uncompressed tar, the same bytes whatever the checkout's umask, owner and dates are."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for path in sorted(TREE.rglob("*")):
            member = tarfile.TarInfo(f"{prefix}{path.relative_to(TREE).as_posix()}")
            member.mode = 0o755
            if path.is_dir():
                member.type = tarfile.DIRTYPE
                tar.addfile(member)
            else:
                content = path.read_bytes()
                member.size = len(content)
                tar.addfile(member, io.BytesIO(content))
    return buffer.getvalue()


@cache
def inputs_digest() -> str:
    """`sha256:` and the digest of what evalh adds to an image's base."""
    return f"sha256:{hashlib.sha256(tree_archive()).hexdigest()}"


@cache
def docker_inputs_digest() -> str:
    """As `inputs_digest`, with Dockerfile.sandbox: what an image built by Docker depends on besides its base."""
    return f"sha256:{hashlib.sha256(dockerfile() + tree_archive()).hexdigest()}"


def image_name() -> str:
    """The name, with its tag, of the Docker image of these very inputs."""
    return f"{REPOSITORY}:{docker_inputs_digest().removeprefix('sha256:')[:12]}"
