"""The programs that a doctor's sandbox runs, and the reading of what they say."""

from __future__ import annotations

import os
import select
import time
from dataclasses import dataclass

from harness.errors import SandboxError
from harness.sandbox.protocol import Limits, PlacedFile, Sandbox, SandboxSpec

LIMITS = Limits(memory_bytes=96 << 20, pids=48, cpus=0.25, disk_bytes=16 << 20, ttl_seconds=120)
SECRET = "doctor-end-secret"  # noqa: S105 - of a sandbox without a model in it
PLACED = PlacedFile(path="/srv/doctor/placed", content=b"as placed\n", mode=0o640)
_SCRIPT = "/usr/local/lib/doctor"
_OUTPUT = "/home/operator/doctor"
_PROMPT = b"doctor-is-ready$ "
_SECONDS = 60.0

# Each section prints facts; none of them judges. It runs in the session, typed at its prompt.
_PROBE = f"""\
section() {{ printf '\\n==== %s\\n' "$1"; }}
section status; cat /proc/self/status
section user; id -u
section environment; env; cat /proc/1/environ 2>&1
section interfaces; cat /proc/net/dev
section connect; perl -MSocket -e 'socket(S, PF_INET, SOCK_STREAM, 0) or die "socket: $!\\n";
  print connect(S, sockaddr_in(9, inet_aton("192.0.2.1"))) ? "connected" : "$!", "\\n"' 2>&1
section terminal; stty size 2>&1; stty -a 2>&1
section mounts; cat /proc/self/mountinfo
section disk; head -c {LIMITS.disk_bytes + (1 << 20)} /dev/zero 2>&1 >fill; cat fill | wc -c; rm -f fill
section shm; head -c {LIMITS.disk_bytes + (1 << 20)} /dev/zero 2>&1 >/dev/shm/fill
cat /dev/shm/fill | wc -c; rm -f /dev/shm/fill
section pids; perl -e 'my @made; for (1 .. {4 * LIMITS.pids}) {{ my $pid = fork; last if !defined $pid;
  if (!$pid) {{ sleep 60; exit }} push @made, $pid }} kill KILL => @made; print scalar(@made), "\\n"'
section memory; perl -e 'my $big = "x" x {LIMITS.memory_bytes + (64 << 20)}; print "allocated\\n"' 2>&1
echo "status $?"
section cpu; perl -e 'my $end = time + 2; for (1 .. 2) {{ my $pid = fork;
  if (defined $pid && !$pid) {{ 1 while time < $end; exit }} }}
  1 while wait > 0; my @t = times; printf "%.2f\\n", $t[2] + $t[3]'
section done
"""


def probe_spec() -> SandboxSpec:
    """The sandbox that a doctor looks at: small limits, so that reaching them is quick."""
    script = PlacedFile(path=_SCRIPT, content=_PROBE.encode(), mode=0o755, owner="root")
    return SandboxSpec(
        trial="doctor",
        files=(PLACED, script),
        setup="echo 'made by the setup' > /srv/doctor/setup",
        env=(("PS1", _PROMPT.decode()), ("PS2", "> ")),
        end_secret=SECRET,
        limits=LIMITS,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What the probe printed, by section."""

    sections: tuple[tuple[str, str], ...]

    def get(self, section: str) -> str:
        """A section's text; "" if the probe did not get that far."""
        return dict(self.sections).get(section, "")

    def status(self, name: str) -> str:
        """One line of the session's /proc/self/status."""
        for line in self.get("status").splitlines():
            key, _, value = line.partition(":")
            if key == name:
                return value.strip()
        return ""


def session_facts(sandbox: Sandbox) -> Facts:
    """Type the probe at the session's prompt and read what it wrote, from outside.

    Raises SandboxError if there is no prompt or the probe does not end.
    """
    deadline = time.monotonic() + _SECONDS
    _await_prompt(sandbox, deadline)
    os.write(sandbox.fileno(), f"sh {_SCRIPT} >{_OUTPUT} 2>&1\n".encode())
    _await_prompt(sandbox, deadline)
    text = (sandbox.world.read(_OUTPUT, max_bytes=1 << 20) or b"").decode(errors="replace")
    parts = [part.partition("\n") for part in text.split("\n==== ")[1:]]
    return Facts(sections=tuple((name.strip(), body) for name, _, body in parts))


def _await_prompt(sandbox: Sandbox, deadline: float) -> None:
    seen = b""
    while _PROMPT not in seen:
        ready, _, _ = select.select([sandbox.fileno()], [], [], max(0.0, deadline - time.monotonic()))
        data = os.read(sandbox.fileno(), 65536) if ready else b""
        if not data:
            shown = seen[-300:].decode(errors="replace")
            raise SandboxError(f"the session shows no prompt within {_SECONDS:.0f} s; it showed {shown!r}")
        seen += data
