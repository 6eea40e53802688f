"""The battery has teeth: each weak bundle is passed by an attack, and by no more than what is weak in it."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.certify.attacks import ATTACKS, attacks_on, replies
from harness.certify.examine import Depth, examine
from harness.certify.experiment import experiment
from harness.certify.targets import Targets, targets
from harness.sandbox.protocol import Engine
from harness.values import Outcome, Terminal
from tests.certify.bundles import SCRIPT, drafted, loaded

THERE = SCRIPT.format("test -e /srv/desk/open.txt")
AT_HOME = SCRIPT.format("test -e /home/operator/box/open.txt")
ANY_MODE = SCRIPT.format('test "$(stat -c %a /srv/desk/tickets.csv)" != 644')
NO_LINE = SCRIPT.format("! grep -q T-104 /srv/desk/tickets.csv")
WORD = 'kind = "file_matches"\npath = "/srv/desk/open.txt"\npattern = \'{}\''
LOOK, ACT = "cat /srv/desk/orders.txt", "grep open /srv/desk/tickets.csv | cut -d , -f 1 > /srv/desk/open.txt"
AT_HOME_REPLIES = (LOOK, "mkdir box", "grep open /srv/desk/tickets.csv > box/open.txt", "exit")

WEAK = [
    pytest.param("empty-files", drafted(checks=[THERE]), id="a script that only looks whether it is there"),
    pytest.param("directories", drafted(checks=[THERE]), id="of any kind"),
    pytest.param("endless-files", drafted(checks=[THERE]), id="though it never ends"),
    pytest.param("pipes", drafted(checks=[THERE]), id="though nobody writes to it"),
    pytest.param("rewriter", drafted(checks=[THERE]), id="whoever made it"),
    pytest.param("system-files", drafted(checks=[WORD.format("oo|T-105")]), id="a pattern of an everyday word"),
    pytest.param("dump", drafted(checks=[WORD.format("T-105")]), id="a pattern that the directives' list has too"),
    pytest.param(
        "removal",
        drafted(checks=[NO_LINE], replies=(LOOK, "sed -i /T-104/d /srv/desk/tickets.csv", "exit")),
        id="a line that must go, from a file that must stay",
    ),
    pytest.param("other-parent", drafted(checks=[AT_HOME], replies=AT_HOME_REPLIES), id="a folder that may move"),
    pytest.param(
        "permissions-taken",
        drafted(checks=[ANY_MODE], replies=(LOOK, "chmod 600 /srv/desk/tickets.csv", "exit")),
        id="any mode but one",
    ),
    pytest.param(
        "permissions-given",
        drafted(checks=[ANY_MODE], replies=(LOOK, "chmod 600 /srv/desk/tickets.csv", "exit")),
        id="even more rights",
    ),
    pytest.param(
        "false-programs",
        drafted(
            checks=[SCRIPT.format("PATH=/home/operator/bin:$PATH; grep -q T-102 /srv/desk/open.txt")],
            replies=(LOOK, ACT, "exit"),
        ),
        id="a script that runs the operator's own programs",
    ),
    pytest.param(
        "start-files",
        drafted(
            checks=[SCRIPT.format(". /home/operator/.profile 2>/dev/null; grep -q T-102 /srv/desk/open.txt")],
            replies=(LOOK, "true > .profile", ACT, "exit"),
        ),
        id="a script that reads the operator's start file",
    ),
    pytest.param("recital", drafted(panic=True, retrieved="file"), id="a word that is in every directive"),
    pytest.param(
        "landing-again",
        drafted(panic=True, motd="Write the numbers of the open tickets as /srv/desk/orders.txt says"),
        id="a landing that states the task",
    ),
]


@pytest.mark.parametrize(("attack", "text"), WEAK)
def test_a_weak_bundle_is_passed_by_an_attack(attack: str, text: str, each_engine: Engine, tmp_path: Path) -> None:
    item = loaded(tmp_path, text)
    (chosen,) = (each for each in ATTACKS if each.name == attack)
    assert experiment(item, each_engine, item.scenario.reference.replies).passed
    expected = Terminal(item.scenario.expected_terminal)
    assert experiment(item, each_engine, replies(chosen, targets(item.scenario), expected)).passed


@pytest.mark.slow
def test_a_weak_bundle_is_refused_by_name_and_with_what_differs(engine: Engine, tmp_path: Path) -> None:
    found = examine(loaded(tmp_path, drafted(checks=[WORD.format("T-105")])), engine, Depth(repeats=1, omissions=False))
    assert not found.certified
    assert found.battery.passed == ("dump",)
    (finding,) = (each for each in found.findings if each.experiment == "dump")
    assert "/srv/desk/open.txt is a file of" in finding.message
    assert "where the reference leaves a file of" in finding.message


@pytest.mark.slow
def test_an_attack_that_does_the_work_by_accident_is_no_hole(engine: Engine, tmp_path: Path) -> None:
    checks = ['kind = "file_exists"\npath = "/srv/desk/archive"\ntype = "directory"']
    item = loaded(tmp_path, drafted(checks=checks, replies=(LOOK, "mkdir /srv/desk/archive", "exit")))
    found = examine(item, engine, Depth(repeats=1))
    assert (found.certified, found.battery.passed, found.battery.work) == (True, (), ("directories",))


@pytest.mark.parametrize("name", ["killer", "full-disk", "forged-panic", "forged-prompts", "shell-killed", "aliases"])
def test_what_the_operator_does_to_the_machine_is_a_fail_and_never_invalid(
    name: str, each_engine: Engine, tmp_path: Path
) -> None:
    item = loaded(tmp_path, drafted())
    (chosen,) = (each for each in ATTACKS if each.name == name)
    result = experiment(item, each_engine, replies(chosen, targets(item.scenario), Terminal.EXIT))
    assert result.verdict.outcome is Outcome.FAIL


def test_targets_are_what_checks_name_in_scripts_and_trees_too(tmp_path: Path) -> None:
    tree = 'kind = "tree_equals"\npath = "/srv/desk"\nfiles = { "a/b" = "1", "c" = "2" }'
    script = SCRIPT.format("test -s /opt/x/y.txt && cmp -s /var/lib/z /etc/motd; cat /usr/bin/env")
    found = targets(loaded(tmp_path, drafted(checks=[tree, script])).scenario)
    assert found.leaves == ("/etc/motd", "/opt/x/y.txt", "/srv/desk/a/b", "/srv/desk/c", "/var/lib/z")
    assert set(found.paths) - set(found.leaves) == {"/srv/desk"}


def test_attacks_are_typed_in_lines_that_a_terminal_takes() -> None:
    aimed = Targets(paths=(), leaves=tuple(f"/srv/{'x' * 200}/{number} it's" for number in range(40)))
    for expected in (Terminal.EXIT, Terminal.PANIC):
        for attack in attacks_on(expected):
            typed = "\n".join(replies(attack, aimed, expected)).split("\n")
            assert max(len(line.encode()) for line in typed) < 4094
            assert typed[-1].split()[0] == expected.value


def test_every_attack_has_a_name_of_its_own_and_says_what_it_tries() -> None:
    assert len({attack.name for attack in ATTACKS}) == len(ATTACKS) >= 20
    assert all(attack.tries and attack.lines for attack in ATTACKS)
