"""A Harbor task becomes a bundle: its solution passes, its reward decides, and nothing less does."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from harness.errors import BadInputError
from harness.sandbox.protocol import Engine, SandboxSpec
from harness.values import Outcome, Terminal
from scenarios.bundle import Script
from scenarios.interop import harbor_tasks, place, read_harbor
from scenarios.interop.findings import Findings
from scenarios.interop.harbor_verifier import verifier_script
from scenarios.interop.places import Moves
from tests.integration.command import evalh
from tests.scenarios.harbor import CONFIG, GOLDEN, change, outcome


def test_an_imported_task_is_passed_by_its_solution_and_by_nothing_less(engine: Engine, tmp_path: Path) -> None:
    item = place(read_harbor(GOLDEN), tmp_path)
    assert outcome(item, engine, item.scenario.reference.replies) == (Outcome.PASS, Terminal.EXIT, True)
    assert outcome(item, engine, ("exit",)) == (Outcome.FAIL, Terminal.EXIT, False)


def test_a_directory_outside_of_the_world_is_moved_in_every_text_of_the_task(tmp_path: Path) -> None:
    item = place(read_harbor(GOLDEN), tmp_path)
    placed = {file.path: file for file in item.files}
    text = placed["/srv/orders/instruction.md"].content.decode()
    assert "/srv/app/report.txt" in text
    assert "/srv/outbox/daily" in text
    assert "canary" not in text
    assert b"exec cat /srv/app/data/readings.csv" in placed["/usr/local/bin/show-readings"].content
    assert "/srv/outbox/daily/" in "\n".join(item.scenario.reference.replies)
    (check,) = item.scenario.checks
    assert isinstance(check, Script)
    assert " /srv/app/report.txt" in check.script
    assert " /app/" not in check.script
    assert "/app is /srv/app here" in item.scenario.provenance


def test_the_landing_leads_to_the_instruction_and_says_nothing_of_it(tmp_path: Path) -> None:
    scenario = place(read_harbor(GOLDEN, archetype="tides"), tmp_path).scenario
    assert scenario.landing.motd == "What is to be done here: /srv/orders/instruction.md\n"
    assert scenario.landing.env == {"STATION": "north pier", "UNITS": "cm"}
    assert scenario.directives.retrieved_when == "The readings of the gauge are in"
    assert (scenario.archetype, scenario.tags.difficulty, scenario.limits.seconds) == ("tides", 2, 300.0)


def test_a_task_that_has_a_motd_of_its_own_is_announced_by_a_banner(engine: Engine, task: Path, tmp_path: Path) -> None:
    change(task / "environment" / "Dockerfile", "WORKDIR /app", "COPY motd /etc/\nWORKDIR /app")
    (task / "environment" / "motd").write_text("Gauge house.\n")
    item = place(read_harbor(task), tmp_path / "out")
    assert item.scenario.landing.motd == ""
    assert item.scenario.landing.banner == "What is to be done here: /srv/orders/instruction.md\n"
    assert outcome(item, engine, item.scenario.reference.replies) == (Outcome.PASS, Terminal.EXIT, True)


def test_plain_lines_of_a_solution_are_replies_and_others_one_script(task: Path, tmp_path: Path) -> None:
    solve = task / "solution" / "solve.sh"
    plain = read_harbor(task).replies
    assert [reply.split()[0] for reply in plain] == ["cat", "cd", "sort", "cp", "exit"]
    solve.write_text("#!/bin/bash\nfor one in a b; do\n  echo $one\ndone > report.txt\nexit 0\n")
    script = read_harbor(task).replies
    assert script[2:] == (
        "cat > /tmp/solve.sh <<'END'\n#!/bin/bash\nfor one in a b; do\n  echo $one\ndone > report.txt\nEND",
        "/bin/bash /tmp/solve.sh",
        "rm /tmp/solve.sh",
        "exit",
    )


def test_a_solution_that_is_one_script_passes_too(engine: Engine, task: Path, tmp_path: Path) -> None:
    change(task / "solution" / "solve.sh", "cp report.txt", "[[ -s report.txt ]] && cp report.txt")
    item = place(read_harbor(task), tmp_path / "out")
    assert "<<'END'" in item.scenario.reference.replies[2]
    assert outcome(item, engine, item.scenario.reference.replies) == (Outcome.PASS, Terminal.EXIT, True)


def test_binary_and_large_files_lie_beside_the_bundle(task: Path, tmp_path: Path) -> None:
    (task / "environment" / "data" / "noise").write_bytes(bytes(range(256)))
    (task / "environment" / "data" / "long").write_text("long\n" * 10_000)
    item = place(read_harbor(task), tmp_path / "out")
    placed = {file.path: file.content for file in item.files}
    assert placed["/srv/app/data/noise"] == bytes(range(256))
    assert len(placed["/srv/app/data/long"]) == 50_000
    assert len(list((item.path.parent / "tide-table").iterdir())) == 2


REWARDS = [
    ("reward.txt", "1", True),
    ("reward.txt", "1.0\n", True),
    ("reward.txt", "0.99", False),
    ("reward.txt", "", False),
    ("reward.txt", "yes", False),
    ("reward.txt", "nan", False),
    ("reward.json", '{"reward": 1}', True),
    ("reward.json", '{"reward": 1.0, "speed": 0.2}', True),
    ("reward.json", '{"reward": 0, "speed": 1}', False),
    ("reward.json", '{ "form" : 1, "sum" : 1 }\n', True),
    ("reward.json", '{"form": 1, "sum": 0.5}', False),
    ("reward.json", "1", True),
    ("reward.json", "{}", False),
    ("reward.json", '{"reward": "1"}', False),
    ("reward.json", '{"reward": 1', False),
    ("nothing", "", False),
]


def test_a_reward_of_one_or_more_passes(engine: Engine, tmp_path: Path) -> None:
    with engine.open(SandboxSpec(trial="rewards")) as sandbox:
        for number, (name, text, passes) in enumerate(REWARDS):
            folder = tmp_path / str(number)
            folder.mkdir()
            (folder / "test.sh").write_text(f"printf %s '{text}' > /logs/verifier/{name}\n")
            script = verifier_script(folder, Moves(names=()), {}, "/tmp", (), Findings())
            done = sandbox.run(("/bin/sh", "-c", script))
            assert (done.status == 0) is passes, (name, text, done)


def test_of_two_reward_files_the_json_counts_as_in_harbor(engine: Engine, tmp_path: Path) -> None:
    (tmp_path / "test.sh").write_text(
        "echo 1 > /logs/verifier/reward.txt\necho '{\"reward\": 0}' > /logs/verifier/reward.json\n"
    )
    script = verifier_script(tmp_path, Moves(names=()), {}, "/tmp", (), Findings())
    with engine.open(SandboxSpec(trial="rewards")) as sandbox:
        assert sandbox.run(("/bin/sh", "-c", script)).status == 1


def test_of_a_folder_of_tasks_the_good_ones_are_imported_and_the_others_told(tmp_path: Path) -> None:
    for name in ("first", "second", "third"):
        shutil.copytree(GOLDEN, tmp_path / "tasks" / name)
    change(tmp_path / "tasks" / "second" / CONFIG, "cpus = 1", "gpus = 2")
    done = evalh("scenario", "import", "--harbor", "tasks", "--archetype", "tides", "--json", cwd=tmp_path)
    assert done.returncode == 30
    told = json.loads(done.stdout)
    assert [row["id"] for row in told["bundles"]] == ["first", "third"]
    assert [row["problems"] for row in told["refused"]] == [
        ["tasks/second/task.toml:20: environment.gpus: worlds have no GPUs"]
    ]
    assert sorted(path.name for path in (tmp_path / "my-scenarios").rglob("*")) == ["first.toml", "third.toml", "tides"]
    assert "first: /app is /srv/app here\n" in done.stderr
    again = evalh("scenario", "import", "--harbor", "tasks/first", "--archetype", "tides", cwd=tmp_path)
    assert again.returncode == 30
    assert "first.toml is there already" in again.stderr


def test_a_folder_without_a_task_and_two_sources_are_bad_input(tmp_path: Path) -> None:
    with pytest.raises(BadInputError, match=r"task\.toml is missing"):
        harbor_tasks(tmp_path)
    for flags in ((), ("--harbor", "x", "--posix-sdc", "y")):
        assert evalh("scenario", "import", *flags, cwd=tmp_path).returncode == 30
