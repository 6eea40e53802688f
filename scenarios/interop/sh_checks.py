"""Checks as POSIX sh, which returns 0 where a check passes, with Debian's essential programs alone."""

from __future__ import annotations

import re
import shlex
from typing import Final

from scenarios.bundle import (
    Check,
    FileAbsent,
    FileEquals,
    FileExists,
    FileMatches,
    LineCount,
    Mode,
    Owner,
    Script,
    TreeEquals,
)

# What the functions share. Texts go through od and perl, both essential in Debian: sh itself would drop NUL bytes.
PRELUDE: Final = r"""
small() { [ -f "$1" ] && [ "$(wc -c < "$1")" -le 1048576 ]; }
bytes() { od -An -v -tx1; }
bare() { perl -0777 -pe 's/[ \t\r]+(?=\n|\z)//g; s/\n+\z//'; }
same() { # FILE TEXT
    small "$1" && [ "$(printf %s "$2" | bytes)" = "$(bytes < "$1")" ]
}
same_bare() { # FILE TEXT, but for blank space at line ends and blank lines at the end
    small "$1" && [ "$(printf %s "$2" | bare | bytes)" = "$(bare < "$1" | bytes)" ]
}
has() { # FILE PATTERN
    small "$1" && PATTERN=$2 perl -e 'local $/; my ($text, $p) = (<STDIN> // "", $ENV{PATTERN});
        utf8::decode($_) for $text, $p; exit($text =~ /$p/ ? 0 : 1)' < "$1"
}
lines() { # FILE PATTERN: prints how many lines are not blank and have it
    small "$1" && PATTERN=$2 perl -e 'my ($n, $p) = (0, $ENV{PATTERN}); utf8::decode($p);
        while (<STDIN>) { chomp; utf8::decode($_); $n++ if /\S/ && /$p/ } print $n' < "$1"
}
""".lstrip()
_OTHERWISE_IN_PERL: Final = re.compile(r"\\[ZuUN]|\(\?P|\(\?[a-zA-Z]*[auL][a-zA-Z]*[:)]|\[\[|\[[^\]]*\[:")
_TEST: Final = {"file": "-f", "directory": "-d", "symlink": "-L"}


def sh_check(check: Check) -> str:
    """The commands that judge one check, to be run in a subshell; ValueError says why there are none."""
    if isinstance(check, Script):
        inside = "/usr/bin/env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LC_ALL=C.UTF-8 /bin/sh -c"
        return f"cd / && timeout -k 1 {check.timeout:g} {inside} {shlex.quote(check.script)} < /dev/null"
    path = shlex.quote(check.path)
    match check:
        case FileExists():
            return f"[ {_TEST[check.type]} {path} ]"
        case FileAbsent():
            return f"[ ! -e {path} ] && [ ! -L {path} ]"
        case FileEquals():
            return _same(path, check.content, strip=check.strip)
        case FileMatches():
            if check.negate:
                return f"small {path} && ! has {path} {_pattern(check.pattern)}"
            return f"has {path} {_pattern(check.pattern)}"
        case LineCount():
            return f'[ "$(lines {path} {_pattern(check.pattern or "")})" = {check.count} ]'
        case Mode():
            return f'[ "$(stat -L -c %a {path} 2>/dev/null)" = {int(check.mode, 8):o} ]'
        case Owner():
            return f'[ "$(stat -L -c %U {path} 2>/dev/null)" = {check.owner} ]'
        case TreeEquals():
            return _tree(path, check)
    raise ValueError("no essential program of Debian reads JSON")


def _same(path: str, text: str, *, strip: bool) -> str:
    if "\0" in text:
        raise ValueError("sh knows no NUL bytes")
    return f"{'same_bare' if strip else 'same'} {path} {shlex.quote(text)}"


def _pattern(pattern: str) -> str:
    found = _OTHERWISE_IN_PERL.search(pattern)
    if found:
        raise ValueError(f"{found[0]} means something else outside of Python")
    return shlex.quote(pattern)


def _tree(path: str, check: TreeEquals) -> str:
    names = sorted(check.files, key=str.encode)
    listed = "find . ! -type d -printf"
    parts = [
        f"cd {path} 2>/dev/null",
        f'[ "$({listed} x | wc -c)" -eq {len(names)} ]',
        f"""[ "$({listed} '%P\\n' | LC_ALL=C sort)" = {shlex.quote(chr(10).join(names))} ]""",
    ]
    parts += [_same(shlex.quote(f"./{name}"), check.files[name], strip=check.strip) for name in names]
    return " &&\n    ".join(parts)
