"""What fills a container's writable places: the image's own content of them, then the spec's files."""

from __future__ import annotations

import io
import os
import tarfile
from dataclasses import dataclass

from harness.errors import BadInputError, SandboxError
from harness.sandbox.docker import keeper
from harness.sandbox.docker.api import DockerApi
from harness.sandbox.docker.create import LABEL, Occupied
from harness.sandbox.protocol import OPERATOR, OPERATOR_UID, WRITABLE_ROOTS, PlacedFile, SandboxSpec

SETUP_SCRIPT = "/run/evalh/setup"
READY = "/run/evalh/world"  # the boot program waits for it
GO = "/run/evalh/go"  # init waits for it before it starts the session shell
PLACED_AT = 1704067200  # 2024-01-01T00:00Z: `ls -l` of a placed file reads the same in every run
_BLOCK = 4096
_CONTENT_LIMIT = 256 * 1024 * 1024
_MANAGED = frozenset({"/etc/hostname", "/etc/hosts", "/etc/resolv.conf"})  # the engine mounts its own over these


@dataclass(frozen=True, slots=True, kw_only=True)
class Skeleton:
    """The image's content of the writable roots, as tar members without an end; and what it occupies."""

    members: bytes
    occupied: dict[str, Occupied]
    has_run_evalh: bool


def read_skeleton(api: DockerApi, image: str, labels: dict[str, str]) -> Skeleton:
    """Read an image's writable roots through a container of it that is never started.

    Raises SandboxError when the image lacks one of them.
    """
    body = {"Image": image, "Entrypoint": ["/bin/true"], "Labels": {LABEL: "1", **labels}, "NetworkDisabled": True}
    container = api.create(body)
    try:
        out = io.BytesIO()
        occupied: dict[str, Occupied] = {}
        names: set[str] = set()
        with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as tar:
            for root in WRITABLE_ROOTS:
                occupied[root] = _copy_root(api, container, root, tar, names)
            length = out.tell()
        return Skeleton(members=out.getvalue()[:length], occupied=occupied, has_run_evalh="/run/evalh" in names)
    finally:
        api.remove(container)


def _copy_root(api: DockerApi, container: str, root: str, out: tarfile.TarFile, names: set[str]) -> Occupied:
    """Append one root's members, renamed to absolute paths, and count its pages and inodes."""
    with api.failures(f"reading {root} of the sandbox image"):
        stream, _ = api.client.get_archive(container, root)
        content = io.BytesIO()
        for part in stream:
            content.write(part)
            if content.tell() > _CONTENT_LIMIT:
                raise SandboxError(f"{root} of the sandbox image is larger than {_CONTENT_LIMIT} bytes")
    content.seek(0)
    pages, inodes, mode = 0, 0, 0o755
    with tarfile.open(fileobj=content) as tar:
        for member in tar:
            inside = member.name.rstrip("/").partition("/")[2]
            path = f"{root}/{inside}" if inside else root
            mode = mode if inside else member.mode
            if path in _MANAGED or not (member.isreg() or member.isdir() or member.issym() or member.islnk()):
                continue
            pages += -(-member.size // _BLOCK)
            inodes += 1
            names.add(path)
            if member.islnk():
                member.linkname = f"{root}/{member.linkname.partition('/')[2]}"
            member.name = path
            member.uname = member.gname = ""
            member.pax_headers = {}
            out.addfile(member, tar.extractfile(member) if member.isreg() else None)
    return Occupied(pages=pages, inodes=inodes + 1, mode=mode)


def world_archive(skeleton: Skeleton, spec: SandboxSpec) -> bytes:
    """The tar that `tar -xpPf -` unpacks in a new container, as root; its last member lets the boot go on."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as tar:
        if spec.motd:
            _add(tar, "/etc/motd", spec.motd.encode(), 0o644, 0)
        for placed in spec.files:
            _add(tar, _checked(placed), placed.content, placed.mode, OPERATOR_UID if placed.owner == OPERATOR else 0)
        if not skeleton.has_run_evalh:
            _add_directory(tar, "/run/evalh")
        for name in (keeper.ORDER, keeper.DONE):
            _add_directory(tar, f"{keeper.PLACE}/{name}")
        if spec.setup:
            _add(tar, SETUP_SCRIPT, spec.setup.encode(), 0o600, 0)
        else:
            _add(tar, GO, b"", 0o644, 0)
        _add(tar, READY, b"", 0o644, 0)
    return skeleton.members + out.getvalue()


def _checked(placed: PlacedFile) -> str:
    path = placed.path
    if os.path.normpath(path) != path or not path.startswith(tuple(f"{root}/" for root in WRITABLE_ROOTS)):
        raise BadInputError(
            f"cannot place a file at {path!r}: not a plain absolute path under a writable place",
            hint="writable are " + ", ".join(WRITABLE_ROOTS),
        )
    if placed.owner not in {OPERATOR, "root"}:
        raise BadInputError(f"cannot place {path!r} for {placed.owner!r}: the owner is operator or root")
    return path


def _add(tar: tarfile.TarFile, path: str, content: bytes, mode: int, owner: int) -> None:
    member = tarfile.TarInfo(path)
    member.size, member.mode, member.mtime = len(content), mode, PLACED_AT
    member.uid = member.gid = owner
    tar.addfile(member, io.BytesIO(content))


def _add_directory(tar: tarfile.TarFile, path: str) -> None:
    member = tarfile.TarInfo(path)
    member.type, member.mode, member.mtime = tarfile.DIRTYPE, 0o755, 0
    tar.addfile(member)
