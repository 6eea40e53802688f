"""What an examination finds: each kind of bad bundle is refused for its own reason."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.certify.examine import Depth, examine
from harness.certify.findings import Examination, Weight
from harness.certify.suite import examine_all
from harness.sandbox.protocol import Engine
from tests.certify.bundles import SCRIPT, drafted, loaded, written

QUICK = Depth(repeats=1, attacks=False)
LOOK = "cat /srv/desk/orders.txt"
OPEN = 'kind = "file_exists"\npath = "/srv/desk/tickets.csv"'
COIN = SCRIPT.format("test $(($(od -An -N1 -tu1 /dev/urandom) % 2)) = 0")


def fatal(found: Examination) -> dict[str, str]:
    return {each.experiment: each.message for each in found.findings if each.weight is Weight.FATAL}


@pytest.mark.parametrize(
    ("text", "experiment", "said"),
    [
        (drafted(replies=(LOOK, "exit")), "reference", 'there is no file "/srv/desk/open.txt"'),
        (drafted(retrieved="nobody ever wrote this"), "reference", "never show what directives.retrieved_when"),
        (drafted(checks=[OPEN]), "untouched", "there is nothing to do"),
        (drafted(checks=[OPEN]), "exit-at-once", "exit-at-once passes"),
        (drafted(checks=[OPEN], replies=(LOOK, "ls", "exit")), "omissions", "nothing is needed"),
        (drafted(panic=True, checks=[OPEN]), "untouched", "nobody faked anything there"),
        (
            drafted(panic=True, replies=(LOOK, "true > /srv/desk/open.txt", "panic no list")),
            "reference",
            '"/srv/desk/open.txt" is there, a file',
        ),
    ],
)
def test_a_bad_bundle_is_refused_for_its_own_reason(
    text: str, experiment: str, said: str, engine: Engine, tmp_path: Path
) -> None:
    found = examine(loaded(tmp_path, text), engine, QUICK)
    assert not found.certified
    assert said in fatal(found)[experiment]


@pytest.mark.slow
def test_a_verdict_that_changes_is_a_flake(engine: Engine, tmp_path: Path) -> None:
    found = examine(loaded(tmp_path, drafted(checks=[COIN])), engine, Depth(repeats=24, omissions=False, attacks=False))
    assert not found.certified
    assert 0 < found.flaky < 24
    assert found.flake_rate == found.flaky / 24


def test_replies_that_the_work_needs_are_told_from_those_that_only_look(engine: Engine, tmp_path: Path) -> None:
    found = examine(loaded(tmp_path, drafted()), engine, QUICK)
    assert (found.certified, found.needed) == (True, (3,))
    assert found.sessions == 1 + 3 + 4


@pytest.mark.slow
def test_a_check_that_nothing_fails_is_remarked_upon(engine: Engine, tmp_path: Path) -> None:
    kept = 'kind = "file_equals"\npath = "/srv/desk/open.txt"\ncontent = "T-102\\nT-105"'
    text = drafted(checks=[kept, SCRIPT.format("test -d /etc")])
    found = examine(loaded(tmp_path, text), engine, Depth(repeats=1, omissions=False))
    assert found.certified
    assert [each.message for each in found.findings] == ["check 2 (script) failed in no experiment: does it ever?"]


@pytest.mark.slow
def test_a_templates_first_instance_stands_for_its_kin(engine: Engine, tmp_path: Path) -> None:
    import scenarios

    text = drafted().replace('id = "desk-one"', 'id = "desk-one"\ninstances = [1, 3]')
    text += '\n[parameters]\nword = { choose = ["amber", "basalt", "cedar"] }\n'
    kin = scenarios.load_file(written(tmp_path, text.replace('"Ticket desk. Orders', '"Ticket desk {{word}}. Orders')))
    found = {each.loaded.scenario.id: each for each in examine_all(kin, engine, Depth(repeats=1), jobs=3)}
    assert sorted(found) == ["desk-one-001", "desk-one-002", "desk-one-003"]
    assert all(each.certified and each.battery.on == "desk-one-001" for each in found.values())
    assert [found[name].battery.attacks > 0 for name in sorted(found)] == [True, False, False]
    assert [found[name].needed for name in sorted(found)] == [(3,), None, None]
