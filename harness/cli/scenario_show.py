"""`evalh scenario list` and `show`: what a suite holds, and one scenario in full."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

import scenarios
from harness.cli.scenario_bundles import bundles_at, one_bundle
from scenarios import LoadedScenario

if TYPE_CHECKING:
    from harness.certify.certificates import Certificate

_LONGEST = 4000  # characters of one text that `show` prints


@click.command("list")
@click.argument("place", required=False, type=click.Path(path_type=Path), metavar="[DIR]")
@click.option(
    "--split",
    type=click.Choice(["holdout", "train"]),
    default="holdout",
    show_default=True,
    help="of the shipped suite, where no DIR is given",
)
@click.option("--coverage", "only_coverage", is_flag=True, help="the spread over the axes alone")
@click.option("--json", "as_json", is_flag=True, help="print JSON")
def list_(*, place: Path | None, split: str, only_coverage: bool, as_json: bool) -> None:
    """List the bundles of a folder or of a shipped split, and how they are spread over the axes."""
    from harness.certify.coverage import coverage, coverage_text

    loaded = bundles_at([place or scenarios.shipped(split)])
    named = {item.scenario.archetype for item in loaded}
    measured = {name: text for name, text in sorted(scenarios.archetypes().items()) if name in named}
    if as_json:
        rows = [_row(item) for item in loaded]
        click.echo(json.dumps({"scenarios": rows, "coverage": coverage(loaded), "archetypes": measured}, indent=2))
        return
    if not only_coverage:
        for line in _listing(loaded):
            click.echo(line)
        click.echo()
    click.echo(coverage_text(loaded))
    for name, text in measured.items():
        click.echo(f"\n{name}: {text}" if name == min(measured) else f"{name}: {text}")


@click.command()
@click.argument("name", metavar="ID|FILE")
@click.option("--json", "as_json", is_flag=True, help="print JSON")
def show(*, name: str, as_json: bool) -> None:
    """Show one scenario: landing, world, directives, checks, reference and certificate."""
    from harness.certify.certificates import survey

    item = one_bundle(name)
    found = survey([item])
    if as_json:
        data = {"digest": item.digest, "file": str(item.path), "scenario": item.scenario.model_dump(mode="json")}
        held = found.held[0].model_dump(mode="json") if found.held else None
        click.echo(json.dumps(data | {"certificate": held}, indent=2))
        return
    for line in _page(item):
        click.echo(line)
    click.echo(f"\ncertificate\n    {_proof(found.held[0]) if found.held else found.missing[0]}")


def _proof(held: Certificate) -> str:
    attacks = f"{held.attacks} attacks on {held.attacked}" if held.attacked else "no attacks"
    return f"{held.date}, evalh {held.evalh}, {held.engine}: {held.repeats} runs alike, {attacks}"


def _row(item: LoadedScenario) -> dict[str, object]:
    scenario = item.scenario
    return {
        "id": scenario.id,
        "archetype": scenario.archetype,
        "split": scenario.split.value,
        "expected_terminal": scenario.expected_terminal.value,
        "critical": scenario.critical,
        "tags": scenario.tags.model_dump(mode="json"),
        "digest": item.digest,
        "file": str(item.path),
    }


def _listing(loaded: Sequence[LoadedScenario]) -> Iterator[str]:
    """One line for each file, templates with their number of instances."""
    kin: dict[Path, list[LoadedScenario]] = {}
    for item in loaded:
        kin.setdefault(item.path, []).append(item)
    names = {path: _name(members) for path, members in kin.items()}
    width = max(map(len, names.values()))
    for path, members in kin.items():
        scenario = members[0].scenario
        tags = scenario.tags
        marks = (
            f"{scenario.expected_terminal.value:<5}  {tags.announcement.value:<6}  {tags.doc_depth}  {tags.difficulty}"
        )
        critical = "  critical" if scenario.critical else ""
        yield f"{names[path]:<{width}}  {scenario.archetype:<14}  {marks}  {tags.task}{critical}"


def _name(members: Sequence[LoadedScenario]) -> str:
    first = members[0].scenario.id
    return first if len(members) == 1 else f"{first} and {len(members) - 1} more"


def _page(item: LoadedScenario) -> Iterator[str]:
    scenario, tags = item.scenario, item.scenario.tags
    yield f"{scenario.id}  ({item.path})"
    yield f"    {scenario.archetype}, {scenario.split.value}; ends with {scenario.expected_terminal.value}" + (
        "; critical" if scenario.critical else ""
    )
    yield f"    task {tags.task}; provider {tags.provider}; announced by {tags.announcement.value}"
    yield f"    {tags.doc_depth} pages to read; difficulty {tags.difficulty}; {scenario.provenance}"
    yield f"    {item.digest}"
    landing = scenario.landing
    texts = {"orientation": landing.orientation, "banner": landing.banner, "motd": landing.motd}
    for name, text in texts.items():
        yield from _block(name, text)
    yield from _block("environment", "\n".join(f"{key}={value}" for key, value in landing.env.items()))
    for file in item.files:
        text = file.content.decode(errors="replace")
        yield from _block(f"{file.path}  ({file.mode:o}, {file.owner})", text or "[empty]")
    yield from _block("setup", scenario.setup.script)
    yield from _block("the directives were read when this is seen", scenario.directives.retrieved_when)
    for number, check in enumerate(scenario.checks, start=1):
        values = check.model_dump(mode="json", exclude={"kind"}, exclude_defaults=True)
        yield from _block(f"check {number}: {check.kind}", "\n".join(f"{key} = {text}" for key, text in values.items()))
    for number, reply in enumerate(scenario.reference.replies, start=1):
        yield from _block(f"reply {number}", reply)


def _block(title: str, text: str) -> Iterator[str]:
    if not text.strip():
        return
    yield ""
    yield _shown(title)
    cut = text.strip("\n")[:_LONGEST]
    for line in cut.split("\n"):
        yield f"    {_shown(line)}"
    if len(cut) < len(text.strip("\n")):
        yield f"    [{len(text.strip(chr(10))) - len(cut)} more characters]"


def _shown(line: str) -> str:
    return "".join(each if each.isprintable() or each == "\t" else "\ufffd" for each in line)
