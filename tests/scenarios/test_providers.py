"""Provider programs are installed by a bundle, speak as it says, and tell the author what does not fit."""

from __future__ import annotations

import os
import subprocess
from contextlib import closing
from pathlib import Path

import pytest

from harness.errors import BundleError
from harness.sandbox.select import choose
from harness.trial import ReferenceModel, TrialPlan, hold_session
from harness.values import Arm
from scenarios import load_file
from scenarios.bundle import Scenario
from scenarios.loader import LoadedScenario
from scenarios.providers import PROVIDERS, program

BUNDLE = """
schema_version = 1
id = "pier"
archetype = "pier"
split = "holdout"
provenance = "made for a test"

[tags]
task = "note"
provider = "ticket-queue"
announcement = "help"

[landing]
motd = "Ask: chits --help"

[[files]]
path = "/usr/local/bin/chits"
{provider}

[[files]]
path = "/srv/pier/chits/T-7"
content = '''
Subject: mooring
State: open

Write moored into /home/operator/state, then close this.
'''

[directives]
retrieved_when = "Write moored into"

[[checks]]
kind = "file_equals"
path = "/home/operator/state"
content = "moored"

[[checks]]
kind = "file_matches"
path = "/srv/pier/chits/T-7"
pattern = '(?m)^State: closed$'

[reference]
replies = ["chits --help", "chits open T-7", "echo moored > state", "chits close T-7", "exit"]
"""
GOOD = """provider = "ticket-queue"
settings = { data = "/srv/pier/chits", title = "The pier's chits", show = "open" }"""


def bundle(tmp_path: Path, provider: str = GOOD, *, extra: str = "") -> Path:
    folder = tmp_path / "holdout" / "pier"
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / "pier.toml"
    file.write_text(BUNDLE.replace("{provider}", provider) + extra)
    return file


def complaint(tmp_path: Path, provider: str) -> str:
    with pytest.raises(BundleError) as caught:
        load_file(bundle(tmp_path, provider))
    return caught.value.message


def installed(item: LoadedScenario) -> bytes:
    return next(file.content for file in item.files if file.path.startswith("/usr/local/bin"))


def test_a_bundle_installs_a_program_that_anyone_can_run_and_only_root_can_change(tmp_path: Path) -> None:
    (item,) = load_file(bundle(tmp_path))
    placed = item.files[0]
    assert (placed.mode, placed.owner) == (0o755, "root")
    assert placed.content.startswith(b"#!/bin/sh\nDATA=/srv/pier/chits\n")


def test_the_settings_are_part_of_the_digest_and_their_order_is_not(tmp_path: Path) -> None:
    (first,) = load_file(bundle(tmp_path))
    other = 'settings = { show = "open", title = "The pier\'s chits", data = "/srv/pier/chits" }\n'
    (same,) = load_file(bundle(tmp_path, other + 'provider = "ticket-queue"'))
    (changed,) = load_file(bundle(tmp_path, GOOD.replace("open", "look")))
    assert first.digest == same.digest != changed.digest


def test_templates_fill_in_settings(tmp_path: Path) -> None:
    text = BUNDLE.replace("{provider}", GOOD.replace('"open"', '"{{word}}"')).replace("chits open", "chits {{word}}")
    text = text.replace("[tags]", "instances = [1, 2]\n[tags]", 1).replace('split = "holdout"', 'split = "train"')
    file = tmp_path / "train" / "pier" / "pier.toml"
    file.parent.mkdir(parents=True)
    file.write_text(text + '\n[parameters]\nword = { choose = ["peek", "view"] }\n')
    heads = {installed(item).split(b"\nSHOW=")[1].split(b"\n")[0] for item in load_file(file)}
    assert heads == {b"peek", b"view"}


@pytest.mark.parametrize(
    ("provider", "said"),
    [
        ('provider = "tiket-queue"', 'there is no provider "tiket-queue"; did you mean `ticket-queue`?'),
        ('provider = "ticket-queue"', "the provider ticket-queue needs the setting data"),
        (GOOD.replace("show =", "shw ="), 'files[0].settings.shw: there is no setting "shw"; did you mean `show`?'),
        (GOOD.replace('"open"', '"Open it"'), '"Open it" cannot be a sub-command'),
        (GOOD.replace('"open"', '"close"'), 'two sub-commands of ticket-queue would be called "close"'),
        (GOOD.replace('"open"', '"help"'), '"help" cannot be a sub-command'),
        (GOOD.replace("/srv/pier/chits", "chits"), "files[0].settings.data: "),
        (GOOD.replace("/srv/pier/chits", "/usr/share/chits"), "files[0].settings.data: "),
        (GOOD.replace("The pier's chits", ""), "the title is one visible line"),
        (GOOD + '\ncontent = "echo"', "the file has both content and provider"),
        ('settings = { data = "/srv/x" }\ncontent = "x"', "settings are for a provider, and the file has none"),
        (GOOD.replace('"open"', "4"), "files[0].settings.show: it should be a valid string, and is 4"),
    ],
)
def test_what_does_not_fit_is_told_with_its_key(tmp_path: Path, provider: str, said: str) -> None:
    assert said in complaint(tmp_path, provider)


def test_the_example_of_the_page_is_a_bundle_and_names_every_provider_and_setting(tmp_path: Path) -> None:
    section = (Path(__file__).parents[2] / "docs" / "scenarios.md").read_text().split("\n## Providers\n")[1]
    example = "\n".join(line[4:] for line in section.split("\n") if line.startswith("    ") or not line)
    start = BUNDLE.index("[[files]]")
    end = BUNDLE.index("[directives]")
    file = bundle(tmp_path)
    text = BUNDLE[:start] + example.strip() + "\n\n" + BUNDLE[end:]
    file.write_text(text.replace("T-7", "P-7"))
    assert installed(load_file(file)[0]).startswith(b"#!/bin/sh\nDATA=/srv/pier/chits\n")
    for name, provider in PROVIDERS.items():
        (row,) = (line for line in section.split("\n") if line.startswith(f"| `{name}` "))
        assert all(f"`{verb}" in row for verb in provider.verbs)


def test_the_format_lists_every_provider_by_one_program() -> None:
    folder = Path(__file__).parents[2] / "scenarios" / "providers"
    assert {entry.name for entry in folder.glob("*.sh")} == {"common.sh", *(p.body for p in PROVIDERS.values())}


class Desk:
    """A provider program on this machine, with its records in a folder of the test's own."""

    def __init__(self, tmp_path: Path, name: str, **settings: str) -> None:
        self.data = tmp_path / "data"
        self.data.mkdir()
        self.program = tmp_path / "desk"
        self.program.write_bytes(program(name, {"data": str(self.data), **settings}))
        self.program.chmod(0o755)

    def record(self, name: str, content: str) -> None:
        """Put a file into the folder of the records."""
        (self.data / name).parent.mkdir(parents=True, exist_ok=True)
        (self.data / name).write_text(content)

    def ask(self, *words: str) -> str:
        """The output of a request that is met."""
        done = self._run(*words)
        assert (done.returncode, done.stderr) == (0, ""), done
        return done.stdout

    def refused(self, *words: str) -> str:
        """The one message of a request that is not met; nothing is on standard output."""
        done = self._run(*words)
        assert done.returncode in {1, 2}
        assert done.stdout == ""
        assert done.stderr.startswith("desk: ")
        assert len(done.stderr.splitlines()) == done.returncode  # misuse adds where to look
        return done.stderr

    def _run(self, *words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [str(self.program), *words],
            capture_output=True,
            text=True,
            check=False,
            stdin=subprocess.DEVNULL,
            timeout=60,
            env={"PATH": os.environ["PATH"], "LC_ALL": "C"},
        )


@pytest.mark.parametrize("name", PROVIDERS)
def test_every_provider_has_help_a_second_page_and_errors(tmp_path: Path, name: str) -> None:
    desk = Desk(tmp_path, name, title="Of a title's making; `id` $HOME")
    shown = desk.ask("--help")
    assert shown == desk.ask() == desk.ask("-h")
    assert shown.startswith("Of a title's making; `id` $HOME\n")
    topics = desk.ask("help").split()[7:]
    assert len(topics) >= 2
    for topic in topics:
        assert len(desk.ask("help", topic).split()) > 10
    desk.record("help/tides", "When the tide is out, wait.\n")
    assert "tides" in desk.ask("help")
    assert desk.ask("help", "tides") == "When the tide is out, wait.\n"
    assert "no topic 'moon'" in desk.refused("help", "moon")
    assert "no topic" in desk.refused("help", "../desk")
    assert "unknown sub-command 'frob'" in desk.refused("frob")
    for verb in PROVIDERS[name].verbs[1:]:
        assert f"{verb} needs" in desk.refused(verb)
        assert f"desk {verb} " in shown


@pytest.mark.parametrize("name", PROVIDERS)
def test_every_sub_command_can_have_another_name(tmp_path: Path, name: str) -> None:
    words = {verb: f"{verb}-x" for verb in PROVIDERS[name].verbs}
    desk = Desk(tmp_path, name, **words)
    for old, new in words.items():
        assert f"desk {new}" in desk.ask("--help")
        assert f"unknown sub-command '{old}'" in desk.refused(old)


def test_an_order_book_shows_and_takes_signatures(tmp_path: Path) -> None:
    desk = Desk(tmp_path, "order-book")
    desk.record("orders", "== 3 Paint\nPaint it.\nTwice.\n== 12 Rope\nCoil it.\n")
    assert desk.ask("read", "3") == "Paint\nPaint it.\nTwice.\n"
    assert "order 12 signed by Ada" in desk.ask("sign", "12", "Ada")
    assert [line.split() for line in desk.ask("list").splitlines()] == [["3", "Paint"], ["*", "12", "Rope"]]
    assert (desk.data / "signed").read_text() == "12 Ada\n"
    assert "signed already" in desk.refused("sign", "12", "Bo")
    assert "no order '4'" in desk.refused("read", "4")
    assert "is no number" in desk.refused("read", "x/../3")
    assert "needs a name" in desk.refused("sign", "3")


def test_a_ticket_queue_shows_and_closes(tmp_path: Path) -> None:
    desk = Desk(tmp_path, "ticket-queue")
    desk.record("T-1", "Subject: leak\nState: open\nBy: Ada\n\nState: of the roof\n")
    desk.record("T-2", "Subject: lamp\nState: waiting\n\nNot yet.\n")
    assert [line.split() for line in desk.ask("list", "open").splitlines()] == [["T-1", "open", "leak"]]
    assert len(desk.ask("list").splitlines()) == 2
    desk.ask("close", "T-1", "tarred & felted")
    assert desk.ask("show", "T-1") == (
        "Subject: leak\nState: closed\nBy: Ada\nNote: tarred & felted\n\nState: of the roof\n"
    )
    assert "is not open" in desk.refused("close", "T-2")
    assert "no ticket 'T-9'" in desk.refused("show", "T-9")
    assert "no ticket '../desk'" in desk.refused("show", "../desk")


def test_a_mailbox_reads_and_answers_once(tmp_path: Path) -> None:
    desk = Desk(tmp_path, "mailbox")
    desk.record("inbox/2", "From: ada\nSubject: ferry\n\nWhen?\n")
    desk.record("inbox/10", "From: bo\nSubject: tolls\n\nHow much?\n")
    assert [line.split() for line in desk.ask("list").splitlines()] == [["2", "ada", "ferry"], ["10", "bo", "tolls"]]
    assert "When?" in desk.ask("read", "2")
    desk.ask("answer", "2", "at nine")
    assert (desk.data / "sent" / "2").read_text() == "To: ada\n\nat nine\n"
    assert "answered already" in desk.refused("answer", "2", "at ten")
    assert "needs a text" in desk.refused("answer", "10")
    assert "no letter '3'" in desk.refused("read", "3")


def test_a_notice_board_reads_and_finds(tmp_path: Path) -> None:
    desk = Desk(tmp_path, "notice-board")
    desk.record("fire", "Fire drill\nAt noon.\n")
    desk.record("wash", "Laundry\nBring SOAP.\n")
    assert [line.split()[0] for line in desk.ask("list").splitlines()] == ["fire", "wash"]
    assert desk.ask("read", "fire") == "Fire drill\nAt noon.\n"
    assert desk.ask("find", "soap").split() == ["wash", "Laundry"]
    assert "no notice contains 'a.n'" in desk.refused("find", "a.n")
    assert "no notice 'bell'" in desk.refused("read", "bell")


def test_a_config_store_sets_only_what_fits(tmp_path: Path) -> None:
    desk = Desk(tmp_path, "config-store")
    desk.record("values", "a.port = 80\na.mode = slow\nb.note = one & two\nb.id = 7\nb.free =\n")
    desk.record("kinds", "a.port number 1 99\na.mode choice slow fast\nb.id fixed\n")
    assert desk.ask("list", "a.") == "a.port = 80\na.mode = slow\n"
    assert desk.ask("get", "b.note") == "one & two\n"
    assert desk.ask("set", "a.port", "99") == "a.port = 99\n"
    assert desk.ask("set", "b.note", r"x & \1 = 2") == "b.note = x & \\1 = 2\n"
    assert desk.ask("set", "b.free", "at last") == "b.free = at last\n"
    assert "from 1 to 99" in desk.refused("set", "a.port", "100")
    assert "whole number" in desk.refused("set", "a.port", "-1")
    assert "one of: slow fast" in desk.refused("set", "a.mode", "as")
    assert "b.id is fixed" in desk.refused("set", "b.id", "8")
    assert "no key 'a.prt'" in desk.refused("get", "a.prt")
    assert "must stand in quotes" in desk.refused("set", "b.note", "two", "words")
    assert "a.port number 1 99" in desk.ask("help", "kinds")
    assert (desk.data / "values").read_text() == (
        "a.port = 99\na.mode = slow\nb.note = x & \\1 = 2\nb.id = 7\nb.free = at last\n"
    )


def test_a_session_uses_a_provider_in_its_container(engine_name: str, tmp_path: Path) -> None:
    (item,) = load_file(bundle(tmp_path))
    assert isinstance(item.scenario, Scenario)
    plan = TrialPlan(scenario=item, arm=Arm.BASE, repeat=0, attempt=1, seed=0, model="reference")
    with closing(choose(engine_name)) as engine:
        session, judged = hold_session(plan, engine, ReferenceModel(item.scenario.reference.replies), None)
    assert judged.metrics.success, [turn.observation for turn in session.turns]
    assert "The pier's chits" in session.turns[0].observation
