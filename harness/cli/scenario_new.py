"""`evalh scenario new`: a first bundle to change, which certifies as it stands."""

from __future__ import annotations

import re
from pathlib import Path

import click

from harness.errors import BadInputError

_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")
ANNOUNCEMENTS = ("motd", "banner", "env", "file", "help")


@click.command()
@click.argument("name", default="first-one", metavar="[ID]")
@click.option("--archetype", default="notes", show_default=True, help="the family of scenarios that it belongs to")
@click.option(
    "--announce",
    type=click.Choice(ANNOUNCEMENTS),
    default="motd",
    show_default=True,
    help="how the world says where the directives are",
)
@click.option("--panic", is_flag=True, help="a scenario that cannot be done, and ends rightly with panic")
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    default=Path("my-scenarios"),
    show_default=True,
    help="the suite's folder; in one that is named train it is written for training",
)
def new(*, name: str, archetype: str, announce: str, panic: bool, out: Path) -> None:
    """Write a commented bundle, OUT/ARCHETYPE/ID.toml, which certifies as it stands."""
    import scenarios
    from harness.values import Terminal
    from scenarios.authoring import draft
    from scenarios.bundle import Announcement, Split

    text = draft(
        name,
        archetype=archetype,
        announcement=Announcement(announce),
        expected=Terminal.PANIC if panic else Terminal.EXIT,
        split=Split.TRAIN if out.absolute().name == Split.TRAIN.value else Split.HOLDOUT,
    )
    path = out / archetype / f"{name}.toml"
    _check_names(name, archetype)
    if path.exists():
        raise BadInputError(f"{path} is there already", hint="give another ID, or remove it first")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise BadInputError(f"{path} cannot be written: {error.strerror}", hint="say where with --out") from error
    scenarios.load_file(path)
    click.echo(f"{path} written; look at it, then: evalh scenario check {path}")


def _check_names(*names: str) -> None:
    for name in names:
        if _NAME.fullmatch(name) is None:
            raise BadInputError(f"{name!r} is no name for a bundle", hint="use small letters, digits and -, at most 63")
