"""Every kind of check that a bundle may name has its checker, and all checks of a scenario are carried out."""

from __future__ import annotations

from pathlib import Path
from typing import get_args

from checkers import CHECKERS, run_checks
from harness.values import Outcome
from scenarios.bundle import Check
from tests.checkers.checking import scenario
from tests.checkers.real_world import RealJudgedWorld


def test_the_table_has_exactly_the_kinds_of_the_format() -> None:
    kinds = {get_args(model.model_fields["kind"].annotation)[0] for model in get_args(get_args(Check)[0])}
    assert set(CHECKERS) == kinds


def test_every_check_is_carried_out_whatever_the_others_say(tmp_path: Path) -> None:
    (tmp_path / "srv").mkdir()
    three = scenario(
        {"kind": "file_exists", "path": "/srv/gone"},
        {"kind": "file_equals", "path": "/srv", "content": ""},
        {"kind": "file_absent", "path": "/srv/gone"},
    )
    results = run_checks(three, RealJudgedWorld(tmp_path))
    assert [(result.index, result.kind) for result in results] == [
        (0, "file_exists"),
        (1, "file_equals"),
        (2, "file_absent"),
    ]
    assert [result.verdict.outcome for result in results] == [Outcome.FAIL, Outcome.FAIL, Outcome.PASS]
