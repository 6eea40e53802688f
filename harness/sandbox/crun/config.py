"""A container's OCI configuration: what it mounts, what it may do, what its first process is told."""

from __future__ import annotations

import base64

from harness.sandbox.crun.oci import Capabilities, Config, Mount, Process
from harness.sandbox.crun.seccomp import profile
from harness.sandbox.protocol import KERNEL_SETTINGS, OPERATOR_UID, SESSION_PATH, WRITABLE_ROOTS, SandboxSpec

INIT = "/usr/local/lib/evalh/init"
LAYERS = "/usr/lib/evalh"  # where the image keeps an upper and a work folder for each writable root
INODES_PER_MIB = 256

# What root in the container needs for the setup and for script checks; the session itself has none of them.
CAPABILITIES = ("CHOWN", "DAC_OVERRIDE", "FOWNER", "SETUID", "SETGID", "SETPCAP", "KILL")

_NAMESPACES = ("pid", "mount", "ipc", "uts", "network")
_MASKED = (
    "/proc/acpi",
    "/proc/asound",
    "/proc/interrupts",
    "/proc/kcore",
    "/proc/keys",
    "/proc/latency_stats",
    "/proc/sched_debug",
    "/proc/scsi",
    "/proc/timer_list",
    "/proc/timer_stats",
    LAYERS,
)
_READ_ONLY = ("/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger")


def config(spec: SandboxSpec, *, rootfs: str, container: str) -> Config:
    """The config.json of a container of `spec` on the image at `rootfs`.

    `rootfs` must be a path without commas and colons, since it goes into mount options.
    """
    document: Config = {
        "ociVersion": "1.0.0",
        "process": process((INIT,), user="root", env=_init_environment(spec), terminal=True),
        "root": {"path": rootfs, "readonly": True},
        "hostname": "shell",
        "mounts": [*_kernel_mounts(), *_writable_mounts(spec, rootfs)],
        "linux": {
            "namespaces": [{"type": name} for name in _NAMESPACES],
            "sysctl": dict(KERNEL_SETTINGS),
            "maskedPaths": list(_MASKED),
            "readonlyPaths": list(_READ_ONLY),
        },
        "annotations": {"evalh.container": container, "evalh.trial": spec.trial},
    }
    filters = profile()
    if filters is not None:
        document["linux"]["seccomp"] = filters
    return document


def process(argv: tuple[str, ...], *, user: str, env: tuple[tuple[str, str], ...], terminal: bool = False) -> Process:
    """A process in the container: root with the container's few capabilities, or the operator with none."""
    names = [f"CAP_{name}" for name in CAPABILITIES] if user == "root" else []
    capabilities: Capabilities = {
        "bounding": names,
        "effective": names,
        "permitted": names,
        "inheritable": [],
        "ambient": [],
    }
    uid = 0 if user == "root" else OPERATOR_UID
    return {
        "terminal": terminal,
        "user": {"uid": uid, "gid": uid},
        "args": list(argv),
        "env": [f"{name}={value}" for name, value in env],
        "cwd": "/",
        "capabilities": capabilities,
        "rlimits": [
            {"type": "RLIMIT_CORE", "soft": 0, "hard": 0},
            {"type": "RLIMIT_NOFILE", "soft": 1024, "hard": 1024},
        ],
        "noNewPrivileges": True,
        "oomScoreAdj": 500,
    }


def _init_environment(spec: SandboxSpec) -> tuple[tuple[str, str], ...]:
    return (
        ("PATH", SESSION_PATH),
        ("EVALH_END", spec.end_secret),
        ("EVALH_TTL", str(spec.limits.ttl_seconds)),
        ("EVALH_COLUMNS", str(spec.columns)),
        ("EVALH_ROWS", str(spec.rows)),
        ("EVALH_BANNER", base64.b64encode(spec.banner.encode()).decode()),
        *((f"EVALH_ENV_{name}", value) for name, value in spec.env),
    )


def _kernel_mounts() -> list[Mount]:
    plain = ["nosuid", "noexec", "nodev"]
    return [
        {"destination": "/proc", "type": "proc", "source": "proc", "options": plain},
        {
            "destination": "/dev",
            "type": "tmpfs",
            "source": "tmpfs",
            "options": ["nosuid", "noexec", "strictatime", "mode=755", "size=64k", "nr_inodes=64"],
        },
        {
            "destination": "/dev/pts",
            "type": "devpts",
            "source": "devpts",
            "options": ["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5", "max=64"],
        },
    ]


def _writable_mounts(spec: SandboxSpec, rootfs: str) -> list[Mount]:
    """One sized tmpfs, filled with the image's empty layers; on it an overlay for each writable root."""
    size = spec.limits.disk_bytes
    inodes = max(4096, size // (1 << 20) * INODES_PER_MIB)
    safe = ["nosuid", "nodev"]
    mounts: list[Mount] = [
        {
            "destination": LAYERS,
            "type": "tmpfs",
            "source": "tmpfs",
            "options": [*safe, "mode=700", f"size={size}", f"nr_inodes={inodes}", "tmpcopyup"],
        }
    ]
    for root in WRITABLE_ROOTS:
        layers = (
            f"lowerdir={rootfs}{root}",
            f"upperdir={rootfs}{LAYERS}/upper{root}",
            f"workdir={rootfs}{LAYERS}/work{root}",
        )
        mounts.append(
            {"destination": root, "type": "overlay", "source": "overlay", "options": [*safe, *layers]},
        )
    mounts.append(
        {
            "destination": "/dev/shm",  # noqa: S108 - the world's, on the same sized tmpfs as everything writable
            "type": "bind",
            "source": f"{rootfs}{LAYERS}/shm",
            "options": ["bind", *safe, "noexec"],
        }
    )
    return mounts
