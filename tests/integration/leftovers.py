"""What a run may have left on this machine, looked for from outside."""

from __future__ import annotations

import shutil
import subprocess
import time
from collections.abc import Callable
from pathlib import Path


def leftovers(pid: int) -> list[str]:
    """Processes, containers, mounts and cgroups that name the harness process `pid`; empty when all is clean."""
    owner = f"evalh.owner={pid}"
    found = [f"mount {line}" for line in Path("/proc/self/mounts").read_text().splitlines() if "evalh" in line]
    found += [f"process {line}" for line in _processes() if f"{pid}-" in line or f"-{pid}" in line]
    found += [f"cgroup {path}" for path in Path("/sys/fs/cgroup").glob(f"**/evalh*{pid}*") if path.is_dir()]
    if shutil.which("docker"):
        done = subprocess.run(
            ["docker", "ps", "-a", "--format", "{{.ID}} {{.Labels}}"], check=False, capture_output=True, text=True
        )
        found += [f"container {line}" for line in done.stdout.splitlines() if owner in line]
    return found


def _processes() -> list[str]:
    lines = []
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                command = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
            except OSError:
                continue
            if "evalh" in command and "pytest" not in command:
                lines.append(f"{folder.name} {command}")
    return lines


def wait_for(
    happened: Callable[[], bool], *, seconds: float, what: str, child: subprocess.Popen[str] | None = None
) -> None:
    """Poll for an event; fails, with the child's output if it died, when it does not come in time."""
    deadline = time.monotonic() + seconds
    while not happened():
        if child is not None and child.poll() is not None and not happened():
            output = child.stdout.read() if child.stdout else ""
            raise AssertionError(f"the command ended ({child.returncode}) before {what}: {output}")
        if time.monotonic() > deadline:
            raise AssertionError(f"no {what} within {seconds:g} s")
        time.sleep(0.05)
