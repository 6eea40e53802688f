"""Where this machine gets Debian's packages from: the entries of its apt configuration that are Debian's own."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

SUITE = "bookworm"
_KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
_DEBIANS_KEYRINGS = re.compile(r"(?:^|/)debian-archive-[^/]*\.(?:gpg|pgp|asc)$")
_LINE = re.compile(r"^deb\s+(?:\[(?P<options>[^\]]*)\]\s+)?(?P<uri>\S+)\s+(?P<suite>\S+)\s+(?P<components>.+)$")


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """One place that has packages, for one suite."""

    uri: str
    suite: str
    signed_by: str  # empty where the entry does not say
    components: tuple[str, ...]


def debian_lines(etc: Path, *, codename: str) -> list[str]:
    """One-line apt entries for SUITE from the machine's own Debian mirrors, of the suite `codename`.

    Third-party archives are passed over, also those that use a Debian suite's name: what counts is a suite of
    Debian's, its component main, and no key but Debian's. Empty where nothing of the kind is configured.
    """
    suffixes = {f"{codename}{ending}": ending for ending in ("", "-updates", "-security")}
    lines: list[str] = []
    for source in _sources(etc):
        signed_by_debian = not source.signed_by or _DEBIANS_KEYRINGS.search(source.signed_by)
        if source.suite not in suffixes or "main" not in source.components or not signed_by_debian:
            continue
        keyring = source.signed_by or (str(_KEYRING) if _KEYRING.exists() else "")
        option = f"[signed-by={keyring}] " if keyring else ""
        line = f"deb {option}{source.uri} {SUITE}{suffixes[source.suite]} main"
        if line not in lines:
            lines.append(line)
    has_suite = any(f" {SUITE} main" in line for line in lines)
    return lines if has_suite else []


def _sources(etc: Path) -> Iterator[Source]:
    parts = etc / "sources.list.d"
    for file in (etc / "sources.list", *sorted(parts.glob("*.list"))):
        if file.is_file():
            for line in file.read_text(errors="replace").splitlines():
                yield from _one_line(line)
    for file in sorted(parts.glob("*.sources")):
        for stanza in re.split(r"\n\s*\n", file.read_text(errors="replace")):
            yield from _deb822(stanza)


def _one_line(line: str) -> Iterator[Source]:
    match = _LINE.match(line.partition("#")[0].strip())
    if match is None:
        return
    options = dict(word.partition("=")[::2] for word in (match["options"] or "").split())
    yield Source(
        uri=match["uri"],
        suite=match["suite"].strip("/"),
        signed_by=options.get("signed-by", ""),
        components=tuple(match["components"].split()),
    )


def _deb822(stanza: str) -> Iterator[Source]:
    fields: dict[str, str] = {}
    name = ""
    for line in stanza.splitlines():
        if line.startswith("#") or not line.strip():
            continue
        if not line[0].isspace():
            name = line.partition(":")[0].strip().lower()
            line = line.partition(":")[2]
        fields[name] = f"{fields.get(name, '')} {line.strip()}".strip()
    if "deb" not in fields.get("types", "").split() or fields.get("enabled", "yes").lower() in ("no", "false"):
        return
    for uri in fields.get("uris", "").split():
        for suite in fields.get("suites", "").split():
            yield Source(
                uri=uri,
                suite=suite.strip("/"),
                signed_by=fields.get("signed-by", ""),
                components=tuple(fields.get("components", "").split()),
            )
