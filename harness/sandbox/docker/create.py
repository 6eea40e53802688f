"""What the engine is asked for: the body of the request that creates one container."""

from __future__ import annotations

import base64
from dataclasses import dataclass

from harness.sandbox.docker.execs import program
from harness.sandbox.protocol import KERNEL_SETTINGS, SESSION_PATH, WRITABLE_ROOTS, Limits, SandboxSpec

LABEL = "evalh"
OWNER_LABEL = "evalh.owner"
TRIAL_LABEL = "evalh.trial"
HOST_LABEL = "evalh.host"  # whose process ids the owner's label speaks of
CAPABILITIES = (
    "CHOWN",
    "DAC_OVERRIDE",
    "FOWNER",
    "SETUID",
    "SETGID",
    "SETPCAP",
    "KILL",
)  # root's; the operator has none
SECRET_VARIABLES = ("EVALH_END", "EVALH_BANNER")

# How `Limits.disk_bytes` is divided, in sixteenths of it; what is left is /dev/shm's. The Engine API
# mounts one volume at one place, so the places cannot share one pool as they do in the crun engine.
_SHARES = {
    "/home": 5.0,
    "/tmp": 4.0,  # noqa: S108 - inside the world
    "/srv": 2.0,
    "/opt": 1.0,
    "/etc": 1.0,
    "/var": 1.0,
    "/usr/local": 1.0,
    "/run": 0.5,
}
_SHM_SHARE = 0.5
_PAGE = 4096


@dataclass(frozen=True, slots=True, kw_only=True)
class Occupied:
    """What the image's own content takes of one writable root."""

    pages: int
    inodes: int
    mode: int


def container_body(
    spec: SandboxSpec, *, image: str, labels: dict[str, str], occupied: dict[str, Occupied]
) -> dict[str, object]:
    """The JSON body of `POST /containers/create` (Engine API 1.41) for one sandbox."""
    limits = spec.limits
    return {
        "Image": image,
        "Hostname": "shell",
        "User": "0:0",
        "WorkingDir": "/",
        "Entrypoint": ["/usr/bin/perl", "-e", program("boot")],
        "Cmd": [],
        "Env": _environment(spec),
        "Labels": labels,
        "Tty": True,
        "OpenStdin": True,
        "AttachStdin": True,
        "AttachStdout": True,
        "AttachStderr": True,
        "NetworkDisabled": True,
        "HostConfig": {
            "AutoRemove": True,
            "NetworkMode": "none",
            "IpcMode": "private",
            "Sysctls": dict(KERNEL_SETTINGS),
            "CapDrop": ["ALL"],
            "CapAdd": list(CAPABILITIES),
            "SecurityOpt": ["no-new-privileges"],
            "ReadonlyRootfs": True,
            "PidsLimit": limits.pids,
            "Memory": limits.memory_bytes,
            "MemorySwap": limits.memory_bytes,
            "NanoCpus": int(limits.cpus * 1e9),
            "OomScoreAdj": 0,  # init makes the session's 500: what is short of memory is the operator's
            "ShmSize": _pages(limits, _SHM_SHARE) * _PAGE,
            "LogConfig": {"Type": "none", "Config": {}},
            "Ulimits": [_ulimit("core", 0), _ulimit("nofile", 1024)],
            "ConsoleSize": [spec.rows, spec.columns],
            "Mounts": [_volume(root, limits, occupied[root], labels) for root in WRITABLE_ROOTS],
        },
    }


def _environment(spec: SandboxSpec) -> list[str]:
    settings = {
        "PATH": SESSION_PATH,
        "EVALH_END": spec.end_secret,
        "EVALH_TTL": str(spec.limits.ttl_seconds),
        "EVALH_COLUMNS": str(spec.columns),
        "EVALH_ROWS": str(spec.rows),
        "EVALH_BANNER": base64.b64encode(spec.banner.encode()).decode(),
    }
    session = {f"EVALH_ENV_{name}": value for name, value in spec.env}
    return [f"{name}={value}" for name, value in (settings | session).items()]


def _volume(root: str, limits: Limits, occupied: Occupied, labels: dict[str, str]) -> dict[str, object]:
    """An anonymous tmpfs volume: unlike a tmpfs mount, the archive API can see it."""
    size = (_pages(limits, _SHARES[root]) + occupied.pages) * _PAGE
    inodes = _pages(limits, _SHARES[root]) + occupied.inodes
    options = f"size={size},nr_inodes={inodes},mode={occupied.mode:o},nosuid,nodev"
    return {
        "Type": "volume",
        "Target": root,
        "VolumeOptions": {
            "NoCopy": True,
            "Labels": labels,
            "DriverConfig": {"Name": "local", "Options": {"type": "tmpfs", "device": "tmpfs", "o": options}},
        },
    }


def _pages(limits: Limits, share: float) -> int:
    return max(16, int(limits.disk_bytes * share / 16) // _PAGE)


def _ulimit(name: str, value: int) -> dict[str, object]:
    return {"Name": name, "Soft": value, "Hard": value}
