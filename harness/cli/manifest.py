"""Who, what, which: the manifest of a run, from its settings and its running parts."""

from __future__ import annotations

import platform
import sys
from dataclasses import asdict
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import render
from harness import store
from harness.certify.admission import admission
from harness.cli.prepare import Prepared
from harness.cli.settings import RunSettings
from harness.cli.stage import Stage
from harness.session import CONTRACT_VERSION
from harness.values import Terminal
from reports.policy import SHIPPED
from scenarios import LoadedScenario

PACKAGES = ("evalh", "torch", "transformers", "peft", "openai", "docker", "pexpect", "pydantic", "scipy")


def manifest(prepared: Prepared, stage: Stage, name: str, stop_rule: store.StopRule | None = None) -> store.RunManifest:
    """Who, what, which: the identity of this run."""
    settings, arms = prepared.settings, prepared.arms
    image = stage.engine.image_digest()
    proven = admission(prepared.certificates, image)
    return store.RunManifest(
        run=name,
        created_at=store.now(),
        argv=tuple(sys.argv),
        versions=_versions(),
        settings=_portable(settings, stage.engine.name),
        seed=settings.seed,
        repeats=settings.repeats,
        scenarios=tuple(map(_scenario, prepared.scenarios)),
        engine=stage.engine.name,
        sandbox_image=image,
        base=arms.base,
        tuned=arms.tuned,
        chat_template_sha256=arms.chat_template_sha256,
        tokenizer_sha256=arms.tokenizer_sha256,
        chat_template_kwargs=settings.chat_template_kwargs,
        endpoint=settings.endpoint or settings.serve,
        endpoint_scripted=stage.capabilities.scripted,
        endpoint_notes=stage.capabilities.unchecked,
        server=_server(stage),
        preflight=(*proven.findings, *stage.evidence.findings),
        blockers=(*proven.blockers, *stage.evidence.blockers),
        one_arm_at_a_time=stage.evidence.apart,
        sampling=store.Sampling(
            temperature=settings.temperature,
            top_p=settings.top_p,
            max_tokens=settings.max_tokens,
            deterministic=settings.deterministic,
        ),
        stop_rule=stop_rule,
        session_contract=CONTRACT_VERSION,
        render_contract=str(render.CONTRACT_VERSION),
    )


def _scenario(loaded: LoadedScenario) -> store.ScenarioRef:
    """A scenario by identity, with what a report groups pairs by."""
    scenario = loaded.scenario
    return store.ScenarioRef(
        id=scenario.id,
        digest=loaded.digest,
        archetype=scenario.archetype,
        critical=scenario.critical,
        expected_terminal=Terminal(scenario.expected_terminal),
        tags={name: str(value) for name, value in sorted(scenario.tags.model_dump(mode="json").items())},
    )


def _portable(settings: RunSettings, engine: str) -> dict[str, str | int | float | bool | None]:
    """The settings as `evalh resume` needs them: from any directory, and on the engine that was chosen."""
    values: dict[str, str | int | float | bool | None] = settings.model_dump(mode="json")
    for name in ("adapter", "base", "tokenizer", "scenarios", "gate"):
        if values[name] not in {None, *SHIPPED}:
            values[name] = str(Path(str(values[name])).expanduser().resolve())
    return {**values, "engine": engine, "out": None}


def _server(stage: Stage) -> dict[str, str | int | float | bool | None]:
    """What is known of the server beyond its address."""
    known = asdict(stage.facts) if stage.facts else {}
    return {
        name: value if isinstance(value, str | int | float | None) else " ".join(value) for name, value in known.items()
    }


def _versions() -> dict[str, str]:
    found = {"python": platform.python_version(), "kernel": platform.release()}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found
