"""A Harbor solution as reference replies: line by line where its lines are plain commands, else as one script."""

from __future__ import annotations

import re
import shlex
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Final

from scenarios.interop.absent import absent_programs
from scenarios.interop.findings import Findings
from scenarios.interop.harbor_verifier import interpreter
from scenarios.interop.places import Moves
from scenarios.rules import LONGEST_LINE

_MOST_LINES: Final = 30  # beyond that a solution is typed as one script
_SCRIPT: Final = "/tmp/solve.sh"  # noqa: S108 - in the world
_IDLE: Final = re.compile(r"\s*(?:#.*|set\s+[-+][a-zA-Z]+(?:\s+pipefail)?|)\s*")
_INVOLVED: Final = re.compile(
    r"(?:^|[\s;&|({])(?:if|then|else|elif|fi|for|while|until|do|done|case|esac|select|function|declare|local|typeset|"
    r"source|trap|return|exit|read|exec|shopt|pushd|popd|mapfile|readarray)(?=$|[\s;&|)])"
    r"|<<|\(\)|\[\[|\(\(|=\(|<\(|>\(|&>|\|&|\$'|\{[^}\s]*(?:,|\.\.)[^}\s]*\}|\$\{[^}]*[/^@\[]|echo\s+-|(?<!&)&(?!&)\s*$|\$[0-9#@*]|\\$|BASH"
)


def solution(
    path: Path,
    moves: Moves,
    env: Mapping[str, str],
    workdir: str,
    ending: str,
    present: Collection[str],
    found: Findings,
) -> tuple[str, ...]:
    """The replies that do what solution/solve.sh does, the last of which begins with `ending` (exit or panic).

    `present` are programs that the task brings. What has no counterpart goes to `found`.
    """
    if not path.is_file():
        found.refuse(str(path), "it is missing", "a bundle needs replies that solve it")
        return (ending,)
    text = path.read_text(encoding="utf-8", errors="replace").replace("\r\n", "\n")
    _refusals(path, text, present, found)
    shell = interpreter(text)
    if shell is None:
        found.refuse(f"{path}:1", "worlds have no such interpreter", "write the solution in sh or bash")
    lines = moves.rewrite(text).rstrip().split("\n")
    last = ending
    while lines and (lines[-1].split() or [""])[0] in {"", "exit", "panic"}:
        words = lines.pop().split()
        if words[:1] == ["panic"] and ending == "panic":
            last = " ".join(words)
    opening = tuple(f"export {name}={shlex.quote(value)}" for name, value in env.items())
    here = (f"cd {shlex.quote(workdir)}",)
    work = [line for line in lines if not _IDLE.fullmatch(line)]
    if len(work) <= _MOST_LINES and all(map(_plain, work)):
        return (*here, *opening, *work, last)
    return (*here, *opening, _script(lines), f"{shell} {_SCRIPT}", f"rm {_SCRIPT}", last)


def _refusals(path: Path, text: str, present: Collection[str], found: Findings) -> None:
    for at, program, why in absent_programs(text, present):
        found.refuse(f"{path}:{at}", f"{program}: {why}", "solve the task without it")
    for number, line in enumerate(text.split("\n"), start=1):
        if re.search(r"(?<![\w./-])/(?:solution|tests)/", line):
            found.refuse(f"{path}:{number}", "a solution is typed, so it has no other files of the task at hand")
        if any(ord(character) < ord(" ") and character != "\t" for character in line):
            found.refuse(f"{path}:{number}", "a control character cannot be typed")
        if len(line.encode()) > LONGEST_LINE:
            found.refuse(f"{path}:{number}", f"a line is longer than the {LONGEST_LINE} bytes that a terminal takes")


def _plain(line: str) -> bool:
    """Whether a line is a command by itself that every POSIX shell reads alike."""
    if _INVOLVED.search(re.sub(r"'[^']*'", "''", line)):
        return False
    try:
        shlex.split(line)
    except ValueError:
        return False
    return not re.search(r"(?:&&|\|\||\||[({])\s*$", line) and not re.match(r"\s*[)}]", line)


def _script(lines: list[str]) -> str:
    mark = "END"
    while mark in lines:
        mark += "_"
    body = "\n".join(lines)
    return f"cat > {_SCRIPT} <<'{mark}'\n{body}\n{mark}"
