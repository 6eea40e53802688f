"""The first command word is the one that a shell would look up."""

from __future__ import annotations

import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.terminal.findings import Findings, of_command, of_unfinished
from harness.terminal.words import Opening, command_word


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("ls -l", "ls"),
        ("  \tls", "ls"),
        ("A=1 B='x y' C=$(date) ls", "ls"),
        ("2>/dev/null >out <in cat", "cat"),
        ("2>&1 cat", "cat"),
        ("! grep -q x f", "grep"),
        ("( cd /; ls )", "cd"),
        ("{ ls; }", "ls"),
        ("for i in 1 2; do echo $i; done", "echo"),
        ("for i\ndo\n  wc\ndone", "wc"),
        ("while read -r x; do echo; done", "read"),
        ("until test -e f; do :; done", "test"),
        ("if grep x f; then ls; fi", "grep"),
        ("case $x in a|b) stat;; esac", "stat"),
        ("case $x in (a) stat;; esac", "stat"),
        ("'my prog' x", "my prog"),
        ('"my prog" x', "my prog"),
        (r"\ls", "ls"),
        ("l's'", "ls"),
        ('ec"h"o hi', "echo"),
        ("$EDITOR file", "$EDITOR"),
        ("$(echo ls -l) x", "$(echo ls -l)"),
        ("`echo ls` x", "`echo ls`"),
        ("greet() { echo hi; }", "greet"),
        ("\\\nls", "ls"),
        ("Sure, here it is", "Sure,"),
        ("cat <<EOF\nnot this\nEOF", "cat"),
        ("<<EOF cat\nnot this\nEOF", "cat"),
        ("# a comment\nls", "ls"),
        ("X=1", Opening.SETTING),
        ("X=1; ls", Opening.SETTING),
        ("> out", Opening.SETTING),
        ("# a comment", Opening.NOTHING),
        ("", Opening.NOTHING),
        ("   ", Opening.NOTHING),
    ],
)
def test_the_word_that_is_looked_up(text: str, word: str | Opening) -> None:
    assert command_word(text) == word


@pytest.mark.parametrize(
    "prefix", ["A=b ", "2>/dev/null ", "! ", "{ ", "( ", "if ", "X='; ' ", "\\\n", ">'a b' ", 'A="$(echo ")")" ']
)
def test_dash_looks_up_the_same_word(prefix: str) -> None:
    word = "n0such-command"
    text = f"{prefix}{word} a b"
    closed = text + {"{ ": "; }", "( ": ")", "if ": "; then :; fi"}.get(prefix, "")
    if prefix.startswith((">", "2>")):
        closed = f"cd /tmp && {text}"
    said = subprocess.run(["dash", "-c", closed], capture_output=True, text=True, check=False, cwd="/tmp").stderr
    assert command_word(text) == word
    assert prefix.startswith("2>") or f"{word}: not found" in said


@given(st.text(alphabet="ab \t\n'\"\\$(){}`;&|<>#=!for indocase", max_size=60))
def test_any_text_has_an_answer(text: str) -> None:
    assert command_word(text) is not None


@pytest.mark.parametrize(
    "text", ["$(" * 100_000, "'" * 100_001, "a=" * 100_000, "`" * 100_001, "<" * 100_000, "\\" * 100_001]
)
def test_hostile_texts_take_linear_time(text: str) -> None:
    assert command_word(text) is not None


NOT_FOUND = "sh: 3: foo: not found\r\n"


@pytest.mark.parametrize(
    ("text", "status", "shown", "findings"),
    [
        ("ls", 0, "a\r\n", Findings(parsed=True, resolved=True)),
        ("ls nosuch", 2, "ls: cannot access 'nosuch'\r\n", Findings(parsed=True, resolved=True)),
        ("foo", 127, NOT_FOUND, Findings(parsed=True, resolved=False)),
        ("foo | wc", 0, NOT_FOUND + "0 0 0\r\n", Findings(parsed=True, resolved=False)),
        ("echo foo | wc", 0, NOT_FOUND, Findings(parsed=True, resolved=True)),
        ("./f | wc", 0, "sh: 3: ./f: Permission denied\r\n", Findings(parsed=True, resolved=False)),
        ("foo | wc", 0, "bash: foo: command not found\r\n", Findings(parsed=True, resolved=False)),
        ("# hello", 0, "", Findings(parsed=True, resolved=False)),
        ("```sh\nls\n```", 0, "", Findings(parsed=True, resolved=False)),
        ("X=1", 0, "", Findings(parsed=True, resolved=True)),
        ("", 127, "", Findings(parsed=True, resolved=None)),
        ("\x04", None, "", Findings(parsed=True, resolved=None)),
        ("echo )", 2, 'sh: 4: Syntax error: ")" unexpected\r\n', Findings(parsed=False, resolved=False)),
        ("echo )", 2, '-sh: syntax error: unexpected ")"\r\n', Findings(parsed=False, resolved=False)),
        ("echo )", 2, "bash: syntax error near unexpected token `)'\r\n", Findings(parsed=False, resolved=False)),
        ("sh -c '('", 2, "sh: 1: Syntax error: end of file unexpected\r\n", Findings(parsed=True, resolved=True)),
        ("sh script.sh", 2, "script.sh: 3: Syntax error: end of file\r\n", Findings(parsed=True, resolved=True)),
        ("cat log", 0, "sh: 4: Syntax error: in a file\r\n", Findings(parsed=True, resolved=True)),
    ],
)
def test_findings_are_the_shell_s_own_words(text: str, status: int | None, shown: str, findings: Findings) -> None:
    assert of_command(text, status=status, shown=shown) == findings


def test_an_unfinished_command_did_not_parse() -> None:
    assert of_unfinished("it's") == Findings(parsed=False, resolved=None)
    assert of_unfinished("```sh") == Findings(parsed=False, resolved=False)
