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
        (("alpha = 0.05", 'alpha = 0.05\ntier = "supporting"'), "no claim has the tier 'critical'"),
        (("alpha = 0.05", "alpha = 0.05\nsubset = { archetypes = 'x' }"), "claims[0].subset.archetypes: unknown key"),
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
