"""What the preflight tests need once: a resident server with a base, its adapter and three other ones."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from harness.cli.fingerprint import load_arms
from harness.endpoint import OpenAIEndpoint, read_adapter, web
from harness.endpoint.resident.app import make_resident_app
from harness.endpoint.resident.options import ServeOptions
from harness.endpoint.resident.service import Service
from harness.preflight import Fingerprint, take_fingerprint
from harness.tokenizer import load_tokenizer
from tests.endpoint.rooms import working
from tests.tiny_model import make_tiny_adapter, make_tiny_llama


@dataclass(frozen=True)
class Healthy:
    """A server on which nothing is wrong, and what it serves."""

    url: str
    base: Path
    adapters: dict[str, Path]


@pytest.fixture(scope="session")
def healthy_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Healthy]:
    """Serves base, tuned, other (another adapter), dead (changes nothing) and weak (changes no word)."""
    home = tmp_path_factory.mktemp("arms")
    base = make_tiny_llama(home / "base")
    adapters = {
        "tuned": make_tiny_adapter(home / "tuned", base, seed=1),
        "other": make_tiny_adapter(home / "other", base, seed=2),
        "dead": make_tiny_adapter(home / "dead", base, scale=0.0),
        "weak": make_tiny_adapter(home / "weak", base, scale=0.006),
    }
    with working(base) as worker:
        service = Service(worker, ServeOptions(base=base))
        for name, path in adapters.items():
            service.add_adapter(name, path)
        with web.in_thread(make_resident_app(service)) as url:
            yield Healthy(url=url, base=base, adapters=adapters)


@pytest.fixture(scope="session")
def endpoint(healthy_server: Healthy) -> Iterator[OpenAIEndpoint]:
    """A client of it."""
    with OpenAIEndpoint(healthy_server.url) as client:
        yield client


@pytest.fixture(scope="session")
def fingerprint(healthy_server: Healthy) -> Fingerprint:
    """The tuned adapter's, taken where it was made: by peft alone, without a server."""
    return fingerprint_of(healthy_server.base, healthy_server.adapters["tuned"])


def fingerprint_of(base: Path, adapter: Path) -> Fingerprint:
    """Of an adapter on disk."""
    return take_fingerprint(
        load_arms(base, adapter),
        load_tokenizer(base),
        adapter_digest=read_adapter(adapter).digest,
        base_digest="sha256:0",
    )
