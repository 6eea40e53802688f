"""Starts a session shell on its own terminal and says how it ended, as the sandbox's PID 1 does.

usage: pid1.py SECRET PANIC_FILE SHELL [ARGUMENT...]
"""

import base64
import os
import signal
import subprocess
import sys
import termios
from pathlib import Path

DEAF_TO = (signal.SIGINT, signal.SIGQUIT, signal.SIGTSTP, signal.SIGTTOU, signal.SIGHUP)


def main() -> None:
    """Hold one session; linger afterwards, so that the terminal stays."""
    secret, panic_file, *shell = sys.argv[1:]
    modes = termios.tcgetattr(0)
    modes[3] &= ~termios.ECHO
    termios.tcsetattr(0, termios.TCSANOW, modes)
    termios.tcsetwinsize(0, (50, 200))
    for number in DEAF_TO:
        signal.signal(number, signal.SIG_IGN)
    child = subprocess.Popen(shell, preexec_fn=_plain_signals)
    status = child.wait()
    os.tcsetpgrp(0, os.getpgrp())
    termios.tcsetattr(0, termios.TCSANOW, modes)
    termios.tcflow(0, termios.TCOON)
    how, reason = ("exit" if status >= 0 else "killed"), b""
    if Path(panic_file).exists():
        how, reason = "panic", Path(panic_file).read_bytes()
    ended, killed = (str(status), "") if status >= 0 else ("", str(-status))
    encoded = base64.b64encode(reason).decode()
    os.write(1, f"\x1e{secret}:{how}:{ended}:{killed}:{encoded}\x1f".encode())
    signal.pause()


def _plain_signals() -> None:
    for number in DEAF_TO:
        signal.signal(number, signal.SIG_DFL)


if __name__ == "__main__":
    main()
