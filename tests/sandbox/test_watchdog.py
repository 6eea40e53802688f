"""The watchdog by itself: it looks until nothing more appears, and goes at once when it is dismissed."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
import time

import pytest

from harness.errors import SandboxError
from harness.sandbox.owner import new_owner
from harness.sandbox.watchdog import Watchdog, remove_until_quiet


@pytest.mark.slow
def test_it_looks_again_after_it_found_something_and_after_a_failure() -> None:
    says = ["found", "failed", "nothing", "found"]
    looks: list[str] = []

    def remove() -> bool:
        said = says[len(looks)] if len(looks) < len(says) else "nothing"
        looks.append(said)
        if said == "failed":
            raise SandboxError("the engine is starting")
        return said == "found"

    assert remove_until_quiet(remove)
    assert looks[: len(says)] == says
    assert set(looks[len(says) :]) == {"nothing"}
    assert len(looks) > len(says) + 2


def test_one_that_somebody_killed_ends_no_run() -> None:
    with Watchdog.start("docker", new_owner(), address="unix:///nonexistent") as watchdog:
        watchdog._process.kill()
        watchdog._process.wait()
        watchdog.dismiss()


def test_a_dismissed_one_goes_at_once_and_ignores_signals_before() -> None:
    with Watchdog.start("docker", new_owner(), address="unix:///nonexistent") as watchdog:
        process = watchdog._process
        assert os.getsid(process.pid) == process.pid != os.getsid(0)
        await_ignored(process, signal.SIGINT)
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            process.send_signal(number)
        watchdog.dismiss()
    assert process.returncode == 0


def await_ignored(process: subprocess.Popen[bytes], number: signal.Signals) -> None:
    deadline = time.monotonic() + 30
    while True:
        with open(f"/proc/{process.pid}/status", encoding="ascii") as file:  # noqa: PTH123 - a kernel file
            ignored = next(line for line in file if line.startswith("SigIgn"))
        if int(ignored.split()[1], 16) >> (number - 1) & 1:
            return
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_a_closed_engine_makes_no_more_containers() -> None:
    with Watchdog.start("docker", new_owner(), address="unix:///nonexistent") as watchdog:
        watchdog.close()
        with pytest.raises(SandboxError, match="closed"), watchdog.guarding():
            pass
        watchdog.dismiss()


def test_it_is_not_dismissed_while_a_thread_makes_a_container() -> None:
    watchdog = Watchdog.start("docker", new_owner(), address="unix:///nonexistent")
    made, done = threading.Event(), threading.Event()

    def make() -> None:
        with watchdog.guarding():
            made.set()
            done.wait()

    thread = threading.Thread(target=make)
    thread.start()
    made.wait()
    watchdog.dismiss()
    process = watchdog._process
    try:
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(1)
    finally:
        process.kill()
        done.set()
        thread.join()
        watchdog.__exit__(None, None, None)
