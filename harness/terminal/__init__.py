"""A session's terminal: a reply is typed, what it did comes back, and nothing it does can hang or fool the wait."""

from harness.terminal.cast import CastWriter
from harness.terminal.marks import prompt_variables
from harness.terminal.shell import ShellTerminal
from harness.terminal.watch import TerminalLimits, TerminalPty

__all__ = ["CastWriter", "ShellTerminal", "TerminalLimits", "TerminalPty", "prompt_variables"]
