"""The command lines that start crun: inside the container's control group from the first instruction on."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from harness.sandbox.cgroups import Cgroups
from harness.sandbox.paths import RUNTIME

STATE = RUNTIME / "crun"  # crun's own state, one folder a container; its cache of compiled filters lies here too

# Joins the groups given before `--`, hides the file systems given before the second, then becomes the rest.
_JOIN = """
for file do shift; [ "$file" != -- ] || break; echo 0 >"$file" || exit 69; done
for place do shift; [ "$place" != -- ] || break; umount -l "$place" || exit 69; done
exec "$@"
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Crun:
    """How crun is called on this machine."""

    cgroups: Cgroups
    hidden: tuple[Path, ...]  # mounts that crun must not see

    def command(self, group: str, *arguments: str) -> list[str]:
        """The command line of `crun ARGUMENTS` in the control group `group`."""
        join = ["sh", "-c", _JOIN, "sh", *map(str, self.cgroups.join_files(group)), "--", *map(str, self.hidden), "--"]
        alone = ["unshare", "--mount", "--propagation", "private"] if self.hidden else []
        return [*alone, *join, "crun", "--root", str(STATE), "--cgroup-manager", "disabled", *arguments]
