"""The running parts of a run: an engine, a server for both arms, and what they showed before the first container."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from harness import evidence
from harness.arms import Serving, api_key, attached, served
from harness.cli.prepare import Prepared, checks
from harness.cli.settings import RunSettings
from harness.endpoint import Capabilities, OpenAIEndpoint, ServerFacts
from harness.errors import BadInputError, InfrastructureError
from harness.evidence import Evidence
from harness.sandbox import Engine, choose

SERVER_LOG = Path("logs") / "server.log"


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
        engine = stack.enter_context(opened(settings, console))
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
def opened(settings: RunSettings, console: Console) -> Iterator[Engine]:
    """The engine; where a run has failed, that it cannot be closed either is noted and hides no first cause."""
    engine = choose(settings.engine)
    try:
        yield engine
    except BaseException:
        try:
            engine.close()
        except InfrastructureError as error:
            console.print(f"note: {error}", markup=False, highlight=False, soft_wrap=True)
        raise
    engine.close()


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
