"""A policy file is read whole or refused with the file and key that are wrong."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.errors import BadInputError
from reports import load_policy
from reports.policy import SHIPPED

GOOD = """
schema_version = 1
name = "mine"
[[claims]]
metric = "success"
kind = "superiority"
alpha = 0.05
"""


@pytest.mark.parametrize("name", SHIPPED)
def test_every_shipped_policy_loads_under_its_own_name(name: str) -> None:
    assert load_policy(name).name == name


def test_a_policy_is_read_from_a_file(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(GOOD)
    assert load_policy(str(path)).claims[0].alpha == 0.05


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (
            ('metric = "success"', 'metric = "sucess"'),
            "claims[0].metric: unknown metric 'sucess'; did you mean 'success'?",
        ),
        (('kind = "superiority"', 'kind = "better"'), "claims[0].kind: "),
        (("alpha = 0.05", ""), "claims[0]: a superiority claim needs alpha"),
        (("alpha = 0.05", "alpha = 0.05\nmargin = 0.1"), "claims[0]: a superiority claim has no margin"),
        (("alpha = 0.05", "alpha = 5"), "claims[0].alpha: "),
        (("alpha = 0.05", "alpha = nan"), "claims[0].alpha: "),
        (("alpha = 0.05", "alpa = 0.05"), "claims[0].alpa: unknown key"),
        (("alpha = 0.05", "threshold = 0.5"), "claims[0]: a superiority claim needs alpha"),
        (("alpha = 0.05", "alpha = 0.05\nminimum_effect = 1"), "claims[0].minimum_effect: "),
        (('"success"', '"turns"'), "claims[0]: a superiority claim is about one of success, "),
        (('"superiority"\nalpha = 0.05', '"maximum_cost"\nthreshold = 5'), "not about success"),
        (('"success"\nkind = "superiority"\nalpha = 0.05', '"turns"\nkind = "maximum_cost"'), "either threshold"),
        (
            (
                '"success"\nkind = "superiority"\nalpha = 0.05',
                '"turns"\nkind = "maximum_cost"\nthreshold = 5\nratio = 1',
            ),
            "either threshold",
        ),
        (('"superiority"\nalpha = 0.05', '"minimum_rate"\nthreshold = 2'), "at most 1, not 2"),
        (('"superiority"', '"minimum_rate"\nthreshold = 1'), "no number of trials shows a rate of 1"),
        (("alpha = 0.05", 'alpha = 0.05\ntier = "supporting"'), "no claim has the tier 'critical'"),
        (("alpha = 0.05", "alpha = 0.05\nsubset = { archetypes = 'x' }"), "claims[0].subset.archetypes: unknown key"),
        (("alpha = 0.05", 'alpha = "0.05"'), "claims[0].alpha: Input should be a valid number"),
        (("alpha = 0.05", 'alpha = 0.05\nsubset = { critical = "yes" }'), "claims[0].subset.critical: "),
        ((GOOD, GOOD + GOOD[GOOD.index("[[claims]]") :]), "claims[1] says the same as claims[0]"),
        (("schema_version = 1", "schema_version = 2"), "schema_version: "),
        (('name = "mine"', "name = mine"), "not TOML"),
        (('name = "mine"', 'name = "\\u001b[31m"'), "name: "),
        ((GOOD, ""), "claims: "),
    ],
)
def test_a_wrong_policy_is_refused_by_file_and_key(change: tuple[str, str], said: str, tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(GOOD.replace(*change))
    with pytest.raises(BadInputError) as caught:
        load_policy(str(path))
    assert caught.value.message.startswith(f"{path}: ")
    assert said in caught.value.message
    assert caught.value.exit_code == 30


def test_one_wrong_claim_is_one_problem(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(GOOD.replace("alpha = 0.05", "alpha = 1"))
    with pytest.raises(BadInputError) as caught:
        load_policy(str(path))
    assert caught.value.message == f"{path}: claims[0].alpha: Input should be less than 0.5"


@pytest.mark.parametrize("content", [b"\xff\xfe", b"x = " + b"[" * 5000, b"#" * 70_000])
def test_a_file_that_is_no_policy_is_bad_input(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_bytes(content)
    with pytest.raises(BadInputError):
        load_policy(str(path))


@pytest.mark.parametrize("name", ["no-such-policy", "no\0such", ".", "\x1b[31mred"])
def test_a_policy_that_is_not_there_is_refused_with_the_shipped_names(name: str) -> None:
    with pytest.raises(BadInputError) as caught:
        load_policy(name)
    assert "promote, regression, smoke" in caught.value.hint
    assert "\x1b" not in caught.value.message


@pytest.mark.parametrize(
    ("content", "line"),
    [
        (GOOD.replace("alpha = 0.05", "alpa = 0.05"), 7),
        (GOOD.replace("alpha = 0.05", ""), 4),  # the claim that lacks it
        (GOOD.replace('"superiority"', '"better"'), 6),
        (GOOD + "\n[[claims]]\nmetric = 'success'\nkind = 'minimum_rate'\nthreshold = 3\nalfa = 1\n", 13),
        (GOOD + "subset = { archetypes = 'x' }\n", 8),
        ("max_invalid_share = 2\n" + GOOD, 1),
        (GOOD.replace('"success"', '"sucess" # metric = 1'), 5),
    ],
)
def test_a_wrong_key_is_found_by_its_line(content: str, line: int, tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(content)
    with pytest.raises(BadInputError) as caught:
        load_policy(str(path))
    assert caught.value.hint == f"line {line}; docs/report.md describes policies"
