"""A certificate counts for the bundle, the image and the contract that it names, and for nothing else."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

import scenarios
from harness.certify import certificates
from harness.certify.certificates import FILE, Certificate, read, survey, write
from harness.certify.findings import Battery, Examination, Finding, Weight
from harness.errors import BadInputError
from harness.sandbox.image import inputs_digest
from scenarios import LoadedScenario, load_dir
from tests.certify.bundles import drafted, loaded

IMAGE, OTHER = "sha256:" + "1" * 64, "sha256:" + "2" * 64
FATAL = Finding(weight=Weight.FATAL, experiment="dump", message="an attack passes")
REMARK = Finding(weight=Weight.REMARK, experiment="checks", message="check 2 never fails")


def examined(item: LoadedScenario, *findings: Finding) -> Examination:
    battery = Battery(attacks=19, on=item.scenario.id)
    return Examination(loaded=item, findings=findings, repeats=3, flaky=0, battery=battery, needed=(3,))


def held(item: LoadedScenario) -> Certificate:
    (found,) = survey([item]).held
    return found


def refusal(item: LoadedScenario) -> str:
    found = survey([item])
    assert not found.held
    return found.missing[0]


def test_a_certificate_is_found_from_the_bundles_folder_upwards(tmp_path: Path) -> None:
    item = loaded(tmp_path / "suite", drafted())
    write(tmp_path / "suite" / FILE, [examined(item, REMARK)], "crun", IMAGE)
    found = held(item)
    assert (found.bundle, found.repeats, found.attacks, found.attacked) == (item.digest, 3, 19, "desk-one")
    assert (found.needed, found.remarks, found.flake_rate) == ((3,), ("check 2 never fails",), 0.0)
    assert (found.image, found.recipe) == (IMAGE, inputs_digest())


def test_what_does_not_count_is_told_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    item = loaded(tmp_path, drafted())
    assert refusal(item) == "desk-one has no certificate"
    write(tmp_path / FILE, [examined(item)], "crun", IMAGE)
    changed = loaded(tmp_path, drafted().replace("T-105,open", "T-106,open"))
    assert refusal(changed) == "desk-one was changed since it was certified"
    with monkeypatch.context() as elsewhere:
        elsewhere.setattr(certificates, "inputs_digest", lambda: OTHER)
        assert refusal(item) == "desk-one was certified in a sandbox of another recipe"
    monkeypatch.setattr(certificates, "CONTRACT_VERSION", "2")
    assert refusal(item) == "desk-one was certified under session contract 1"


def test_a_certificate_that_is_lost_is_taken_out_and_others_stay(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, two = loaded(tmp_path, drafted()), loaded(tmp_path, drafted(name="desk-two"))
    assert write(tmp_path / FILE, [examined(one), examined(two)], "crun", IMAGE) == 2
    assert write(tmp_path / FILE, [examined(one)], "docker", OTHER) == 2
    assert held(one).image == OTHER
    with monkeypatch.context() as elsewhere:
        elsewhere.setattr(certificates, "inputs_digest", lambda: OTHER)
        assert write(tmp_path / FILE, [examined(one)], "docker", OTHER) == 3
    assert write(tmp_path / FILE, [examined(one, FATAL)], "crun", IMAGE) == 2
    assert "another recipe" in refusal(one)
    assert held(two).image == IMAGE


def test_the_file_has_a_certificate_a_line(tmp_path: Path) -> None:
    items = [loaded(tmp_path, drafted(name=f"desk-{number}")) for number in range(3)]
    write(tmp_path / FILE, [examined(item) for item in items], "crun", IMAGE)
    lines = [line for line in (tmp_path / FILE).read_text().splitlines() if '"id"' in line]
    assert [json.loads(line.rstrip(","))["id"] for line in lines] == ["desk-0", "desk-1", "desk-2"]
    assert survey(items).held == read(tmp_path / FILE).certificates


def test_an_examination_with_a_fatal_finding_earns_nothing(tmp_path: Path) -> None:
    failed = examined(loaded(tmp_path, drafted()), FATAL)
    with pytest.raises(ValueError, match="not certified"):
        certificates.certificate(failed, "crun", IMAGE)
    assert not replace(failed, findings=(REMARK, FATAL)).certified


@pytest.mark.parametrize("text", ["", "[]", '{"schema_version": 2}', '{"certificates": [{"id": "x"}]}', "\xff"])
def test_a_file_that_holds_something_else_is_bad_input(text: str, tmp_path: Path) -> None:
    (tmp_path / FILE).write_text(text, encoding="latin-1")
    with pytest.raises(BadInputError, match="does not hold certificates"):
        read(tmp_path / FILE)


def test_a_folder_that_cannot_be_written_is_bad_input(tmp_path: Path) -> None:
    (tmp_path / FILE).mkdir()
    with pytest.raises(BadInputError, match=FILE):
        write(tmp_path / FILE, [], "crun", IMAGE)


@pytest.mark.parametrize("split", ["holdout", "train"])
def test_all_that_is_shipped_is_certified(split: str) -> None:
    """`make certify` makes this true again after a change of a bundle or of the sandbox."""
    shipped = load_dir(scenarios.shipped(split))
    found = survey(shipped)
    assert found.missing == ()
    assert all(each.repeats >= 3 and each.flake_rate == 0 and each.attacked for each in found.held)
