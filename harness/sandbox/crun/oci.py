"""The parts of the OCI runtime specification that the crun engine speaks, as types."""

from __future__ import annotations

from typing import NotRequired, TypedDict

SeccompArch = str


class SeccompArg(TypedDict):
    """A condition on one argument of a system call."""

    index: int
    value: int
    valueTwo: NotRequired[int]
    op: str


class SeccompRule(TypedDict):
    """What to do with some system calls."""

    names: list[str]
    action: str
    errnoRet: NotRequired[int]
    args: NotRequired[list[SeccompArg]]


class Seccomp(TypedDict):
    """A whole filter."""

    defaultAction: str
    defaultErrnoRet: int
    architectures: list[SeccompArch]
    syscalls: list[SeccompRule]


class User(TypedDict):
    """Who runs a process."""

    uid: int
    gid: int
    additionalGids: NotRequired[list[int]]


class Capabilities(TypedDict):
    """The five sets of a process."""

    bounding: list[str]
    effective: list[str]
    permitted: list[str]
    inheritable: list[str]
    ambient: list[str]


class Rlimit(TypedDict):
    """One resource limit."""

    type: str
    soft: int
    hard: int


class Process(TypedDict):
    """A process: the container's first, or one that joins it."""

    terminal: bool
    user: User
    args: list[str]
    env: list[str]
    cwd: str
    capabilities: Capabilities
    rlimits: list[Rlimit]
    noNewPrivileges: bool
    oomScoreAdj: NotRequired[int]


class Root(TypedDict):
    """The root filesystem."""

    path: str
    readonly: bool


class Mount(TypedDict):
    """One mount, made in order."""

    destination: str
    type: str
    source: str
    options: list[str]


class Namespace(TypedDict):
    """A namespace of the container's own."""

    type: str


class Linux(TypedDict):
    """What only Linux has."""

    namespaces: list[Namespace]
    sysctl: dict[str, str]
    maskedPaths: list[str]
    readonlyPaths: list[str]
    seccomp: NotRequired[Seccomp]


class Config(TypedDict):
    """A bundle's config.json."""

    ociVersion: str
    process: Process
    root: Root
    hostname: str
    mounts: list[Mount]
    linux: Linux
    annotations: dict[str, str]
