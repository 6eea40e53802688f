"""`evalh resume`: finish the grid of an interrupted run, under the very conditions that it began with."""

from __future__ import annotations

import sys
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import click
from pydantic import ValidationError
from rich.console import Console

from harness.cli.settings import RunSettings
from harness.errors import BadInputError

if TYPE_CHECKING:
    from harness.cli.prepare import Prepared
    from harness.cli.stage import Stage
    from harness.store import RunManifest


@click.command()
@click.argument("run", type=click.Path(path_type=Path))
@click.option("--concurrency", type=click.IntRange(1, 256), help="trials at a time, instead of the run's own")
@click.option("--json", "as_json", is_flag=True, help="print the report as JSON; progress goes to stderr")
def resume(*, run: Path, concurrency: int | None, as_json: bool) -> None:
    """Finish RUN: no finished trial is run again; exit codes are those of `evalh run`."""
    from harness import store  # --help costs no heavy import

    found = store.read_manifest(run)
    settings = settings_of(found, run)
    if concurrency:
        settings = settings.model_copy(update={"concurrency": concurrency})

    from harness.campaign import unfinished
    from harness.cli import launch, outcome, prepare, stage

    policy = outcome.policy(settings.gate)
    prepared = prepare.prepare(settings, admitted=True)
    same_inputs(found, prepared, run)
    console = Console(stderr=True)
    with closing(store.reopen(run)) as run_store:  # before a server starts: its log is the run's
        if unfinished(launch.campaign(prepared, stop_rule=found.stop_rule), store.read_trials(run)):
            with stage.staged(prepared, console, run) as running:
                same_stage(found, running, run)
                outcome.perform_and_report(prepared, running, run_store, console)
        else:
            console.print(f"there is nothing left to run of {run}", markup=False, highlight=False, soft_wrap=True)
            outcome.report_only(run)
    sys.exit(outcome.conclude(run, policy, as_json=as_json, gated=settings.gate is not None))


def settings_of(manifest: RunManifest, run: Path) -> RunSettings:
    """The settings that a run began with."""
    try:
        return RunSettings.model_validate(dict(manifest.settings))
    except ValidationError as error:
        raise BadInputError(
            f"{run}: its manifest's settings are not of this version of evalh", hint="start a new run"
        ) from error


def same_inputs(manifest: RunManifest, prepared: Prepared, run: Path) -> None:
    """Refuse to go on with other scenarios or other models: pairs would compare different things."""
    before = {ref.id: ref.digest for ref in manifest.scenarios}
    present = {loaded.scenario.id: loaded.digest for loaded in prepared.scenarios}
    changed = sorted(name for name in before.keys() | present.keys() if before.get(name) != present.get(name))
    if changed:
        raise _changed(run, f"scenario {changed[0]} (and {len(changed) - 1} more)" if changed[1:] else changed[0])
    for arm, then, today in (
        ("base", manifest.base, prepared.arms.base),
        ("adapter", manifest.tuned, prepared.arms.tuned),
    ):
        if then.digest != today.digest or then.name != today.name:
            raise _changed(run, f"the {arm} {today.path or today.name}")
    if manifest.tokenizer_sha256 != prepared.arms.tokenizer_sha256:
        raise _changed(run, "the tokenizer")


def same_stage(manifest: RunManifest, stage: Stage, run: Path) -> None:
    """Refuse to go on in another sandbox image or engine."""
    if stage.engine.name != manifest.engine:
        raise _changed(run, f"the engine (then {manifest.engine}, now {stage.engine.name})")
    if stage.engine.image_digest() != manifest.sandbox_image:
        raise _changed(run, "the sandbox image")


def _changed(run: Path, what: str) -> BadInputError:
    return BadInputError(
        f"{run} began with something else: {what} has changed since", hint="restore it, or start a new run"
    )
