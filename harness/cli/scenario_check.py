"""`evalh scenario check`: bundles proven in real containers, and their certificates."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

import scenarios
from harness.cli.scenario_bundles import bundles_at, only
from harness.errors import BadInputError
from scenarios import LoadedScenario, Split

if TYPE_CHECKING:
    from harness.certify.examine import Depth
    from harness.certify.findings import Examination
    from harness.sandbox.protocol import Engine

NOT_CERTIFIED = 20  # exit code


@click.command()
@click.argument("places", nargs=-1, type=click.Path(path_type=Path), metavar="[DIR|FILE]...")
@click.option("--jobs", type=click.IntRange(1, 64), default=4, show_default=True, help="bundles at a time")
@click.option("--repeat", type=click.IntRange(1, 1000), default=3, show_default=True, help="runs of each reference")
@click.option(
    "--engine", type=click.Choice(["auto", "docker", "crun"]), default="auto", show_default=True, help="of containers"
)
@click.option("--only", "ids", multiple=True, metavar="ID", help="examine this one alone (may be repeated)")
@click.option("--no-tamper", is_flag=True, help="leave the attacks out; the certificate says so")
@click.option("--skip-certified", is_flag=True, help="leave out what holds such a certificate in this very image")
@click.option(
    "--out", type=click.Path(path_type=Path), help="the certificates' file [default: certificates.json in each place]"
)
@click.option("--junit", type=click.Path(path_type=Path), help="write JUnit XML to this file")
@click.option("--json", "as_json", is_flag=True, help="print JSON")
def check(
    *,
    places: tuple[Path, ...],
    jobs: int,
    repeat: int,
    engine: str,
    ids: tuple[str, ...],
    no_tamper: bool,
    skip_certified: bool,
    out: Path | None,
    junit: Path | None,
    as_json: bool,
) -> None:
    """Prove bundles in real containers, and write the certificates that they earn.

    Without DIR or FILE, all that evalh ships. The reference must pass every time; doing nothing, panicking, prose and
    each of the attacks must not. Exit code 20: some bundle is not certified.
    """
    from harness.certify.examine import Depth
    from harness.certify.junit import render_junit
    from harness.sandbox import choose

    places = places or tuple(scenarios.shipped(split) for split in Split)
    chosen = only(bundles_at(places), ids)
    files = {(item.path, item.scenario.id): out or _file(item, places) for item in chosen}
    depth = Depth(repeats=repeat, attacks=not no_tamper)
    with closing(choose(engine)) as containers:
        image = containers.image_digest()
        if skip_certified:
            chosen = _unproven(chosen, depth, image)
        found = _examine(chosen, containers, depth, jobs, files)
    if junit is not None:
        _write(junit, render_junit(found))
    held = sorted({str(file) for file in files.values()})
    click.echo(json.dumps(_plain(found, image, held), indent=2) if as_json else _summary(found, held))
    if not all(each.certified for each in found):
        sys.exit(NOT_CERTIFIED)


def _examine(
    chosen: Sequence[LoadedScenario],
    containers: Engine,
    depth: Depth,
    jobs: int,
    files: Mapping[tuple[Path, str], Path],
) -> list[Examination]:
    """Examine each, tell of it, and write the certificates, also of a part when the rest is interrupted."""
    from harness.certify.suite import examine_all

    found: list[Examination] = []
    try:
        with _progress(Console(stderr=True), len(chosen)) as (on_session, on_bundle):
            for each in examine_all(chosen, containers, depth, jobs=jobs, on_session=on_session):
                found.append(each)
                on_bundle(each)
    finally:
        _certify(found, files, containers.name, containers.image_digest())
    return sorted(found, key=lambda each: each.loaded.scenario.id)


def _file(item: LoadedScenario, places: Sequence[Path]) -> Path:
    """Where a bundle's certificate goes: into the folder that was named, or the named file's own."""
    from harness.certify.certificates import FILE

    folders = [place.absolute() if place.is_dir() else place.absolute().parent for place in places]
    return next(folder for folder in folders if item.path.absolute().is_relative_to(folder)) / FILE


def _unproven(chosen: Sequence[LoadedScenario], depth: Depth, image: str) -> tuple[LoadedScenario, ...]:
    """Those without a certificate of this image for as many runs, and for attacks if they are asked for."""
    from harness.certify.certificates import survey

    proven = {
        each.bundle
        for each in survey(chosen).held
        if each.image == image and each.repeats >= depth.repeats and (each.attacked or not depth.attacks)
    }
    return tuple(item for item in chosen if item.digest not in proven)


def _certify(found: Sequence[Examination], files: Mapping[tuple[Path, str], Path], engine: str, image: str) -> None:
    from harness.certify.certificates import write

    for file in sorted(set(files.values())):
        own = [each for each in found if files[each.loaded.path, each.loaded.scenario.id] == file]
        if own:
            write(file, own, engine, image)


def _write(path: Path, text: str) -> None:
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise BadInputError(f"{path} cannot be written: {error.strerror}") from error


@contextmanager
def _progress(console: Console, total: int) -> Iterator[tuple[Callable[[], None], Callable[[Examination], None]]]:
    """Hears of each session and each bundle: a bar on a terminal, plain lines elsewhere, findings always."""
    done = 0

    def told(each: Examination) -> None:
        nonlocal done
        done += 1
        for line in _lines(each, f"[{done}/{total}] "):
            console.print(line, markup=False, highlight=False, soft_wrap=True)

    if not console.is_terminal:
        yield (lambda: None), told
        return
    columns = (BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[sessions]} sessions"), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True) as bar:
        task, sessions = bar.add_task("bundles", total=total, sessions=0), 0

        def typed() -> None:
            nonlocal sessions
            sessions += 1
            bar.update(task, sessions=sessions)

        def moved(each: Examination) -> None:
            told(each)
            bar.update(task, completed=done)

        yield typed, moved


def _lines(each: Examination, prefix: str) -> list[str]:
    word = "certified" if each.certified else "NOT CERTIFIED"
    head = f"{prefix}{each.loaded.scenario.id} {word}, {each.sessions} sessions, {each.seconds:.1f} s"
    return [head, *(f"    {finding.weight}: {finding.message}" for finding in each.findings)]


def _summary(found: Sequence[Examination], files: Sequence[str]) -> str:
    good = sum(each.certified for each in found)
    attacks = sum(each.battery.attacks for each in found)
    passed = sum(len(each.battery.passed) for each in found)
    runs, flaky = sum(each.repeats for each in found), sum(each.flaky for each in found)
    return "\n".join(
        (
            f"{good} of {len(found)} certified",
            f"reference runs: {runs}, of which {flaky} differed from the first",
            f"attacks: {attacks}, of which {passed} passed",
            f"sessions: {sum(each.sessions for each in found)}",
            f"certificates: {', '.join(files)}",
        )
    )


def _plain(found: Sequence[Examination], image: str, files: Sequence[str]) -> dict[str, object]:
    return {
        "image": image,
        "certificates": list(files),
        "certified": sum(each.certified for each in found),
        "bundles": [_bundle(each) for each in found],
    }


def _bundle(each: Examination) -> dict[str, object]:
    battery = each.battery
    return {
        "id": each.loaded.scenario.id,
        "archetype": each.loaded.scenario.archetype,
        "bundle": each.loaded.digest,
        "file": str(each.loaded.path),
        "certified": each.certified,
        "repeats": each.repeats,
        "flake_rate": each.flake_rate,
        "needed": None if each.needed is None else list(each.needed),
        "attacks": {
            "tried": battery.attacks,
            "passed": list(battery.passed),
            "did_the_work": list(battery.work),
            "on": battery.on,
        },
        "findings": [
            {"weight": item.weight.value, "experiment": item.experiment, "message": item.message}
            for item in each.findings
        ],
        "sessions": each.sessions,
        "seconds": round(each.seconds, 3),
    }
