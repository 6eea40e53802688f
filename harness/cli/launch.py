"""From settings to a finished run: everything is checked before anything is made, then trials run."""

from __future__ import annotations

import platform
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from rich.console import Console

import render
import scenarios
from harness import evidence, store
from harness.arms import Arms, Sampled, ServedModel, Serving, api_key, attached, local_arms, remote_arms, served
from harness.campaign import Campaign, run_campaign
from harness.cli.progress import live
from harness.cli.settings import RunSettings
from harness.endpoint import Capabilities, OpenAIEndpoint, ServerFacts
from harness.errors import BadInputError
from harness.evidence import Checks, Evidence, Paperwork
from harness.parity.view import ServerView
from harness.parity.watch import watched
from harness.sandbox import Engine, choose
from harness.session import CONTRACT_VERSION, Model, SessionLimits
from harness.values import Arm, TrialRecord
from scenarios import LoadedScenario

SERVER_LOG = Path("logs") / "server.log"
PACKAGES = ("evalh", "torch", "transformers", "peft", "openai", "docker", "pexpect", "pydantic", "scipy")


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """What a run stands on, all of it known to be there."""

    settings: RunSettings
    scenarios: tuple[LoadedScenario, ...]
    arms: Arms
    papers: Paperwork


def prepare(settings: RunSettings) -> Prepared:
    """Check scenarios and models; nothing is started and nothing is written.

    Raises:
        BadInputError: one of them is missing, damaged, or does not fit the other.
    """
    chosen = choose_scenarios(settings)
    base, adapter, tokenizer = (
        _directory(getattr(settings, name), f"--{name}") for name in ("base", "adapter", "tokenizer")
    )
    if settings.endpoint:
        names = str(settings.base_model), str(settings.tuned_model)
        arms = remote_arms(*names, base=base, adapter=adapter, tokenizer=tokenizer)
    elif adapter is None:
        raise BadInputError("no adapter", hint="give --adapter DIR")
    else:
        arms = local_arms(adapter, base, tokenizer)
    papers = evidence.paperwork(arms, checks(settings), variables=settings.template_variables)
    return Prepared(settings=settings, scenarios=chosen, arms=arms, papers=papers)


def checks(settings: RunSettings) -> Checks:
    """How strict these settings are about what could make the numbers worthless."""
    return Checks(parity=settings.parity, liveness=settings.liveness, contract=settings.contract)


def _directory(text: str | None, flag: str) -> Path | None:
    if text is None:
        return None
    path = Path(text).expanduser()
    if not path.is_dir():
        raise BadInputError(f"{flag} {text}: no such directory", hint="give an existing directory")
    return path


def choose_scenarios(settings: RunSettings) -> tuple[LoadedScenario, ...]:
    """The scenarios of a run, in their fixed order."""
    split = scenarios.Split(settings.split)
    if settings.scenarios is None:
        loaded = scenarios.load_dir(scenarios.shipped(split), split=split)
    else:
        loaded = scenarios.load_dir(Path(settings.scenarios).expanduser())
    wanted = None if settings.n == "all" else settings.n
    return scenarios.pick(loaded, wanted, settings.seed or None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """The running parts of a run: an engine that makes containers, an endpoint that answers."""

    engine: Engine
    endpoint: OpenAIEndpoint
    url: str
    facts: ServerFacts | None  # of a server that evalh started and asked
    capabilities: Capabilities
    evidence: Evidence


@contextmanager
def staged(prepared: Prepared, console: Console, run: Path) -> Iterator[Stage]:
    """Start the engine and, where it is ours, the server; everything is gone when this ends.

    The server's log is kept in the directory of the run, if it comes to one.

    Raises:
        ArmsError, ParityError: the server's arms or what it reads are not what they should be.
    """
    settings, arms = prepared.settings, prepared.arms
    with ExitStack() as stack:
        engine = stack.enter_context(closing(choose(settings.engine)))
        facts = None
        with console.status("loading the models") as status:
            if settings.endpoint:
                url = settings.endpoint
            else:
                log = stack.enter_context(server_log(run))
                started = stack.enter_context(served(arms, serving(settings, log)))
                url, facts = started.url, started.facts
            key = api_key(settings.api_key_env) if settings.endpoint else None
            endpoint = OpenAIEndpoint(url, api_key=key, chat_template_kwargs=settings.template_variables)
            stack.callback(endpoint.close)
            if settings.endpoint:
                stack.enter_context(attached(endpoint, arms, key))
            found = evidence.gather(endpoint, arms, prepared.papers, checks(settings), say=status.update)
        capabilities = endpoint.probe(arms.base.name)
        endpoint.probe(arms.tuned.name)
        yield Stage(engine=engine, endpoint=endpoint, url=url, facts=facts, capabilities=capabilities, evidence=found)


@contextmanager
def server_log(run: Path) -> Iterator[Path]:
    """A file for the log of a run's server: beside the run's directory until that is made, then in it."""
    kept = run / SERVER_LOG
    log = kept if kept.parent.is_dir() else run.parent / f".{run.name}.{SERVER_LOG.name}"
    made = None if log.parent.is_dir() else log.parent
    try:
        log.parent.mkdir(parents=True, exist_ok=True)
        log.touch()
    except OSError as error:
        raise BadInputError(f"cannot write {log}: {error.strerror}", hint="choose another --out") from error
    try:
        yield log
    finally:
        if log != kept:
            log.unlink(missing_ok=True)
        if made is not None:
            with suppress(OSError):  # something else lies in it by now
                made.rmdir()


def keep_log(run: Path) -> None:
    """Move the server's log into the run's directory; the server goes on writing to it."""
    log = run.parent / f".{run.name}.{SERVER_LOG.name}"
    if log.exists():
        log.replace(run / SERVER_LOG)


def serving(settings: RunSettings, log: Path | None = None) -> Serving:
    """Which server is to run under these settings, and how."""
    return Serving(
        engine=settings.serve,
        log=log,
        dtype=settings.dtype,
        load_4bit=settings.load_4bit,
        deterministic=settings.deterministic,
        max_batch=1 if settings.deterministic else 16,
    )


def campaign(prepared: Prepared, *, apart: bool = False) -> Campaign:
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
    )


def manifest(prepared: Prepared, stage: Stage, name: str) -> store.RunManifest:
    """Who, what, which: the identity of this run."""
    settings, arms = prepared.settings, prepared.arms
    return store.RunManifest(
        run=name,
        created_at=store.now(),
        argv=tuple(sys.argv),
        versions=_versions(),
        settings=_portable(settings, stage.engine.name),
        seed=settings.seed,
        repeats=settings.repeats,
        scenarios=tuple(store.ScenarioRef(id=s.scenario.id, digest=s.digest) for s in prepared.scenarios),
        engine=stage.engine.name,
        sandbox_image=stage.engine.image_digest(),
        base=arms.base,
        tuned=arms.tuned,
        chat_template_sha256=arms.chat_template_sha256,
        tokenizer_sha256=arms.tokenizer_sha256,
        chat_template_kwargs=settings.chat_template_kwargs,
        endpoint=settings.endpoint or settings.serve,
        endpoint_scripted=stage.capabilities.scripted,
        endpoint_notes=stage.capabilities.unchecked,
        server=_server(stage),
        preflight=stage.evidence.findings,
        blockers=stage.evidence.blockers,
        one_arm_at_a_time=stage.evidence.apart,
        sampling=store.Sampling(
            temperature=settings.temperature,
            top_p=settings.top_p,
            max_tokens=settings.max_tokens,
            deterministic=settings.deterministic,
        ),
        session_contract=CONTRACT_VERSION,
        render_contract=str(render.CONTRACT_VERSION),
    )


def _portable(settings: RunSettings, engine: str) -> dict[str, str | int | float | bool | None]:
    """The settings as `evalh resume` needs them: from any directory, and on the engine that was chosen."""
    values: dict[str, str | int | float | bool | None] = settings.model_dump(mode="json")
    for name in ("adapter", "base", "tokenizer", "scenarios"):
        if values[name] is not None:
            values[name] = str(Path(str(values[name])).expanduser().resolve())
    return {**values, "engine": engine, "out": None}


def _versions() -> dict[str, str]:
    found = {"python": platform.python_version(), "kernel": platform.release()}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def run_directory(settings: RunSettings) -> Path:
    """Where the run goes: --out, or runs/<time>-<name>."""
    if settings.out:
        return Path(settings.out).expanduser()
    name = Path(settings.adapter).name if settings.adapter else str(settings.tuned_model).replace("/", "_")
    stem = f"{datetime.now(UTC):%Y%m%d-%H%M%S}-{name or 'run'}"
    path, count = Path("runs") / stem, 1
    while path.exists():
        count += 1
        path = Path("runs") / f"{stem}-{count}"
    return path


def perform(prepared: Prepared, stage: Stage, run: store.RunStore, console: Console) -> None:
    """Run what is unfinished of the grid, with live progress.

    Raises:
        KeyboardInterrupt: the user stopped it; every finished trial is on disk, nothing else is left.
        InfrastructureError: the store, or trial after trial, failed.
    """
    plan = campaign(prepared, apart=stage.evidence.apart)
    finished = store.read_trials(run.path)
    sampled = Sampled(temperature=prepared.settings.temperature, top_p=prepared.settings.top_p)
    models = {arm: _model(stage, name, sampled, prepared.settings) for arm, name in plan.models.items()}
    stop = threading.Event()
    sizes = {arm: plan.size // len(Arm) for arm in Arm}
    run.audit("run_started", finished=len(finished), engine=stage.engine.name)
    try:
        with live(console, sizes, _latest(finished)) as heard:
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


def _server(stage: Stage) -> dict[str, str | int | float | bool | None]:
    """What is known of the server beyond its address."""
    known = asdict(stage.facts) if stage.facts else {}
    return {
        name: value if isinstance(value, str | int | float | None) else " ".join(value) for name, value in known.items()
    }


def _latest(records: tuple[TrialRecord, ...]) -> tuple[TrialRecord, ...]:
    return tuple({record.key: record for record in records}.values())
