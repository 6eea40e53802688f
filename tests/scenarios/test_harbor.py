"""Harbor tasks become bundles that run, bundles become Harbor tasks, and what has no counterpart is named."""

from __future__ import annotations

import json
import re
import shutil
import tomllib
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

import checkers
import scenarios
from harness.errors import BadInputError
from harness.sandbox import choose
from harness.sandbox.protocol import Engine, SandboxSpec
from harness.trial import ReferenceModel, TrialPlan, hold_session
from harness.values import Arm, Outcome, Terminal
from scenarios import LoadedScenario
from scenarios.bundle import Check, FileMatches, LineCount, Scenario, Script
from scenarios.interop import RefusedError, export_harbor, harbor_tasks, place, read_harbor
from scenarios.interop.absent import absent_programs
from scenarios.interop.findings import Findings
from scenarios.interop.harbor_verifier import verifier_script
from scenarios.interop.places import Moves
from scenarios.interop.sh_checks import PRELUDE, sh_check
from tests.integration.command import evalh

GOLDEN = Path(__file__).parents[1] / "golden" / "harbor" / "tide-table"


@pytest.fixture
def engine(any_engine: str) -> Iterator[Engine]:
    with closing(choose(any_engine)) as made:
        yield made


@pytest.fixture
def task(tmp_path: Path) -> Path:
    """A copy of the golden task, to be spoilt."""
    return Path(shutil.copytree(GOLDEN, tmp_path / "tide-table"))


def outcome(item: LoadedScenario, engine: Engine, replies: tuple[str, ...]) -> tuple[Outcome, Terminal, bool | None]:
    plan = TrialPlan(scenario=item, arm=Arm.BASE, repeat=0, attempt=1, seed=0, model="reference")
    session, judged = hold_session(plan, engine, ReferenceModel(replies), None)
    return judged.verdict.outcome, session.end.terminal, judged.metrics.directives_retrieved


def change(file: Path, old: str, new: str) -> None:
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new))


# --- a task becomes a bundle -----------------------------------------------------------------------------------------


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


# --- the reward ------------------------------------------------------------------------------------------------------

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


# --- what has no counterpart -----------------------------------------------------------------------------------------

DOCKERFILE, CONFIG, SOLVE, TEST = "environment/Dockerfile", "task.toml", "solution/solve.sh", "tests/test.sh"
REFUSED = [
    (DOCKERFILE, "debian:bookworm-slim", "python:3.12-slim", "environment/Dockerfile:2: FROM: worlds are Debian 12"),
    (DOCKERFILE, "WORKDIR", "FROM alpine AS two\nWORKDIR", "FROM: a build of several stages"),
    (
        DOCKERFILE,
        "WORKDIR /app",
        "RUN apt-get update && apt-get install -y jq\nWORKDIR /app",
        ":7: RUN apt-get: it ins",
    ),
    (DOCKERFILE, "WORKDIR /app", "RUN true && \\\n  pip install x\nWORKDIR /app", ":7: RUN pip: it installs software"),
    (DOCKERFILE, "WORKDIR /app", "RUN curl -O http://h/x\nWORKDIR /app", "RUN curl: worlds have no network"),
    (
        DOCKERFILE,
        "WORKDIR /app",
        "RUN useradd ann\nWORKDIR /app",
        "RUN useradd: worlds have the users root and operator",
    ),
    (DOCKERFILE, "WORKDIR /app", "RUN --mount=type=cache true\nWORKDIR /app", "RUN: --mount has no counterpart"),
    (DOCKERFILE, "WORKDIR /app", "USER ann\nWORKDIR /app", ":7: USER ann: worlds have the users root and operator"),
    (DOCKERFILE, "WORKDIR /app", "ENV API_KEY=abc\nWORKDIR /app", "ENV: API_KEY looks like a secret"),
    (DOCKERFILE, "WORKDIR /app", "ENV PATH=/x\nWORKDIR /app", "ENV: PATH is the session's own"),
    (DOCKERFILE, "WORKDIR /app", "VOLUME /x\nWORKDIR /app", "VOLUME /x: it has no counterpart"),
    (DOCKERFILE, "WORKDIR /app", "WORKDIR /usr/share/x", 'WORKDIR: "/usr/share/x" is not below one of'),
    (DOCKERFILE, "COPY data/", "COPY --from=other data/", "COPY: --from has no counterpart"),
    (DOCKERFILE, "COPY data/", "COPY lost/", "COPY: lost/ is not in the build context"),
    (DOCKERFILE, "COPY data/", "COPY ../x", "COPY: ../x leaves the build context"),
    (DOCKERFILE, "COPY data/ ./data/", "ADD http://h/x .", "ADD: http://h/x comes from the network"),
    (DOCKERFILE, "COPY data/ ./data/", "COPY data/ /lib/data/", '"/lib/data/readings.csv" is not below one of'),
    (DOCKERFILE, "./data/", "$PLACE/", "COPY: the variable PLACE is not known here"),
    (DOCKERFILE, "\nNOTES\n", "\n", "the here-document NOTES has no end"),
    (CONFIG, '"1.4"', '"2.0"', "task.toml:1: schema_version: this is version 2.0"),
    (CONFIG, "cpus = 1", "gpus = 1", "task.toml:20: environment.gpus: worlds have no GPUs"),
    (CONFIG, "cpus = 1", 'mcp_servers = [{ name = "x" }]', "environment.mcp_servers: worlds have no MCP servers"),
    (CONFIG, "cpus = 1", 'allowed_hosts = ["h"]', "environment.allowed_hosts: network allow-lists"),
    (CONFIG, '"no-network"', '"allowlist"', "task.toml:23: environment.network_mode: network allow-lists"),
    (CONFIG, "cpus = 1", 'os = "windows"', "environment.os: worlds are Debian"),
    (CONFIG, "cpus = 1", 'env = { HOST = "${HOST}" }', "environment.env.HOST: its value comes from the host"),
    (CONFIG, "cpus = 1", 'env = { A_TOKEN = "x" }', "environment.env.A_TOKEN: it looks like a secret"),
    (CONFIG, "cpus = 1", 'healthcheck = { command = "true" }', "environment.healthcheck: worlds run no services"),
    (CONFIG, "[verifier]", '[verifier]\nuser = "ann"', "verifier.user: worlds have the users root and operator"),
    (CONFIG, "[verifier]", '[verifier]\nenvironment_mode = "separate"', "verifier.environment_mode: a verifier with"),
    (CONFIG, "[verifier]", '[[steps]]\nname = "one"\n\n[verifier]', "steps: a task of several steps"),
    (CONFIG, "timeout_sec = 300.0", 'timeout_sec = "long"', "task.toml:13: agent.timeout_sec: Input should be a valid"),
    (CONFIG, "[agent]", "[agent", "task.toml: it cannot be read"),
    (SOLVE, "cp report.txt", "python3 solve.py report.txt", "solution/solve.sh:6: python3: worlds do not have this"),
    (SOLVE, "cp report.txt", "cp /solution/report.txt", "solve.sh:6: a solution is typed, so it has no other files"),
    (SOLVE, "#!/bin/bash", "#!/usr/bin/env perl", "solve.sh:1: worlds have no such interpreter"),
    (TEST, "reward=0", "uvx pytest || reward=0", "tests/test.sh:3: uvx: it installs software"),
    (TEST, "#!/bin/bash", "#!/usr/bin/python3", "tests/test.sh:1: worlds have no such interpreter"),
    ("instruction.md", "/app/report.txt", "/report.txt", "/report.txt lies directly below /"),
]


@pytest.mark.parametrize(("file", "old", "new", "said"), REFUSED, ids=[row[3][:60] for row in REFUSED])
def test_what_has_no_counterpart_is_refused_by_name(task: Path, file: str, old: str, new: str, said: str) -> None:
    change(task / file, old, new)
    with pytest.raises(RefusedError) as refused:
        read_harbor(task)
    assert said in refused.value.message
    assert len(refused.value.message.split("\n")) == 1
    assert refused.value.exit_code == 30


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("environment/docker-compose.yaml", "compose services have no counterpart"),
        ("trajectory.json", "a conversation that went before has no counterpart"),
        ("tests/Dockerfile", "a verifier with an environment of its own has no counterpart"),
    ],
)
def test_a_file_that_has_no_counterpart_is_refused_by_name(task: Path, name: str, said: str) -> None:
    (task / name).write_text("FROM debian:bookworm\n")
    with pytest.raises(RefusedError, match=said):
        read_harbor(task)


@pytest.mark.parametrize("name", ["instruction.md", DOCKERFILE, SOLVE, TEST])
def test_a_part_that_is_missing_is_named(task: Path, name: str) -> None:
    (task / name).unlink()
    with pytest.raises(RefusedError, match=name):
        read_harbor(task)


def test_everything_without_a_counterpart_is_told_at_once_and_nothing_is_written(task: Path, tmp_path: Path) -> None:
    change(task / CONFIG, "cpus = 1", "gpus = 1")
    change(task / DOCKERFILE, "WORKDIR /app", "RUN apt-get update\nRUN git clone x\nWORKDIR /app")
    done = evalh("scenario", "import", "--harbor", str(task), "--out", "suite", cwd=tmp_path)
    assert done.returncode == 30
    assert [word in done.stderr for word in ("gpus", "apt-get", "git")] == [True] * 3
    assert not (tmp_path / "suite").exists()


def test_another_base_is_accepted_where_that_is_said(task: Path) -> None:
    change(task / DOCKERFILE, "debian:bookworm-slim", "python:3.12-slim")
    assert any("python:3.12-slim was taken for" in note for note in read_harbor(task, accept_base=True).notes)


@pytest.mark.parametrize("base", ["ubuntu:24.04", "debian", "docker.io/library/debian:12", "debian:trixie@sha256:0a"])
def test_debian_and_ubuntu_need_no_saying(task: Path, base: str) -> None:
    change(task / DOCKERFILE, "debian:bookworm-slim", base)
    read_harbor(task)


def test_programs_are_looked_for_in_command_position_only() -> None:
    text = (
        "echo 'pip install' # curl\nx=apt; cat <<E\nwget\nE\n[ -e python3 ] && (env -i A=1 python3.11 -c 'make\ngit')"
    )
    assert [(line, name) for line, name, _ in absent_programs(text)] == [(5, "python3")]
    assert not list(absent_programs("jq . x", present={"jq"}))


def test_only_whole_paths_are_moved() -> None:
    moves = Moves.of(["/app/x", "/etc/x", "/usr/x", "/data", "/tests/x"])
    assert moves.names == ("app", "data")
    text = "/app '/app/x' (/app). /application ~/app $D/app ${D}/app http://h/app /srv/app x:/data"
    moved = "/srv/app '/srv/app/x' (/srv/app). /application ~/app $D/app ${D}/app http://h/app /srv/app x:/srv/data"
    assert moves.rewrite(text) == moved


# --- a bundle becomes a task -----------------------------------------------------------------------------------------


def shipped(name: str) -> LoadedScenario:
    (path,) = scenarios.shipped("holdout").rglob(f"{name}.toml")
    return scenarios.load_file(path)[0]


@pytest.mark.parametrize("name", ["symlinks-current-almanac", "config-beacon-timing", "archive-absent-hall"])
def test_a_bundle_that_went_to_harbor_and_back_still_holds(name: str, engine: Engine, tmp_path: Path) -> None:
    first = shipped(name)
    item = place(read_harbor(export_harbor(first, tmp_path / "tasks")), tmp_path / "back")
    assert (item.scenario.landing, item.scenario.tags) == (first.scenario.landing, first.scenario.tags)
    replies, ends = item.scenario.reference.replies, first.scenario.expected_terminal
    assert outcome(item, engine, replies) == (Outcome.PASS, ends, True)
    assert outcome(item, engine, ("exit",)) == (Outcome.FAIL, Terminal.EXIT, False)


def test_an_exported_task_is_imported_like_any_other_where_nothing_says_what_it_was(
    engine: Engine, tmp_path: Path
) -> None:
    folder = export_harbor(shipped("config-pump-interval"), tmp_path / "tasks")
    config = folder / "task.toml"
    config.write_text(re.sub(r"(?s)\[metadata\.evalh\].*?(?=\[agent\])", "", config.read_text()))
    item = place(read_harbor(folder), tmp_path / "back")
    assert item.scenario.reference.replies[0] == "cat /srv/orders/instruction.md"
    assert outcome(item, engine, item.scenario.reference.replies) == (Outcome.PASS, Terminal.EXIT, True)
    assert outcome(item, engine, ("exit",)) == (Outcome.FAIL, Terminal.EXIT, False)


def test_an_exported_task_has_the_parts_that_harbor_wants(tmp_path: Path) -> None:
    item = shipped("archive-absent-hall")
    folder = export_harbor(item, tmp_path)
    config = tomllib.loads((folder / "task.toml").read_text())
    assert config["schema_version"] == "1.4"
    assert config["task"]["name"] == "evalh/archive-absent-hall"
    assert config["metadata"]["evalh"]["digest"] == item.digest
    assert config["agent"]["user"] == "operator"
    assert (folder / "environment" / "Dockerfile").read_text().startswith("FROM debian:bookworm-slim\n")
    test, solve = folder / "tests" / "test.sh", folder / "solution" / "solve.sh"
    assert "/logs/verifier/reward.txt" in test.read_text()
    assert solve.read_text().rstrip().split("\n")[-1].startswith("panic ")
    assert all(script.stat().st_mode & 0o111 for script in (test, solve))
    instruction = (folder / "instruction.md").read_text()
    assert "run `panic REASON`" in instruction
    assert item.scenario.directives.retrieved_when not in instruction


def test_a_check_without_an_equivalent_in_sh_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(RefusedError, match=r"config-mute-siren: checks\[0\] \(json_equals\) has no equivalent in sh"):
        export_harbor(shipped("config-mute-siren"), tmp_path)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("pattern", [r"a\Z", r"(?P<n>a)", r"(?a)b", r"\u0041", r"[[a]", r"(?L)x"])
def test_a_pattern_that_means_something_else_outside_of_python_is_refused(pattern: str) -> None:
    with pytest.raises(ValueError, match="means something else"):
        sh_check(FileMatches(kind="file_matches", path="/srv/x", pattern=pattern))
    with pytest.raises(ValueError, match="means something else"):
        sh_check(LineCount(kind="line_count", path="/srv/x", count=1, pattern=pattern))


BARE: dict[str, Any] = {
    "schema_version": 1,
    "id": "x",
    "archetype": "x",
    "split": "holdout",
    "provenance": "a test",
    "tags": {"task": "x", "provider": "x", "announcement": "motd"},
    "reference": {"replies": ["exit"]},
    "directives": {"retrieved_when": "x"},
}
WORLD = """\
cd /srv; printf 'one \\r\\ntwo\\n\\n' > text; printf 'one\\ntwo' > bare; : > empty; printf 'a\\000b' > nul
mkdir -p tree/sub void; printf 'x\\n' > tree/a; printf 'y' > tree/sub/b; ln -s a tree/link; ln -s tree way
ln -s nowhere dangling; mkfifo pipe; chmod 640 text; chown operator text; head -c 1100000 /dev/zero > large
printf 'caf\\303\\251 au lait\\n\\n  \\nth\\303\\251\\n' > cafe
"""
PATHS = ("text", "bare", "empty", "nul", "tree", "void", "way", "dangling", "pipe", "large", "cafe", "tree/link", "no")
INSIDES: list[dict[str, Any]] = [
    *({"kind": "file_exists", "type": kind} for kind in ("file", "directory", "symlink")),
    {"kind": "file_absent"},
    *({"kind": "file_equals", "content": text} for text in ("one\ntwo", "", "a\0b".replace("\0", ""), "x", "a")),
    *({"kind": "file_equals", "content": text, "strip": False} for text in ("one\ntwo", "", "x\n")),
    *({"kind": "file_matches", "pattern": one} for one in ("^two$", "(?m)^two$", r"one\s+two\s*$", "", "caf. au", "É")),
    *({"kind": "file_matches", "pattern": one, "negate": True} for one in ("one", "(?i)É", "@$")),
    *({"kind": "mode", "mode": mode} for mode in ("640", "0644", "755")),
    *({"kind": "owner", "owner": owner} for owner in ("operator", "root")),
    *({"kind": "tree_equals", "files": files} for files in ({}, {"a": "x", "sub/b": "y", "link": "x"}, {"a": "x"})),
    {"kind": "tree_equals", "files": {"a": "x", "sub/b": "y", "link": "x\n"}, "strip": False},
    *({"kind": "line_count", "count": count} for count in (0, 2)),
    *({"kind": "line_count", "count": 1, "pattern": one} for one in ("^two$", "^th.$", r"\bau\b")),
    {"kind": "script", "script": '[ "$(cat /srv/bare)" = \'one\ntwo\' ] && [ -z "${REWARD:-}" ]'},
    {"kind": "script", "script": "sleep 5", "timeout": 0.5},
]


@pytest.mark.slow
def test_every_check_says_the_same_in_sh(engine: Engine, tmp_path: Path) -> None:
    checks: list[Check] = []
    for inside in INSIDES:
        paths = [{}] if inside["kind"] == "script" else [{"path": f"/srv/{name}"} for name in PATHS]
        checks += [Scenario.model_validate({**BARE, "checks": [{**inside, **where}]}).checks[0] for where in paths]
    scenario = shipped("archive-absent-hall").scenario.model_copy(update={"checks": tuple(checks)})
    with engine.open(SandboxSpec(trial="alike", setup=WORLD)) as sandbox:
        results = checkers.run_checks(scenario, sandbox)
        lines = [f"( {sh_check(check)}\n) && echo PASS || echo FAIL" for check in checks]
        script = "\n".join(["exec 2>/dev/null", "export LC_ALL=C.UTF-8", PRELUDE, *lines])
        done = sandbox.run(("/bin/sh",), stdin=script.encode(), timeout=120)
    said = done.stdout.decode().split()
    wanted = [result.verdict.outcome.value for result in results]
    assert [(check, word) for check, word, want in zip(checks, said, wanted, strict=True) if word != want] == []
    assert {"PASS", "FAIL"} == set(wanted)


# --- the commands ----------------------------------------------------------------------------------------------------


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


def test_a_suite_is_exported_but_for_what_has_no_counterpart(tmp_path: Path) -> None:
    suite = scenarios.shipped("holdout") / "config"
    done = evalh("scenario", "export", "--harbor", str(suite), "--out", "tasks", "--json", cwd=tmp_path)
    assert done.returncode == 30
    told = json.loads(done.stdout)
    assert [row["id"] for row in told["refused"]] == ["config-mute-siren"]
    assert sorted(path.name for path in (tmp_path / "tasks").iterdir()) == [row["id"] for row in told["tasks"]]
    assert len(told["tasks"]) == 7


def test_a_folder_without_a_task_and_two_sources_are_bad_input(tmp_path: Path) -> None:
    with pytest.raises(BadInputError, match=r"task\.toml is missing"):
        harbor_tasks(tmp_path)
    for flags in ((), ("--harbor", "x", "--posix-sdc", "y")):
        assert evalh("scenario", "import", *flags, cwd=tmp_path).returncode == 30
