"""The command lines that start crun: inside the container's control group from the first instruction on."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from harness.errors import SandboxError
from harness.sandbox.cgroups import Cgroups, unified_mounts
from harness.sandbox.paths import RUNTIME

STATE = RUNTIME / "crun"  # crun's own state, one folder a container; its cache of compiled filters lies here too

# Joins the groups given before `--`, then becomes the rest.
_JOIN = 'for file do shift; [ "$file" != -- ] || break; echo 0 >"$file" || exit 69; done; exec "$@"'
# Takes the given file systems out of sight, says so, and waits for the end of its input.
_HIDE = 'for place do umount -l "$place" || exit 69; done; echo hidden; read -r line'


class Crun:
    """How crun is called on this machine. Holds a descriptor where it must be called from a mount namespace of its own.

    crun refuses to run where it sees version 2 of the control groups beside version 1. There, one namespace
    without it is made once and kept for as long as this object (its process) holds it open: nothing is mounted.
    """

    def __init__(self, cgroups: Cgroups) -> None:
        """Raises SandboxError when the namespace cannot be made."""
        self.cgroups = cgroups
        hidden = unified_mounts()
        self._namespace = _namespace_without(hidden) if hidden else None

    def close(self) -> None:
        """Let the namespace go; safe to call twice."""
        if self._namespace is not None:
            os.close(self._namespace)
            self._namespace = None

    def command(self, group: str, *arguments: str) -> list[str]:
        """The command line of `crun ARGUMENTS` in the control group `group`."""
        enter = []
        if self._namespace is not None:
            enter = ["nsenter", f"--mount=/proc/{os.getpid()}/fd/{self._namespace}"]
        join = ["sh", "-c", _JOIN, "sh", *map(str, self.cgroups.join_files(group)), "--"]
        return [*enter, *join, "crun", "--root", str(STATE), "--cgroup-manager", "disabled", *arguments]


def _namespace_without(places: tuple[Path, ...]) -> int:
    """A descriptor of a new mount namespace in which nothing is mounted at `places`; else it follows the host."""
    try:
        with subprocess.Popen(
            ["unshare", "--mount", "--propagation", "slave", "sh", "-c", _HIDE, "sh", *map(str, places)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        ) as helper:
            if helper.stdout is not None and helper.stdout.readline() == b"hidden\n":
                return os.open(f"/proc/{helper.pid}/ns/mnt", os.O_RDONLY | os.O_CLOEXEC)
            _, said = helper.communicate()
    except OSError as error:
        raise SandboxError(f"cannot make a mount namespace for crun: {error}") from error
    raise SandboxError(
        f"cannot make a mount namespace for crun: {said.decode(errors='replace').strip()}",
        hint="crun needs root's full rights here; use the docker engine without them",
    )
