"""What the run directory promises: nothing finished is lost, nothing unfinished counts."""

from __future__ import annotations

import json
import os
import re
import resource
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from harness import store
from harness.errors import BadInputError, StoreError
from harness.values import Arm, Completion, Message, Role, SessionEnd, Terminal, TrialKey, Turn
from tests.records import manifest, record


def test_a_record_reads_back_as_it_was_written(tmp_path: Path) -> None:
    written = (record(arm=Arm.BASE, success=False), record(arm=Arm.TUNED), record("logs-02", success=None))
    run = store.create(tmp_path / "run", manifest("stock-01", "logs-02"))
    for one in written:
        run.append_trial(one)
    run.close()
    assert store.read_trials(tmp_path / "run") == written


def test_a_record_counts_as_soon_as_append_returns_even_if_the_process_is_killed(tmp_path: Path) -> None:
    program = textwrap.dedent(
        f"""
        import os, signal
        from pathlib import Path
        from harness import store
        from tests.records import manifest, record
        run = store.create(Path({str(tmp_path / "run")!r}), manifest("stock-01"))
        run.append_trial(record())
        os.kill(os.getpid(), signal.SIGKILL)
        """
    )
    done = subprocess.run([sys.executable, "-c", program], check=False, cwd=Path(__file__).parents[2])
    assert done.returncode == -9
    assert store.read_trials(tmp_path / "run") == (record(),)


def test_a_line_that_a_crash_cut_is_no_record_and_the_next_one_starts_afresh(tmp_path: Path) -> None:
    path = tmp_path / "run"
    store.create(path, manifest("stock-01")).close()
    with (path / store.TRIALS).open("ab") as stream:
        stream.write(b'{"scenario":"stock-01","arm":"ba')
    assert store.read_trials(path) == ()
    run = store.reopen(path)
    run.append_trial(record())
    run.close()
    assert store.read_trials(path) == (record(),)


def test_a_damaged_line_is_named_by_file_and_line(tmp_path: Path) -> None:
    path = tmp_path / "run"
    run = store.create(path, manifest("stock-01"))
    run.append_trial(record())
    run.close()
    with (path / store.TRIALS).open("ab") as stream:
        stream.write(b'{"scenario": 3}\n')
    with pytest.raises(BadInputError, match=r"trials\.jsonl:2: "):
        store.read_trials(path)


def test_a_number_in_quotes_is_no_number(tmp_path: Path) -> None:
    path = tmp_path / "run"
    run = store.create(path, manifest("stock-01"))
    run.append_trial(record())
    run.close()
    trials = path / store.TRIALS
    trials.write_bytes(re.sub(rb'"turns":(\d+)', rb'"turns":"\1"', trials.read_bytes()))
    with pytest.raises(BadInputError, match=r"trials\.jsonl:1: "):
        store.read_trials(path)


@pytest.mark.parametrize(
    "line",
    [
        b'{"type":"turn","value":{"index":"one"}}',
        b'{"type":"opening","value":[{"role":"wizard","content":""}]}',
        b'{"type":"interlude","value":1}',
        b'{"type":["turn"],"value":1}',
        b"[" * 100_000,
        b"[]",
    ],
)
def test_a_damaged_session_is_named_by_file_and_line(line: bytes, tmp_path: Path) -> None:
    path = tmp_path / "run"
    run = store.create(path, manifest("stock-01"))
    with run.session(record().key, 1) as session:
        session.opening(())
        session.stream.write(line + b"\n")
    run.close()
    with pytest.raises(BadInputError, match=r"\.jsonl:2: "):
        store.read_session(path, record().key)


def test_a_directory_with_something_in_it_is_not_overwritten(tmp_path: Path) -> None:
    (tmp_path / "precious").write_text("x")
    with pytest.raises(BadInputError, match="is not empty"):
        store.create(tmp_path, manifest("stock-01"))
    assert sorted(p.name for p in tmp_path.iterdir()) == ["precious"]


def test_a_run_whose_manifest_could_not_be_written_leaves_a_directory_that_is_still_new(tmp_path: Path) -> None:
    usual = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, usual[1]))  # a disk with room for less than a manifest
    try:
        with pytest.raises(StoreError, match=r"cannot write .*run_manifest\.json"):
            store.create(tmp_path / "run", manifest("stock-01"))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, usual)
    (tmp_path / "run" / "logs" / "server.log").touch()  # where the next try of a run of local models puts it
    store.create(tmp_path / "run", manifest("stock-01")).close()
    with pytest.raises(BadInputError, match="is not empty"):
        store.create(tmp_path / "run", manifest("stock-01"))


def test_two_processes_cannot_write_one_run(tmp_path: Path) -> None:
    run = store.create(tmp_path / "run", manifest("stock-01"))
    with pytest.raises(BadInputError, match="another process"):
        store.reopen(tmp_path / "run")
    run.close()
    store.reopen(tmp_path / "run").close()


@pytest.mark.parametrize("name", ["x" * 300, "file/run", "file"])
def test_a_directory_that_cannot_be_made_is_refused_before_anything_is_written(tmp_path: Path, name: str) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(BadInputError, match=r"cannot use|cannot make|is not empty"):
        store.must_be_new(tmp_path / name)
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_a_directory_that_is_no_run_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(BadInputError, match=r"is not a run directory: .*run_manifest\.json is missing"):
        store.reopen(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_an_edited_manifest_is_refused_by_key(tmp_path: Path) -> None:
    store.create(tmp_path / "run", manifest("stock-01")).close()
    path = tmp_path / "run" / store.MANIFEST
    content = json.loads(path.read_text())
    content["sampling"]["temperature"] = "warm"
    path.write_text(json.dumps(content))
    with pytest.raises(BadInputError, match=r"sampling\.temperature"):
        store.read_manifest(tmp_path / "run")


def test_a_full_disk_is_a_store_error_and_leaves_no_half_file() -> None:
    full = Path("/dev/full")
    if not full.exists():
        pytest.skip("no /dev/full here: Linux has it")
    with pytest.raises(StoreError, match="cannot write"):
        store.write_atomically(full / "x", "text")


FILLS_A_DISK = """
import sys
from pathlib import Path
from harness import store
from harness.errors import StoreError
from tests.records import manifest, record
path = Path(sys.argv[1]) / "run"
ballast = Path(sys.argv[1]) / "ballast"
ballast.write_bytes(b"x" * 16384)
run = store.create(path, manifest("stock-01"))
try:
    while True:
        run.append_trial(record())
except StoreError as error:
    print(error)
    print(len(store.read_trials(path)), (path / store.TRIALS).read_bytes().endswith(b"}\\n"))
    ballast.unlink()
    run.append_trial(record("stock-02"))
try:
    while True:
        run.audit("a note of some length, until nothing fits any more")
except StoreError:
    run.close()
print(len(store.read_trials(path)), store.read_trials(path)[-1].scenario)
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="mounting a small tmpfs needs root")
def test_a_run_on_a_full_file_system_ends_with_one_clear_error(tmp_path: Path) -> None:
    script = f"mount -t tmpfs -o size=64k none {tmp_path} && exec {sys.executable} -c '{FILLS_A_DISK}' {tmp_path}"
    done = subprocess.run(
        ["unshare", "--mount", "sh", "-c", script],
        check=False,
        capture_output=True,
        text=True,
        cwd=Path(__file__).parents[2],
    )
    assert done.returncode == 0, done.stderr
    message, full, later = done.stdout.splitlines()
    assert "No space left on device" in message
    count, whole = full.split()
    assert int(count) > 10
    assert whole == "True"
    assert later == f"{int(count) + 1} stock-02"


def test_a_session_is_stored_turn_by_turn_and_reads_back_even_when_cut_short(tmp_path: Path) -> None:
    key = TrialKey(scenario="stock-01", arm=Arm.TUNED, repeat=0)
    turn = Turn(index=1, completion=Completion(text="ls\u2028é", finish_reason="stop", model="m", seconds=0.5))
    opening = (Message(role=Role.USER, content="hello\n$ "),)
    run = store.create(tmp_path / "run", manifest("stock-01"))
    with run.session(key, 1) as writer:
        writer.opening(opening)
        writer.turn(turn)
        cut = store.read_session(tmp_path / "run", key)
        writer.end(SessionEnd(terminal=Terminal.EXIT, status=0))
    run.close()
    assert (cut.opening, cut.turns, cut.end) == (opening, (turn,), None)
    assert store.read_session(tmp_path / "run", key).end == SessionEnd(terminal=Terminal.EXIT, status=0)
