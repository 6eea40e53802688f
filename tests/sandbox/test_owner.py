"""Owner labels: they name a process, and tell when it is dead; never when that cannot be known."""

from __future__ import annotations

import re
import subprocess
import sys

from harness.sandbox.owner import is_owner, new_owner, owner_is_dead


def test_each_label_is_new_and_fits_file_names_and_labels() -> None:
    labels = {new_owner() for _ in range(50)}
    assert len(labels) == 50
    assert all(re.fullmatch(r"[0-9a-f-]{1,63}", label) and is_owner(label) for label in labels)


def test_a_living_process_is_not_dead() -> None:
    assert not owner_is_dead(new_owner())


def test_a_process_that_has_ended_is_dead() -> None:
    program = "from harness.sandbox.owner import new_owner; print(new_owner())"
    label = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True).stdout.strip()
    assert is_owner(label)
    assert owner_is_dead(label)


def test_a_later_process_of_the_same_number_is_another() -> None:
    pid, start, namespace, nonce = new_owner().split("-")
    assert owner_is_dead(f"{pid}-{int(start) - 1}-{namespace}-{nonce}")


def test_of_another_pid_namespace_or_of_no_form_nothing_is_known() -> None:
    assert not owner_is_dead(f"999999999-1-{1}-00000000")
    assert not owner_is_dead("somebody")
    assert not owner_is_dead("")
