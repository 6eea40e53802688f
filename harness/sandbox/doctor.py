"""Proves that a sandbox isolates, over the same paths that sessions and checks use."""

from __future__ import annotations

import secrets
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path

from harness.errors import SandboxError
from harness.sandbox.doctor_probe import LIMITS, PLACED, SECRET, Facts, probe_spec, session_facts
from harness.sandbox.protocol import OPERATOR_UID, Engine, Sandbox, SandboxSpec

_CAPABILITY_SETS = ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")
_NAMESPACES = ("mnt", "pid", "net", "ipc", "uts")
_MADE = (("/srv/doctor/setup", b"made by the setup\n"), ("/srv/doctor/command", b"made by a command\n"))
_ENGINE_FILES = ("/etc/hostname", "/etc/hosts", "/etc/resolv.conf")  # Docker's own, read-only
_TTL_SECONDS = 2
_TTL_GRACE = 20.0
_POLL_SECONDS = 0.1


class Health(StrEnum):
    """How good a finding is."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing looked at: what was found, and what to do about it if it is not right."""

    name: str
    health: Health
    found: str
    advice: str = ""


def doctor(engine: Engine) -> list[Finding]:
    """Open sandboxes on `engine` and look at them from inside and outside; a failing engine is a finding too."""
    findings: list[Finding] = []
    try:
        with engine.open(probe_spec()) as sandbox:
            findings.append(_own_root(sandbox))
            if findings[0].health is Health.FAIL:
                return findings  # everything else would be done to this machine
            findings += _outside(sandbox)
            facts = session_facts(sandbox)
            findings += [*_identity(facts), *_reach(facts), *_limits(facts), *_after(sandbox)]
        findings.append(_time_to_live(engine))
    except SandboxError as error:
        advice = error.hint or "mend this first; the rest could not be looked at"
        findings.append(Finding(name="sandbox works", health=Health.FAIL, found=error.message, advice=advice))
    return findings


def _finding(name: str, good: object, found: str, advice: str) -> Finding:
    health = Health.OK if good else Health.FAIL
    return Finding(name=name, health=health, found=found, advice="" if good else advice)


def _own_root(sandbox: Sandbox) -> Finding:
    """Whether `run` and `world` look at another root than this machine's; changes nothing but a file in /tmp."""
    token = f"evalh-doctor-{secrets.token_hex(8)}"
    with tempfile.NamedTemporaryFile(prefix=token) as file:
        inside = sandbox.run(("cat", "--", file.name)).status
        read = sandbox.world.read(file.name, max_bytes=1)
    made = Path(f"/tmp/{token}")  # noqa: S108 - of the world, unless that is this machine's own
    status = sandbox.run(("touch", str(made))).status
    leaked = made.exists()
    made.unlink(missing_ok=True)
    good = inside != 0 and read is None and status == 0 and not leaked
    found = (
        "no file of this machine is visible inside, nor the other way round" if good else "it is THIS machine's root"
    )
    return _finding("root of its own", good, found, "never use this engine: what runs in it runs on this machine")


def _outside(sandbox: Sandbox) -> Iterator[Finding]:
    """What `run` and `world` show, and whether they agree."""
    yield _namespaces(sandbox)
    sandbox.run(("sh", "-c", "echo made by a command > /srv/doctor/command"))
    agree = all(
        sandbox.run(("cat", path)).stdout == sandbox.world.read(path, max_bytes=1 << 16) == content
        for path, content in ((PLACED.path, PLACED.content), *_MADE)
    )
    found = "commands and reads from outside see the same files" if agree else "they see different files"
    yield _finding("one world", agree, found, "report this; verdicts of file checks would be wrong")
    refused = sandbox.run(("touch", "/usr/bin/evalh-doctor", "/evalh-doctor"))
    held = refused.stderr.count(b"Read-only file system") == 2
    found = "not even root can write outside of the world's places" if held else "the system can be changed"
    yield _finding("read-only system", held, found, "use an engine that honours a read-only root filesystem")


def _namespaces(sandbox: Sandbox) -> Finding:
    links = [f"/proc/self/ns/{name}" for name in _NAMESPACES]
    inside = sandbox.run(("readlink", *links)).stdout.decode().split()
    here = [str(Path(link).readlink()) for link in links]
    shared = [name for name, ours, theirs in zip(_NAMESPACES, here, inside, strict=False) if ours == theirs]
    good = len(inside) == len(here) and not shared
    found = "mount, pid, network, ipc and uts of its own" if good else f"shared with this machine: {', '.join(shared)}"
    return _finding("namespaces", good, found, "the engine must give each container namespaces of its own")


def _identity(facts: Facts) -> Iterator[Finding]:
    """Who the session is and what it may do."""
    sets = [facts.status(name) for name in _CAPABILITY_SETS]
    none = all(value and int(value, 16) == 0 for value in sets)
    found = (
        "all five sets are empty"
        if none
        else ", ".join(f"{k} {v}" for k, v in zip(_CAPABILITY_SETS, sets, strict=True))
    )
    yield _finding("no capabilities", none, found, "rebuild the image: `evalh sandbox build`")
    user = facts.get("user").strip()
    yield _finding("not root", user == str(OPERATOR_UID), f"uid {user}", "rebuild the image: `evalh sandbox build`")
    locked = facts.status("NoNewPrivs")
    yield _finding("no new privileges", locked == "1", f"NoNewPrivs {locked}", "the engine ignores no-new-privileges")
    filtered = facts.status("Seccomp")
    yield _finding(
        "system calls filtered",
        filtered == "2",
        f"Seccomp {filtered}",
        "give the engine its default seccomp profile back",
    )
    hidden = facts.get("environment") and SECRET not in facts.get("environment")
    yield _finding(
        "secrets hidden",
        hidden,
        "the session cannot read the end mark's secret" if hidden else "the session can read it",
        "rebuild the image: `evalh sandbox build`",
    )
    lines = facts.get("terminal").split("\n", 1)
    sane = lines[0].strip() == "50 200" and " -echo " in facts.get("terminal").replace(";", " ").replace("\n", " ")
    yield _finding(
        "terminal",
        sane,
        f"rows and columns {lines[0].strip()}, echo off" if sane else f"size {lines[0]!r} or echo is wrong",
        "report this; sessions would be shown wrongly",
    )


def _reach(facts: Facts) -> Iterator[Finding]:
    """What the session can get at."""
    names = [line.partition(":")[0].strip() for line in facts.get("interfaces").splitlines() if ":" in line]
    answer = facts.get("connect").strip()
    alone = names == ["lo"] and "unreachable" in answer
    yield _finding(
        "no network",
        alone,
        f"interfaces {', '.join(names) or 'unknown'}; connecting says {answer!r}",
        "the engine must start containers with network mode none",
    )
    foreign = sorted(_host_mounts(facts.get("mounts")))
    yield _finding(
        "no host directories",
        facts.get("mounts") and not foreign,
        f"mounted from this machine: {', '.join(foreign)}" if foreign else "none is mounted",
        "remove volumes or binds that the engine adds to every container",
    )


def _host_mounts(mountinfo: str) -> set[str]:
    """Mount points backed by a disk of the machine, the root filesystem and the engine's own files apart."""
    found = set()
    for line in mountinfo.splitlines():
        before, dash, after = line.partition(" - ")
        if dash and after.split()[1].startswith("/dev/") and before.split()[4] not in {"/", *_ENGINE_FILES}:
            found.add(before.split()[4])
    return found


def _limits(facts: Facts) -> Iterator[Finding]:
    """What the session cannot get beyond."""
    for section, what in (("disk", "disk limit"), ("shm", "shared memory limit")):
        text = facts.get(section)
        size = int(text.split()[-1]) if text.split() else -1
        held = "No space left on device" in text and 0 <= size <= LIMITS.disk_bytes
        yield _finding(
            what,
            held,
            f"writing ended at {size} bytes of {LIMITS.disk_bytes}",
            "the engine does not honour size caps of tmpfs",
        )
    made = facts.get("pids").strip()
    held = made.isdigit() and 0 < int(made) <= LIMITS.pids
    yield _finding(
        "process limit",
        held,
        f"{made or 'no'} processes of {LIMITS.pids} could be made",
        "enable the pids control group",
    )
    memory = facts.get("memory")
    held = "status 137" in memory and "allocated" not in memory
    yield _finding(
        "memory limit",
        held,
        "an allocation beyond it was killed, and the container lives" if held else f"not in force: {memory.strip()!r}",
        "enable the memory control group (on Debian: cgroup_enable=memory)",
    )
    used = facts.get("cpu").strip()
    share = float(used) / 2.0 if used.replace(".", "", 1).isdigit() else None
    held = share is not None and share < 3 * LIMITS.cpus
    found = (
        f"two busy processes got {share:.2f} of a CPU; {LIMITS.cpus} is allowed"
        if share is not None
        else "not measured"
    )
    yield _finding("cpu limit", held, found, "enable the cpu control group (CFS bandwidth)")


def _after(sandbox: Sandbox) -> Iterator[Finding]:
    """What the harness does once the session is over."""
    sandbox.kill_operator()
    listed = sandbox.run(("sh", "-c", "cat /proc/[0-9]*/status 2>/dev/null")).stdout.decode(errors="replace")
    left = [
        block for block in listed.split("Name:")[1:] if f"Uid:\t{OPERATOR_UID}" in block and "\nState:\tZ" not in block
    ]
    yield _finding("session can be ended", not left, f"{len(left)} processes of the operator are left", "report this")
    kills = sandbox.oom_kills()
    yield Finding(
        name="memory kills counted",
        health=Health.OK if kills else Health.WARN,
        found=f"{kills} so far" if kills is not None else "the kernel does not tell",
        advice="" if kills else "records will not say when the memory limit killed something",
    )


def _time_to_live(engine: Engine) -> Finding:
    spec: SandboxSpec = replace(probe_spec(), limits=replace(LIMITS, ttl_seconds=_TTL_SECONDS))
    with engine.open(spec) as sandbox:
        deadline = time.monotonic() + _TTL_GRACE
        while _answers(sandbox):
            if time.monotonic() > deadline:
                found = f"a container outlived its {_TTL_SECONDS} s"
                advice = "rebuild the image: `evalh sandbox build`"
                return Finding(name="time to live", health=Health.FAIL, found=found, advice=advice)
            time.sleep(_POLL_SECONDS)
    found = f"a forgotten container ended by itself after {_TTL_SECONDS} s"
    return Finding(name="time to live", health=Health.OK, found=found)


def _answers(sandbox: Sandbox) -> bool:
    try:
        return sandbox.run(("true",), timeout=_TTL_GRACE).status == 0
    except SandboxError:
        return False
