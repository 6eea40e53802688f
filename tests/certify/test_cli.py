"""`evalh scenario` as its users run it."""

from __future__ import annotations

import json
import signal
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from harness.certify.certificates import read
from tests.certify.bundles import drafted, written
from tests.integration.command import evalh, started
from tests.integration.leftovers import leftovers, wait_for

ANNOUNCEMENTS = ("motd", "banner", "env", "file", "help")


def all_kinds(folder: Path) -> list[str]:
    """One draft for every announcement and ending, written by the command."""
    names = []
    for announcement in ANNOUNCEMENTS:
        for panic in ((), ("--panic",)):
            names.append("-".join((announcement, *(word.lstrip("-") for word in panic))))
            done = evalh("scenario", "new", names[-1], "--announce", announcement, *panic, "--out", "suite", cwd=folder)
            assert done.returncode == 0, done.stderr
    return sorted(names)


@pytest.mark.slow
def test_what_new_writes_certifies_as_it_stands(any_engine: str, tmp_path: Path) -> None:
    names = all_kinds(tmp_path)
    linted = evalh("scenario", "lint", "suite", cwd=tmp_path)
    assert linted.stdout == "bundles: 10, scenarios: 10, doubts: 0\n"
    battery = any_engine == "crun"  # in docker these are minutes
    flags = () if battery else ("--no-tamper", "--repeat", "1")
    done = evalh("scenario", "check", "suite", "--engine", any_engine, "--json", *flags, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert [each["id"] for each in found["bundles"]] == names
    assert all(each["certified"] and not each["findings"] for each in found["bundles"])
    assert all((each["attacks"]["tried"] >= 8) is battery for each in found["bundles"])
    assert not any(each["attacks"]["passed"] for each in found["bundles"])
    held = read(tmp_path / "suite" / "certificates.json").certificates
    assert [(each.id, each.image, each.engine) for each in held] == [(n, found["image"], any_engine) for n in names]


def test_a_bad_bundle_among_good_ones_is_told_and_costs_its_certificate(engine_name: str, tmp_path: Path) -> None:
    written(tmp_path, drafted())
    written(tmp_path, drafted(name="desk-two", checks=['kind = "file_exists"\npath = "/srv/desk/tickets.csv"']))
    flags = ("--engine", engine_name, "--no-tamper", "--repeat", "1", "--junit", "junit.xml")
    done = evalh("scenario", "check", str(tmp_path), *flags, cwd=tmp_path)
    assert done.returncode == 20
    assert "desk-two NOT CERTIFIED" in done.stderr
    assert "fatal: every check passes in the untouched world" in done.stderr
    assert done.stdout.startswith("1 of 2 certified\n")
    assert [each.id for each in read(tmp_path / "certificates.json").certificates] == ["desk-one"]
    suite = ET.parse(tmp_path / "junit.xml").getroot()[0]  # noqa: S314 - written just now
    assert (suite.get("name"), suite.get("tests"), suite.get("failures")) == ("desk", "2", "1")
    shown = evalh("scenario", "show", str(tmp_path / "desk" / "desk-one.toml"), cwd=tmp_path).stdout
    assert "1 runs alike, no attacks" in shown


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("check", "none"), "there is no none (give a folder"),
        (("check", "suite", "--only", "nobody"), "there is no scenario 'nobody' there"),
        (("show", "nobody"), "there is no scenario 'nobody'"),
        (("show", "note-word"), "note-word is a template of"),
        (("try", "suite/desk/desk-one.toml"), "needs a terminal"),
        (("new", "Desk"), "'Desk' is no name for a bundle"),
        (("new", "desk-one", "--archetype", "desk", "--out", "suite"), "is there already"),
        (("lint", "bad"), "the reference must end the session"),
        (("leak", "--train", "none.jsonl", "--holdout", "suite"), "cannot read none.jsonl"),
    ],
)
def test_bad_input_is_one_line_and_30(arguments: tuple[str, ...], said: str, tmp_path: Path) -> None:
    written(tmp_path / "suite", drafted())
    written(tmp_path / "bad", drafted(replies=["ls"]))
    done = evalh("scenario", *arguments, cwd=tmp_path)
    assert (done.returncode, done.stderr.count("\n")) == (30, 1)
    assert said in done.stderr


def test_list_shows_a_suite_and_its_spread(tmp_path: Path) -> None:
    written(tmp_path, drafted())
    written(tmp_path, drafted(name="desk-two", panic=True))
    text = evalh("scenario", "list", str(tmp_path), cwd=tmp_path).stdout
    assert [line.split()[:4] for line in text.split("\n")[:2]] == [
        ["desk-one", "desk", "exit", "motd"],
        ["desk-two", "desk", "panic", "motd"],
    ]
    assert text.rstrip().split("\n")[-1].split()[:5] == ["all", "2", "1", "1", "2"]
    found = json.loads(evalh("scenario", "list", str(tmp_path), "--json", cwd=tmp_path).stdout)
    assert [each["id"] for each in found["scenarios"]] == ["desk-one", "desk-two"]
    assert found["coverage"]["all"]["ends.panic"] == 1


def test_a_planted_copy_ends_the_leak_check_with_20(tmp_path: Path) -> None:
    written(tmp_path / "suite", drafted())
    orders = (
        "Write the numbers of the open tickets in /srv/desk/tickets.csv to the file /srv/desk/open.txt,\none a line"
    )
    messages = [{"role": "user", "content": orders}, {"role": "assistant", "content": "exit"}]
    (tmp_path / "train.jsonl").write_text(json.dumps({"messages": messages, "scenario": "planted"}) + "\n")
    flags = ("--train", "train.jsonl", "--holdout", "suite")
    done = evalh("scenario", "leak", *flags, cwd=tmp_path)
    assert done.returncode == 20
    assert "desk-one: grams, near; " in done.stdout
    assert "to planted" in done.stdout
    wide = evalh("scenario", "leak", *flags, "--max-grams", "1", "--max-near", "1", "--json", cwd=tmp_path)
    assert wide.returncode == 0
    assert json.loads(wide.stdout)["scenarios"][0]["near_to"] == "planted"


@pytest.mark.slow
def test_an_interrupted_check_leaves_nothing_behind(engine_name: str, tmp_path: Path) -> None:
    for number in range(4):
        written(tmp_path, drafted(name=f"desk-{number}"))
    child = started("scenario", "check", ".", "--engine", engine_name, "--jobs", "2", cwd=tmp_path)
    assert child.stdout is not None
    assert "certified" in child.stdout.readline()
    child.send_signal(signal.SIGINT)
    said, _ = child.communicate(timeout=60)
    assert child.returncode == 130
    assert "Traceback" not in said
    wait_for(lambda: not leftovers(child.pid), seconds=30, what="clean machine")
    proven = {each.id for each in read(tmp_path / "certificates.json").certificates}
    assert 0 < len(proven) < 4
    flags = ("--engine", engine_name, "--skip-certified", "--no-tamper", "--repeat", "1", "--json")
    again = json.loads(evalh("scenario", "check", ".", *flags, cwd=tmp_path).stdout)
    assert {each["id"] for each in again["bundles"]} == {f"desk-{number}" for number in range(4)} - proven


def test_each_place_gets_its_own_certificates(any_engine: str, tmp_path: Path) -> None:
    written(tmp_path / "one", drafted())
    written(tmp_path / "two", drafted(name="desk-two"))
    flags = ("--engine", any_engine, "--no-tamper", "--repeat", "1")
    done = evalh("scenario", "check", "one", "two", *flags, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    for place, name in (("one", "desk-one"), ("two", "desk-two")):
        assert [each.id for each in read(tmp_path / place / "certificates.json").certificates] == [name]
