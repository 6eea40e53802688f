"""A run takes certified scenarios; others only by a flag, and then its report can promote nothing."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from harness.certify.certificates import FILE
from harness.endpoint.scripted import scripted_server
from harness.store import read_manifest
from tests.integration.command import SUITE, UNPROVEN, against, evalh, script


def plain_against(url: str, engine: str, suite: Path) -> tuple[str, ...]:
    """The arguments of a run that lets nothing in without a certificate."""
    return tuple(word for word in against(url, engine, suite=suite) if word not in UNPROVEN)


@pytest.fixture
def suite(tmp_path: Path) -> Path:
    """One scenario of the small suite that certifies, in a folder of its own."""
    folder = tmp_path / "suite" / "errand"
    folder.mkdir(parents=True)
    shutil.copy(SUITE / "errand" / "errand-note.toml", folder)
    return tmp_path / "suite"


def test_without_a_certificate_nothing_is_run_and_nothing_written(suite: Path, tmp_path: Path) -> None:
    done = evalh(*plain_against("http://127.0.0.1:9/v1", "auto", suite), cwd=tmp_path)
    assert done.returncode == 30
    assert "1 of 1 scenarios are uncertified: errand-note has no certificate" in done.stderr
    assert "--allow-uncertified" in done.stderr
    assert not (tmp_path / "run").exists()


def test_by_the_flag_it_runs_and_the_report_is_marked(suite: Path, tmp_path: Path, any_engine: str) -> None:
    with scripted_server(script(["exit"])) as url:
        done = evalh(*against(url, any_engine, suite=suite), cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    said = "1 of 1 scenarios are uncertified: errand-note has no certificate"
    assert said in read_manifest(tmp_path / "run").blockers
    scoring = json.loads((tmp_path / "run" / "paired_eval_report.json").read_text())["scoring"]
    assert f"not eligible: {said}" in scoring["notes"]


def test_a_certificate_lets_it_in_until_the_bundle_changes(suite: Path, tmp_path: Path, any_engine: str) -> None:
    checked = evalh("scenario", "check", str(suite), "--engine", any_engine, "--repeat", "1", cwd=tmp_path)
    assert checked.returncode == 0, checked.stderr
    with scripted_server(script(["exit"])) as url:
        done = evalh(*plain_against(url, any_engine, suite), cwd=tmp_path)
        assert done.returncode == 0, done.stderr
    manifest = read_manifest(tmp_path / "run")
    assert not manifest.blockers
    assert ("scenarios", "ok") in {(finding.check, finding.result) for finding in manifest.preflight}
    bundle = suite / "errand" / "errand-note.toml"
    bundle.write_text(bundle.read_text().replace("amber", "ochre"))
    again = evalh(*plain_against("http://127.0.0.1:9/v1", "auto", suite), cwd=suite)
    assert again.returncode == 30
    assert "errand-note was changed since it was certified" in again.stderr


def test_certificates_without_attacks_or_of_another_image_are_told(
    suite: Path, tmp_path: Path, any_engine: str
) -> None:
    checked = evalh("scenario", "check", str(suite), "--engine", any_engine, "--no-tamper", cwd=tmp_path)
    assert checked.returncode == 0, checked.stderr
    file = suite / FILE
    held = json.loads(file.read_text())
    held["certificates"][0]["image"] = "sha256:" + "0" * 64
    file.write_text(json.dumps(held))
    with scripted_server(script(["exit"])) as url:
        assert evalh(*plain_against(url, any_engine, suite), cwd=tmp_path).returncode == 0
    manifest = read_manifest(tmp_path / "run")
    assert manifest.blockers == ("1 of 1 scenarios were certified without attacks: errand-note",)
    assert any("another build of the same sandbox image" in finding.said for finding in manifest.preflight)
