"""Runs what is unfinished of a prepared run's grid, with live progress."""

from __future__ import annotations

import threading

from rich.console import Console

from harness import store
from harness.arms import Sampled, ServedModel
from harness.campaign import Campaign, run_campaign
from harness.cli.prepare import Prepared
from harness.cli.progress import live
from harness.cli.settings import RunSettings
from harness.cli.stage import Stage
from harness.parity.view import ServerView
from harness.parity.watch import watched
from harness.session import Model, SessionLimits
from harness.values import Arm


def campaign(prepared: Prepared, *, apart: bool = False, stop_rule: store.StopRule | None = None) -> Campaign:
    """The grid that these settings ask for."""
    settings = prepared.settings
    return Campaign(
        scenarios=prepared.scenarios,
        models=prepared.arms.names,
        repeats=settings.repeats,
        seed=settings.seed,
        concurrency=settings.concurrency,
        attempts=settings.attempts,
        limits=SessionLimits(
            turns=settings.max_turns,
            seconds=settings.session_seconds,
            turn_seconds=settings.turn_seconds,
            tokens=settings.max_tokens,
        ),
        control_tokens=prepared.arms.control_tokens,
        apart=apart,
        stop_rule=stop_rule,
    )


def perform(prepared: Prepared, stage: Stage, run: store.RunStore, console: Console) -> None:
    """Run what is unfinished of the grid, with live progress.

    Raises:
        KeyboardInterrupt: the user stopped it; every finished trial is on disk, nothing else is left.
        InfrastructureError: the store, or trial after trial, failed.
    """
    plan = campaign(prepared, apart=stage.evidence.apart, stop_rule=run.manifest.stop_rule)
    finished = store.read_trials(run.path)
    sampled = Sampled(temperature=prepared.settings.temperature, top_p=prepared.settings.top_p)
    models = {arm: _model(stage, name, sampled, prepared.settings) for arm, name in plan.models.items()}
    stop = threading.Event()
    sizes = {arm: plan.size // len(Arm) for arm in Arm}
    run.audit("run_started", finished=len(finished), engine=stage.engine.name)
    try:
        with live(console, sizes, finished) as heard:
            run_campaign(plan, stage.engine, models, run, finished=finished, on_record=heard, stop=stop)
    except KeyboardInterrupt:
        run.audit("run_interrupted")
        raise
    run.audit("run_finished")


def _model(stage: Stage, name: str, sampled: Sampled, settings: RunSettings) -> Model:
    """One arm, every prompt of which is compared with the render contract."""
    model = ServedModel(stage.endpoint, name, sampled)
    if stage.evidence.scripted:
        return model
    return watched(model, stage.evidence.contract, ServerView(stage.endpoint, name), mode=settings.parity)
