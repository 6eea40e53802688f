"""A scenario in one JSON object becomes a bundle that runs, in whichever of the sensible shapes it comes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from harness.sandbox.protocol import Engine
from harness.trial import ReferenceModel, TrialPlan, hold_session
from harness.values import Arm, Outcome, Terminal
from scenarios import LoadedScenario
from scenarios.interop import RefusedError, place, read_posix_sdc
from tests.integration.command import evalh

WHAT = "Count the boats in /srv/quay/boats and write the number into /srv/quay/count."
PLAIN: dict[str, Any] = {
    "provider": "file",
    "announcement": "Harbour office. Orders: /srv/quay/orders.txt",
    "directives": f"{WHAT} Then type exit.",
    "fixtures": {"/srv/quay/boats": "anna\nberta\nclio\n"},
    "checker": '[ "$(cat /srv/quay/count)" -eq 3 ]',
    "reference_solution": ["cat /srv/quay/orders.txt", "wc -l < /srv/quay/boats > /srv/quay/count", "exit"],
}


def written(folder: Path, data: object, name: str = "quay") -> Path:
    path = folder / f"{name}.json"
    path.write_text(data if isinstance(data, str) else json.dumps(data))
    return path


def passes(item: LoadedScenario, engine: Engine, replies: tuple[str, ...]) -> tuple[bool, bool | None]:
    plan = TrialPlan(scenario=item, arm=Arm.BASE, repeat=0, attempt=1, seed=0, model="reference")
    _, judged = hold_session(plan, engine, ReferenceModel(replies), None)
    return judged.verdict.outcome is Outcome.PASS, judged.metrics.directives_retrieved


SHAPES: dict[str, dict[str, Any]] = {
    "plain": {},
    "a program": {"provider": "tally", "announcement": "Harbour office. Type: tally", "reference_solution": ["tally"]},
    "a program of its own": {
        "provider": {"type": "program", "name": "tally", "script": "#!/bin/sh\ncat /srv/quay/orders.txt\n"},
        "directives": {"path": "/srv/quay/orders.txt", "text": WHAT},
    },
    "a path as provider": {"provider": "/srv/quay/orders.txt"},
    "nothing said of where": {"provider": None, "announcement": None, "reference_solution": []},
    "announced by a variable": {"announcement": {"type": "env", "name": "ORDERS", "value": "/srv/quay/orders.txt"}},
    "announced by a file": {"announcement": {"type": "file", "path": "README", "text": "See /srv/quay/orders.txt"}},
    "announced by a banner": {"announcement": {"banner": "Orders: /srv/quay/orders.txt"}},
    "lines": {"directives": [WHAT, "Then type exit."], "fixtures": {"/srv/quay/boats": ["anna", "berta", "clio"]}},
    "a list of fixtures": {"fixtures": [{"path": "/srv/quay/boats", "content": "a\nb\nc\n", "mode": "0600"}]},
    "a typed checker": {"checker": {"type": "file_equals", "path": "/srv/quay/count", "content": "3"}},
    "several checkers": {
        "checker": {
            "all": [
                {"type": "file_contains", "path": "/srv/quay/count", "text": "3"},
                {"type": "command", "command": "wc -l < /srv/quay/count", "expected_output": "1\n"},
                {"type": "file_absent", "path": "/srv/quay/lost"},
                {"type": "json", "path": "/srv/quay/count", "value": "3"},
                {"type": "mode", "path": "/srv/quay/boats", "mode": 644},
                {"type": "line_count", "path": "/srv/quay/count", "count": 1},
            ]
        }
    },
    "paths and texts": {"checker": {"files": {"/srv/quay/count": "3"}}},
    "commands as objects": {"reference_solution": {"commands": [{"command": "cat /srv/quay/orders.txt"}]}},
    "one text of commands": {"reference_solution": "cat /srv/quay/orders.txt"},
}
WORK = "wc -l < /srv/quay/boats > /srv/quay/count"


def shaped(name: str) -> dict[str, Any]:
    """The plain scenario in another shape, its work done at the end of the reference."""
    data = {**PLAIN, **SHAPES[name]}
    solution = data["reference_solution"]
    if name in {"commands as objects", "one text of commands"}:
        more = {"commands": [*solution["commands"], {"cmd": WORK}]} if isinstance(solution, dict) else None
        return {**data, "reference_solution": more or f"{solution}\n{WORK}\nexit"}
    return {**data, "reference_solution": solution if WORK in solution else [*solution, WORK]}


@pytest.mark.parametrize("name", list(SHAPES))
def test_in_every_shape_the_reference_passes_and_nothing_less(name: str, engine: Engine, tmp_path: Path) -> None:
    item = place(read_posix_sdc(written(tmp_path, shaped(name))), tmp_path / "suite")
    assert passes(item, engine, item.scenario.reference.replies) == (True, True)
    assert passes(item, engine, ("exit",)) == (False, False)


def test_a_scenario_that_ends_with_panic(engine: Engine, tmp_path: Path) -> None:
    data = {
        **PLAIN,
        "solvable": False,
        "checker": {"type": "not_exists", "path": "/srv/quay/count"},
        "reference_solution": ["cat /srv/quay/orders.txt", "ls /srv/quay"],
    }
    item = place(read_posix_sdc(written(tmp_path, data)), tmp_path / "suite")
    assert item.scenario.expected_terminal is Terminal.PANIC
    assert passes(item, engine, item.scenario.reference.replies) == (True, True)
    assert passes(item, engine, ("panic no",)) == (False, False)


def test_every_assumption_is_told_and_kept(tmp_path: Path) -> None:
    data = {
        "directives": WHAT,
        "fixtures": {"boats": "a\n"},
        "checker": "test -s /srv/quay/count",
        "reference_solution": ["cat boats"],
        "weather": "fair",
    }
    draft = read_posix_sdc(written(tmp_path, data))
    assert draft.notes == tuple(
        f"assumed: {note}"
        for note in (
            "fixtures without a leading / lie in the operator's home",
            "there is no provider, so the directives are a file",
            "the directives stand in /srv/work/directives.txt",
            "the announcement did not say where to look, and names /srv/work/directives.txt now",
            "a checker is a script in sh, run as root in the operator's home; its status 0 passes",
            "it rightly ends with exit",
            "the reference ends with exit",
            "the reference reads the directives first, with cat /srv/work/directives.txt",
            "weather was not understood, and is left out",
        )
    )
    done = evalh("scenario", "import", "--posix-sdc", "quay.json", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stderr.splitlines() == [f"quay: {note}" for note in draft.notes]
    assert done.stdout == "my-scenarios/posix-sdc/quay.toml written\n"
    text = (tmp_path / "my-scenarios" / "posix-sdc" / "quay.toml").read_text()
    assert all(note in text for note in draft.notes)


def test_a_plain_scenario_needs_few_assumptions(tmp_path: Path) -> None:
    notes = read_posix_sdc(written(tmp_path, {**PLAIN, "expected_terminal": "exit"})).notes
    assert [note.removeprefix("assumed: ") for note in notes] == [
        "the announcement is the message of the day",
        "the directives stand in /srv/quay/orders.txt",
        "a checker is a script in sh, run as root in the operator's home; its status 0 passes",
        "the operator owns /srv/quay",
    ]


BROKEN: list[tuple[object, str]] = [
    ("[1]", "one object is needed, and this is a list"),
    ("{", "Expecting property name"),
    ('{"a": 1, "a": 2}', "the key 'a' stands twice"),
    ({"directives": None}, "directives: they say nothing"),
    ({"checker": None}, "checker: there is nothing that could be judged"),
    ({"checker": "checks.quay:judge"}, "checker: 'checks.quay:judge' names code that is not in the file"),
    ({"checker": "python3 judge.py"}, "checker: line 1: python3: worlds do not have this program"),
    ({"checker": {"type": "vibes"}}, "checker: there is no way to judge 'vibes'; known are"),
    ({"checker": {"type": "file_equals", "content": "3"}}, "checker: its path is missing"),
    ({"checker": [{"type": "file_equals", "path": "/srv/x"}]}, "checker[0]: what it expects is missing (content)"),
    ({"checker": {"wanted": "3"}}, "checker: it does not say how it judges"),
    ({"checker": 3}, "checker: a script, an object or a list of them is needed, and this is 3"),
    ({"reference_solution": []}, "reference_solution: a list of commands is needed"),
    ({"reference_solution": [3]}, "reference_solution: a list of commands is needed"),
    ({"expected_terminal": "stop"}, "expected_terminal: it is 'stop'; say exit or panic"),
    ({"announcement": {"type": "radio"}}, "announcement.type: there is no announcement by 'radio'; known are motd"),
    ({"fixtures": "x"}, "fixtures: an object of paths, or a list of objects, is needed, and this is a text"),
    ({"fixtures": {"/usr/bin/x": "y"}}, "fixtures['/usr/bin/x'].path: \"/usr/bin/x\" is not below one of"),
    ({"fixtures": {"/srv/x": {"content": "y", "owner": "ann"}}}, "fixtures['/srv/x'].owner: worlds have the users"),
    ({"fixtures": {"/srv/x": {"content": "?", "encoding": "base64"}}}, "fixtures['/srv/x'].content: it is no base64"),
    ({"fixtures": {"/srv/x/": ""}}, "fixtures['/srv/x/'].path: a fixture needs the path of a file"),
    ({"provider": 3}, "provider: a name or an object is needed, and this is 3"),
]


@pytest.mark.parametrize(("wrong", "said"), BROKEN, ids=[said for _, said in BROKEN])
def test_what_cannot_be_understood_is_refused_by_key(wrong: object, said: str, tmp_path: Path) -> None:
    path = written(tmp_path, {**PLAIN, **wrong} if isinstance(wrong, dict) else wrong)
    with pytest.raises(RefusedError) as refused:
        read_posix_sdc(path)
    assert f"{path}: {said}" in refused.value.message
    assert len(refused.value.message.split("\n")) == 1
