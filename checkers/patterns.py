"""Regular expressions over text that an adversary wrote, within a bound on time and memory.

Python's re can take exponential time, and cannot be interrupted. A pattern without repetition and
alternatives cannot: it is searched here. Any other is searched by a child process under limits of
CPU time and memory, which the kernel enforces; CPU time, so that a busy machine changes no verdict.
"""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
from collections.abc import Sequence

from harness.errors import CheckerError

CPU_SECONDS = 2
_MEMORY = 1 << 30
_WALL_SECONDS = 300.0  # only a machine that does nothing at all makes the child take so long
_SAFE_STEPS = 1 << 24  # length of the text times length of the pattern
_TOO_MUCH = 99  # the child's status for memory or recursion

_CHILD = f"""
import json, re, resource, sys, warnings
resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
resource.setrlimit(resource.RLIMIT_AS, ({_MEMORY}, {_MEMORY}))
resource.setrlimit(resource.RLIMIT_CPU, ({CPU_SECONDS}, {CPU_SECONDS + 1}))
warnings.simplefilter("ignore")
try:
    task = json.load(sys.stdin.buffer)
    pattern = re.compile(task["pattern"])
    answer = "".join("01"[pattern.search(text) is not None] for text in task["texts"])
except (MemoryError, RecursionError, OverflowError):
    sys.exit({_TOO_MUCH})
sys.stdout.write(answer)
"""


class PatternTooSlowError(Exception):
    """The pattern takes more time or memory on these texts than a check may use."""


def searches(pattern: str, texts: Sequence[str]) -> tuple[bool, ...]:
    """Whether the pattern is found in each of the texts (re.search, no flags but the pattern's own).

    Raises PatternTooSlowError past CPU_SECONDS for all of them together, and CheckerError where the
    search could not be carried out at all.
    """
    steps = len(pattern) * sum(len(text) + 1 for text in texts)
    if not set(pattern) & set("*+?{|") and steps <= _SAFE_STEPS:
        compiled = re.compile(pattern)
        return tuple(compiled.search(text) is not None for text in texts)
    return _in_child(pattern, texts)


def _in_child(pattern: str, texts: Sequence[str]) -> tuple[bool, ...]:
    task = json.dumps({"pattern": pattern, "texts": list(texts)}).encode()
    command = (sys.executable, "-I", "-S", "-c", _CHILD)
    try:
        done = subprocess.run(  # a session of its own: ^C is for the harness, and must not look like a verdict
            command, input=task, capture_output=True, check=False, timeout=_WALL_SECONDS, start_new_session=True
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise CheckerError(f"a pattern could not be searched: {error}") from error
    if done.returncode in {-signal.SIGXCPU, -signal.SIGKILL, _TOO_MUCH}:
        raise PatternTooSlowError(f"the pattern needs more than {CPU_SECONDS} s or 1 GiB on this text")
    answer = done.stdout.decode()
    if done.returncode != 0 or len(answer) != len(texts):
        said = done.stderr.decode(errors="replace").strip().split("\n")[-1]
        raise CheckerError(f"a pattern could not be searched: the search ended with {done.returncode}: {said}")
    return tuple(mark == "1" for mark in answer)
