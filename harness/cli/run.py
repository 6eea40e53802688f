"""`evalh run`: both arms on the same scenarios with the same seeds, then the paired report."""

from __future__ import annotations

import sys
from contextlib import ExitStack, closing
from pathlib import Path

import click
from rich.console import Console

from harness.cli.options import Flag, run_options
from harness.cli.settings import effective


@click.command()
@click.option("--config", type=click.Path(path_type=Path), help="settings file [default: ./evalh.toml if there]")
@click.option("--json", "as_json", is_flag=True, help="print the report as JSON; progress goes to stderr")
@run_options
def run(*, config: Path | None, as_json: bool, **flags: Flag) -> None:
    """Evaluate an adapter and its base on held-out scenarios in fresh containers, and compare them.

    Without --gate the exit code is 0 once the report is written. With it: 0 promote, 10 inconclusive,
    20 gate failed. Always: 30 bad input, 40 infrastructure, 130 interrupted (see `evalh resume`).
    """
    settings = effective(flags, config).settings

    from harness import store  # --help and bad flags cost no heavy import
    from harness.cli import manifest, outcome, prepare, stage
    from harness.stopping import stop_rule

    path = prepare.run_directory(settings)
    store.must_be_new(path)
    policy = outcome.policy(settings.gate)
    prepared = prepare.prepare(settings)
    decided = settings.stop_when == "decided"
    rule = stop_rule(policy, prepared.scenarios, settings.seed) if decided else None
    console = Console(stderr=True)
    if settings.gate or rule:
        repeats = settings.repeats > 1
        outcome.warn_undecidable(policy, prepared.scenarios, console, sequential=decided, repeats=repeats)
    with ExitStack() as last, stage.staged(prepared, console, path) as running:
        made = manifest.manifest(prepared, running, path.name, rule)
        run_store = last.enter_context(closing(store.create(path, made)))  # given back once the stage is gone
        stage.keep_log(path)
        outcome.perform_and_report(prepared, running, run_store, console)
    sys.exit(outcome.conclude(path, policy, as_json=as_json, gated=settings.gate is not None))
