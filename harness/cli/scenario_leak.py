"""`evalh scenario leak`: whether what is held out was trained on."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from harness.cli.scenario_bundles import bundles_at

if TYPE_CHECKING:
    from harness.certify.leak import Limits, Overlap

LEAKED = 20  # exit code
SHARE = click.FloatRange(0, 1)
_WORST = 5  # scenarios that the text shows though they are within the limits


@click.command()
@click.option(
    "--train", required=True, type=click.Path(path_type=Path), help="trajectories (JSONL), or a folder of bundles"
)
@click.option("--holdout", required=True, type=click.Path(path_type=Path), metavar="DIR", help="held-out bundles")
@click.option(
    "--max-grams", type=SHARE, default=0.05, show_default=True, help="share of runs of 8 words that were seen"
)
@click.option("--max-near", type=SHARE, default=0.2, show_default=True, help="likeness to any one text that was seen")
@click.option("--max-replies", type=SHARE, default=0.1, show_default=True, help="share of reference lines learned")
@click.option("--json", "as_json", is_flag=True, help="print JSON")
def leak(*, train: Path, holdout: Path, max_grams: float, max_near: float, max_replies: float, as_json: bool) -> None:
    """Compare held-out scenarios with what was trained on; exit code 20: some have too much in common with it."""
    from harness.certify.leak import Limits, overlaps
    from harness.certify.learned import lessons

    held_out = bundles_at([holdout])
    learned = lessons(train)
    limits = Limits(grams=max_grams, near=max_near, replies=max_replies)
    found = overlaps(held_out, learned)
    over = [each for each in found if each.over(limits)]
    if as_json:
        click.echo(json.dumps(_plain(found, len(learned), limits), indent=2))
    else:
        _show(found, len(learned), limits)
    if over:
        sys.exit(LEAKED)


def _show(found: Sequence[Overlap], lessons: int, limits: Limits) -> None:
    click.echo(f"{len(found)} held-out scenarios beside {lessons} lessons; the largest of each archetype:")
    kin = {each.archetype: [one for one in found if one.archetype == each.archetype] for each in found}
    width = max(len("archetype"), *map(len, kin))
    click.echo(f"{'archetype':<{width}}  8-grams  near  replies  same shape")
    for archetype in sorted(kin):
        members = kin[archetype]
        shapes = sum(each.shapes > 0 for each in members)
        grams, near, replies = (max(getattr(one, name) for one in members) for name in ("grams", "near", "replies"))
        click.echo(f"{archetype:<{width}}  {grams:7.2f}  {near:4.2f}  {replies:7.2f}  {shapes} of {len(members)}")
    over = [each for each in found if each.over(limits)]
    worst = over or sorted(found, key=lambda each: (each.grams, each.near), reverse=True)[:_WORST]
    click.echo(f"\nover the limits: {len(over)}" if over else "\nnone is over the limits; the closest:")
    for each in worst:
        click.echo(f"  {each.scenario}: {', '.join(each.over(limits)) or 'within'}; {_numbers(each)}")


def _numbers(each: Overlap) -> str:
    near = f", near {each.near:.2f} to {each.near_to}" if each.near else ""
    example = f' ("{each.example}")' if each.example else ""
    return f"8-grams {each.grams:.2f}{example}{near}, replies {each.replies:.2f}"


def _plain(found: Sequence[Overlap], lessons: int, limits: Limits) -> dict[str, object]:
    archetypes = sorted({each.archetype for each in found})
    return {
        "lessons": lessons,
        "limits": asdict(limits),
        "over": sum(bool(each.over(limits)) for each in found),
        "archetypes": {
            name: {
                measure: max(getattr(each, measure) for each in found if each.archetype == name)
                for measure in ("grams", "near", "replies")
            }
            for name in archetypes
        },
        "scenarios": [asdict(each) | {"over": list(each.over(limits))} for each in found],
    }
