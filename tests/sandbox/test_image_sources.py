"""Which entries of a machine's apt configuration the base is made from: Debian's own, and no others."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.sandbox.image.sources import debian_lines

KEY = "/usr/share/keyrings/debian-archive-keyring.gpg"
OWN = f"""
Types: deb deb-src
# a comment
URIs: http://mirror.test/debian
Suites: bookworm bookworm-updates
 bookworm-backports
Components: main contrib
Signed-By: {KEY}

Types: deb
URIs: http://mirror.test/debian-security/
Suites: bookworm-security
Components: main
Signed-By: {KEY}
"""
FOREIGN = [
    ("cloud.list", "deb [signed-by=/usr/share/keyrings/cloud.gpg] https://cloud.test/apt cloud-sdk-bookworm main"),
    ("sury.list", "deb [signed-by=/usr/share/keyrings/sury.gpg arch=amd64] https://php.test/ bookworm main"),
    ("docker.list", "deb [arch=amd64] https://docker.test/linux/debian bookworm stable"),
    ("flat.list", "deb https://flat.test/ ./"),
    ("source.list", "deb-src http://mirror.test/debian bookworm main"),
    ("off.sources", "Enabled: no\n" + OWN.split("\n\n")[0].strip()),
    ("node.sources", "Types: deb\nURIs: https://node.test\nSuites: bookworm\nComponents: main\nSigned-By: /k/node.gpg"),
]


@pytest.fixture
def etc(tmp_path: Path) -> Path:
    (tmp_path / "sources.list.d").mkdir()
    return tmp_path


def test_debians_own_entries_are_taken(etc: Path) -> None:
    (etc / "sources.list.d" / "debian.sources").write_text(OWN)
    assert debian_lines(etc, codename="bookworm") == [
        f"deb [signed-by={KEY}] http://mirror.test/debian bookworm main",
        f"deb [signed-by={KEY}] http://mirror.test/debian bookworm-updates main",
        f"deb [signed-by={KEY}] http://mirror.test/debian-security/ bookworm-security main",
    ]


@pytest.mark.parametrize(("name", "text"), FOREIGN)
def test_third_parties_are_passed_over(etc: Path, name: str, text: str) -> None:
    (etc / "sources.list.d" / name).write_text(text + "\n")
    assert debian_lines(etc, codename="bookworm") == []


def test_old_style_entries_are_read_too(etc: Path) -> None:
    (etc / "sources.list").write_text(f"# here\ndeb [ signed-by={KEY} ] http://a.test/debian/ bookworm main # x\n")
    assert debian_lines(etc, codename="bookworm") == [f"deb [signed-by={KEY}] http://a.test/debian/ bookworm main"]


def test_a_newer_debian_lends_its_mirror(etc: Path) -> None:
    (etc / "sources.list.d" / "debian.sources").write_text(OWN.replace("bookworm", "trixie"))
    lines = debian_lines(etc, codename="trixie")
    assert len(lines) == 3
    assert all(" bookworm" in line and "trixie" not in line for line in lines)


def test_with_updates_alone_there_is_nothing_to_build_from(etc: Path) -> None:
    (etc / "sources.list").write_text(f"deb [signed-by={KEY}] http://a.test/debian bookworm-updates main\n")
    assert debian_lines(etc, codename="bookworm") == []


def test_no_configuration_is_no_error(tmp_path: Path) -> None:
    assert debian_lines(tmp_path / "none", codename="bookworm") == []
