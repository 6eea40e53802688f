"""A bundle becomes a Harbor task that means the same, or is refused."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest

import checkers
import scenarios
from harness.sandbox.protocol import Engine, SandboxSpec
from harness.values import Outcome, Terminal
from scenarios import LoadedScenario
from scenarios.bundle import Check, FileMatches, LineCount, Scenario
from scenarios.interop import RefusedError, export_harbor, place, read_harbor
from scenarios.interop.sh_checks import PRELUDE, sh_check
from tests.integration.command import evalh
from tests.scenarios.harbor import outcome


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


def test_a_suite_is_exported_but_for_what_has_no_counterpart(tmp_path: Path) -> None:
    suite = scenarios.shipped("holdout") / "config"
    done = evalh("scenario", "export", "--harbor", str(suite), "--out", "tasks", "--json", cwd=tmp_path)
    assert done.returncode == 30
    told = json.loads(done.stdout)
    assert [row["id"] for row in told["refused"]] == ["config-mute-siren"]
    assert sorted(path.name for path in (tmp_path / "tasks").iterdir()) == [row["id"] for row in told["tasks"]]
    assert len(told["tasks"]) == 7
