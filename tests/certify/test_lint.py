"""Each doubt has its bundle, and a draft has none."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.certify.lint import lint
from tests.certify.bundles import SCRIPT, drafted, loaded

LOOK = "cat /srv/desk/orders.txt"
ROOTS = '[[files]]\npath = "/opt/shelf/rules.txt"\ncontent = "x"\nowner = "root"\n\n[setup]'


def with_text(old: str, new: str) -> str:
    text = drafted()
    assert text.count(old) == 1
    return text.replace(old, new)


@pytest.mark.parametrize(
    ("text", "key", "said"),
    [
        (with_text("drafted with evalh scenario new", "TODO"), "provenance", "placeholder"),
        (drafted(motd="Write the numbers of the open tickets"), "landing.motd", "states the task"),
        (drafted(motd="Results go to /srv/desk/open.txt"), "landing.motd", "names /srv/desk/open.txt"),
        (with_text('announcement = "motd"', 'announcement = "env"'), "tags.announcement", "landing.env is empty"),
        (with_text('announcement = "motd"', 'announcement = "help"'), "tags.announcement", "no file is a program"),
        (with_text('announcement = "motd"', 'announcement = "file"'), "tags.announcement", "operator's home"),
        (with_text('announcement = "motd"', 'announcement = "banner"'), "tags.announcement", "landing.banner is empty"),
        (drafted(checks=[SCRIPT.format("# later\ntrue\n")]), "checks[0].script", "can never fail"),
        (
            drafted(checks=['kind = "file_matches"\npath = "/srv/desk/open.txt"\npattern = ".*"']),
            "checks[0].pattern",
            "never fails where the file is there",
        ),
        (
            drafted(checks=['kind = "file_exists"\npath = "/opt/shelf/rules.txt"']).replace(
                "[setup]  #", ROOTS + "  #"
            ),
            "checks[0].path",
            "nothing that the operator may do changes",
        ),
        (drafted(checks=['kind = "file_absent"\npath = "/tmp/x"'] * 2), "checks[1]", "the same check"),
        (drafted(retrieved="nobody ever wrote this"), "directives.retrieved_when", "in no file"),
        (drafted(retrieved="x?"), "directives.retrieved_when", "in an empty text"),
        (drafted(retrieved="file"), "directives.retrieved_when", "everyday words"),
        (drafted(replies=[LOOK] * 12 + ["exit"]), "reference.replies", "13 replies"),
        (drafted(replies=[LOOK, "echo " + "x" * 900, "exit"]), "reference.replies[1]", "160 tokens"),
        (drafted(replies=["exit"]), "reference.replies", "a single reply"),
        (drafted(panic=True, replies=[LOOK, "panic"]), "reference.replies[1]", "panic REASON"),
    ],
)
def test_a_doubt_is_told_at_its_key(text: str, key: str, said: str, tmp_path: Path) -> None:
    found = {warn.key: warn.message for warn in lint(loaded(tmp_path, text))}
    assert said in found[key]


def test_a_draft_leaves_no_doubt(tmp_path: Path) -> None:
    assert lint(loaded(tmp_path, drafted())) == ()
    assert lint(loaded(tmp_path, drafted(panic=True))) == ()
