"""A Harbor verifier as the script of a check: its tests written down, run where the work was done, its reward read."""

from __future__ import annotations

import base64
import re
import shlex
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Final

from scenarios.interop.absent import absent_programs
from scenarios.interop.findings import Findings
from scenarios.interop.places import HOME, Moves

_BASE: Final = "/run/harbor"  # root's alone: the operator can prepare nothing there
_LONGEST: Final = 100_000  # bytes: a script is one argument of a program
_SHELLS: Final = {"sh": "/bin/sh", "dash": "/bin/sh", "bash": "/bin/bash"}
_READ_REWARD: Final = """\
exec perl -0777 -e '
my $number = qr/[-+]?(?:\\d+\\.?\\d*|\\.\\d+)(?:[eE][-+]?\\d+)?/;
my ($folder) = @ARGV;
if (open my $file, "<", "$folder/reward.json") {
    my $text = <$file>;
    exit($1 >= 1 ? 0 : 1) if $text =~ /^\\s*($number)\\s*$/;
    exit 1 unless $text =~ /^\\s*\\{(?:\\s*"[^"\\\\]*"\\s*:\\s*$number\\s*(?:,(?=\\s*")|(?=\\})))+\\}\\s*$/;
    my %reward = $text =~ /"([^"\\\\]*)"\\s*:\\s*($number)/g;
    exit($reward{reward} >= 1 ? 0 : 1) if exists $reward{reward};
    exit((grep { $_ < 1 } values %reward) ? 1 : 0);
}
open my $file, "<", "$folder/reward.txt" or exit 1;
exit(<$file> =~ /^\\s*($number)\\s*$/ && $1 >= 1 ? 0 : 1);
' """


def interpreter(text: str) -> str | None:
    """The shell that a script's first line asks for; /bin/sh where it asks for none, None for anything else."""
    if not text.startswith("#!"):
        return "/bin/sh"
    words = text.split("\n", 1)[0].removeprefix("#!").split()
    name = words[1] if len(words) > 1 and words[0].endswith("/env") else (words or [""])[0]
    return _SHELLS.get(name.rsplit("/", 1)[-1])


def verifier_script(
    folder: Path, moves: Moves, env: Mapping[str, str], workdir: str, present: Collection[str], found: Findings
) -> str:
    """The text of the check that runs tests/test.sh and passes where the reward is 1 or more.

    `env` is set for the verifier, and `present` are programs that the task brings. What has no counterpart goes to
    `found`; the text is then of no use.
    """
    main = folder / "test.sh"
    if not main.is_file():
        found.refuse(str(main), "it is missing", "a task needs a verifier")
        return "false"
    parts = [
        f"umask 022\nrm -rf {_BASE}\nmkdir -m 700 {_BASE} && mkdir -p {_BASE}/logs/verifier {_BASE}/tests || exit 1"
    ]
    files = [file for file in sorted(folder.rglob("*")) if file.is_file()]
    parts += [_written(file, str(file.relative_to(folder)), moves, present, found) for file in files]
    shell = interpreter(main.read_text(encoding="utf-8", errors="replace"))
    if shell is None:
        found.refuse(f"{main}:1", "worlds have no such interpreter", "write the verifier in sh or bash")
    parts += [f"export {name}={shlex.quote(value)}" for name, value in {"HOME": HOME, **env}.items()]
    parts.append(f"cd {shlex.quote(workdir)} 2>/dev/null || exit 1")
    parts.append(f"{shell} {_BASE}/tests/test.sh > {_BASE}/logs/verifier/test-stdout.txt 2>&1")
    script = "\n".join(parts) + "\n" + _READ_REWARD + f"{_BASE}/logs/verifier\n"
    if len(script.encode()) > _LONGEST:
        found.refuse(str(folder), f"the verifier and its files hold more than {_LONGEST} bytes")
    return script


def _written(file: Path, name: str, moves: Moves, present: Collection[str], found: Findings) -> str:
    """Shell text that writes a file of the tests."""
    target = f"{_BASE}/tests/{name}"
    content = file.read_bytes()
    try:
        text = content.decode()
    except UnicodeDecodeError:
        text = "\0"
    if file.suffix == ".sh" or text.startswith("#!"):
        for line, program, why in absent_programs(text, present):
            found.refuse(f"{file}:{line}", f"{program}: {why}", "write the verifier in sh")
    lines = [f"mkdir -p {shlex.quote(target.rpartition('/')[0])}"] if "/" in name else []
    if "\0" in text or (text and not text.endswith("\n")) or "\r" in text:
        packed = base64.b64encode(content if "\0" in text else _moved(text, moves).encode()).decode()
        lines.append(f"printf %s {packed} | base64 -d > {shlex.quote(target)}")
    else:
        moved, mark = _moved(text, moves), "END"
        while re.search(f"(?m)^{mark}$", moved):
            mark += "_"
        lines.append(f"cat > {shlex.quote(target)} <<'{mark}'\n{moved}{mark}")
    if file.stat().st_mode & 0o100 or file.suffix == ".sh":
        lines.append(f"chmod 755 {shlex.quote(target)}")
    return "\n".join(lines)


def _moved(text: str, moves: Moves) -> str:
    own = re.sub(r"(?<![\w./~*})-])/(tests|logs)(?![\w@+-]|\.\w)", rf"{_BASE}/\1", moves.rewrite(text))
    return re.sub(r"(?<![\w./~*})-])/solution(?![\w@+-]|\.\w)", f"{_BASE}/solution", own)
