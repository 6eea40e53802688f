"""A leash ends what it holds, with all that came of it, when its holder is gone."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from harness.endpoint import leash

LONG = 60.0

# A program with a child in another session and a grandchild; none of them heeds polite requests.
STUBBORN = r"""
import os, signal, subprocess, sys
signal.signal(signal.SIGTERM, signal.SIG_IGN)
code = "import os, signal; os.fork(); os.write(1, b'%d\\n' % os.getpid()); signal.pause()"
inner = subprocess.Popen([sys.executable, "-c", code], start_new_session=True, stdout=subprocess.PIPE, text=True)
print(os.getpid(), *(int(inner.stdout.readline()) for _ in "ab"), sep="\n", flush=True)
signal.pause()
"""
HOLDER = """
import subprocess, sys
command = [sys.executable, "-I", sys.argv[1], "0.2", sys.executable, "-c", sys.argv[2]]
subprocess.Popen(command, stdin=subprocess.PIPE).wait()
"""


def held(*command: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-I", leash.__file__, "0.2", *command],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def watched(child: subprocess.Popen[str], count: int) -> list[int]:
    """Handles of the processes that print their ids, still good when they are gone."""
    assert child.stdout is not None
    return [os.pidfd_open(int(child.stdout.readline())) for _ in range(count)]


def gone(handles: list[int]) -> bool:
    for handle in handles:
        if not select.select([handle], [], [], LONG)[0]:
            return False
        os.close(handle)
    return True


def test_the_status_of_what_it_ran_is_its_own() -> None:
    for code, status in (("raise SystemExit(7)", 7), ("import os; os.kill(os.getpid(), 9)", 137), ("", 0)):
        with held(sys.executable, "-c", code) as child:
            assert child.wait(LONG) == status


def test_a_program_that_does_not_exist_is_said_in_a_line(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-I", leash.__file__, "0", str(tmp_path / "no")],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (127, f"{tmp_path / 'no'}: No such file or directory\n")


def test_a_program_that_ends_by_itself_takes_its_descendants_along() -> None:
    with held(sys.executable, "-c", STUBBORN) as child:
        handles = watched(child, 3)
        signal.pidfd_send_signal(handles[0], signal.SIGUSR1)
        assert gone(handles)
        assert child.wait(LONG) == 128 + signal.SIGUSR1


@pytest.mark.parametrize("end", ["stdin", "terminate"])
def test_all_descendants_end_even_those_that_will_not_and_moved_away(end: str) -> None:
    with held(sys.executable, "-c", STUBBORN) as child:
        handles = watched(child, 3)
        assert child.stdin is not None
        child.stdin.close() if end == "stdin" else child.terminate()
        assert gone(handles)
        child.wait(LONG)


def test_a_polite_program_is_asked_first() -> None:
    code = "import signal, sys; signal.signal(15, lambda *_: sys.exit(5)); print(0, flush=True); signal.pause()"
    with subprocess.Popen(
        [sys.executable, "-I", leash.__file__, "60", sys.executable, "-c", code],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as child:
        assert child.stdout is not None
        child.stdout.readline()
        assert child.stdin is not None
        child.stdin.close()
        assert child.wait(LONG) == 5


def test_a_killed_holder_leaves_nothing() -> None:
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLDER, leash.__file__, STUBBORN], stdout=subprocess.PIPE, text=True
    )
    with holder:
        handles = watched(holder, 3)
        holder.send_signal(signal.SIGKILL)
        assert gone(handles)


def test_a_killed_leash_asks_what_it_held_to_end() -> None:
    code = "import os, signal; print(os.getpid(), flush=True); signal.pause()"
    with held(sys.executable, "-c", code) as child:
        handles = watched(child, 1)
        child.kill()
        assert gone(handles)


def test_the_scratch_folder_goes_with_what_it_held() -> None:
    code = "import os; p = os.environ['WHERE']; open(p + '/left', 'w').close(); print(p)"
    with subprocess.Popen(
        [sys.executable, "-I", leash.__file__, "0.2", sys.executable, "-c", code],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "WHERE": leash.SCRATCH},
    ) as child:
        assert child.wait(LONG) == 0
        assert child.stdout is not None
        folder = Path(child.stdout.read().strip())
    assert folder.is_absolute()
    assert not folder.exists()
