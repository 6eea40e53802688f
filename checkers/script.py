"""Checks by running a bundle's own script in the world."""

from __future__ import annotations

from checkers.judging import failed, passed
from harness.values import Verdict
from harness.world import ExecResult, JudgedWorld
from scenarios.bundle import Script
from scenarios.problems import quoted

# Absolute and without /usr/local, which is writable in a world: the script's words mean Debian's programs.
_COMMAND = ("/usr/bin/env", "-i", "PATH=/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/root", "LC_ALL=C.UTF-8", "/bin/sh", "-c")
_MOST_OUTPUT = 1 << 16


def script(check: Script, judged: JudgedWorld) -> Verdict:
    """PASS if the script exits with 0; everything else that happens once it runs is a FAIL.

    The script reads what the model wrote, so the model can make it hang (a FIFO, an endless link),
    be killed (a huge file) or end with any status (a file that is missing). Were one of these
    INVALID, a model could void a loss; so a deadline, a signal and every status but 0 fail, and the
    reason says which. A script that is itself broken therefore fails for both arms: that its
    reference passes is what certifies it. Only a script that could not be started is INVALID
    (SandboxError, raised by `judged.run`).
    """
    result = judged.run((*_COMMAND, check.script), user="root", timeout=check.timeout, max_output=_MOST_OUTPUT)
    if result.status == 0:
        return passed("the script exited with 0")
    if result.status is None:
        return failed(f"the script did not finish in {check.timeout:g} s")
    return failed(f"the script exited with {result.status}{_said(result)}")


def _said(result: ExecResult) -> str:
    lines = (result.stderr.strip() or result.stdout.strip()).decode(errors="replace").split("\n")
    return f", saying {quoted(lines[-1], limit=200)}" if lines[-1] else ""
