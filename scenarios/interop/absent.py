"""Programs that a world does not have, looked for in shell text: installers, interpreters, the network, services."""

from __future__ import annotations

import re
import shlex
from collections.abc import Collection, Iterator, Mapping
from types import MappingProxyType
from typing import Final

_WHY: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {
        "it installs software, and worlds are one fixed image": (
            *("apt", "apt-get", "aptitude", "apk", "dnf", "yum", "conda", "mamba", "brew", "gem", "cargo", "npm"),
            *("npx", "yarn", "pnpm", "pip", "pip3", "pipx", "uv", "uvx", "poetry", "snap", "rustup", "go"),
        ),
        "worlds have no network": ("curl", "wget", "git", "ssh", "scp", "rsync", "nc", "ping", "ftp", "telnet", "dig"),
        "worlds do not have this program": (
            *("python", "python3", "pytest", "node", "ruby", "java", "gcc", "g++", "cc", "make", "cmake", "jq", "gawk"),
            *("xxd", "bc", "vim", "vi", "nano", "ed", "tmux", "screen", "unzip", "zip", "file", "column", "sqlite3"),
            *("docker", "docker-compose", "crontab", "cron", "rewardkit", "busybox", "less", "man", "lsof"),
        ),
        "worlds have the users root and operator": (
            *("useradd", "adduser", "usermod", "groupadd", "addgroup", "chpasswd", "passwd", "su", "sudo", "runuser"),
        ),
        "worlds run no services": (
            "systemctl",
            "service",
            "supervisord",
            "sshd",
            "nginx",
            "apache2",
            "mount",
            "umount",
        ),
    }
)
_REASON: Final = {name: why for why, names in _WHY.items() for name in names}
_OPENERS: Final = frozenset(("if", "then", "else", "elif", "do", "while", "until", "!", "{", "time"))
_CARRIERS: Final = frozenset(("exec", "env", "nice", "xargs", "command", "timeout", "nohup", "eval"))
_ENDS: Final = re.compile(r"[;&|()\n`]+")
_ASSIGNMENT: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*=.*", re.DOTALL)
_VERSIONED: Final = re.compile(r"(python3?|pip3?)(\.\d+)+")
_HEREDOC: Final = re.compile(r"<<-?\s*(['\"]?)([A-Za-z_][A-Za-z0-9_]*)\1")
_QUICK: Final = re.compile(r"(?<![\w.-])(?:" + "|".join(map(re.escape, sorted(_REASON))) + r")(?![\w-])")


def absent_programs(text: str, present: Collection[str] = ()) -> Iterator[tuple[int, str, str]]:
    """Each program in command position that worlds lack: its line (from 1), its name, and why.

    Those in `present` are brought by the task. Quoted texts, comments and here-documents are not commands. Where the
    quotes cannot be followed, the line is searched word by word.
    """
    for line, command in _logical_lines(text):
        if not _QUICK.search(command):
            continue
        for name in dict.fromkeys(_names(command)):
            base = _VERSIONED.sub(r"\1", name.rsplit("/", 1)[-1])
            if base in _REASON and base not in present and not name.startswith(("./", "../")):
                yield line, base, _REASON[base]


def _logical_lines(text: str) -> Iterator[tuple[int, str]]:
    """Lines without comments, joined over backslashes and open quotes; the bodies of here-documents left out."""
    lines = text.split("\n")
    at = 0
    while at < len(lines):
        first = at
        joined, is_open = _without_comment(lines[at])
        at += 1
        while at < len(lines) and (is_open or joined.endswith("\\")):
            more = lines[at] if is_open else "\n" + lines[at]
            joined, is_open = _without_comment(joined.removesuffix("\\") + ("\n" + more if is_open else more[1:]))
            at += 1
        for _, word in _HEREDOC.findall(joined):
            while at < len(lines) and lines[at].strip() != word:
                at += 1
            at += 1
        yield first + 1, joined


def _without_comment(line: str) -> tuple[str, bool]:
    """The text up to an unquoted comment, and whether a quote is still open at its end."""
    quote, escaped, before = "", False, " "
    for at, character in enumerate(line):
        if escaped:
            escaped = False
        elif character == "\\" and quote != "'":
            escaped = True
        elif quote:
            quote = "" if character == quote else quote
        elif character in "'\"":
            quote = character
        elif character == "#" and before in " \t\n;&|(":
            return line[:at], False
        before = character
    return line, bool(quote)


def _names(command: str) -> Iterator[str]:
    """The words in command position."""
    lexer = shlex.shlex(command.replace("`", " ; ").replace("$(", " ; ("), posix=True, punctuation_chars=";&|()\n")
    lexer.whitespace, lexer.whitespace_split, lexer.commenters = " \t\r", True, ""
    try:
        words = list(lexer)
    except ValueError:
        words = command.split()
    expected = True
    carried = False
    for word in words:
        if _ENDS.fullmatch(word):
            expected, carried = True, False
        elif expected and not _ASSIGNMENT.fullmatch(word) and not (carried and (word[0] in "-" or word.isdigit())):
            yield word
            carried = word in _CARRIERS
            expected = carried or word in _OPENERS
