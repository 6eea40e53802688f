"""What several endpoint tests need once: a resident server with a base and an adapter, in this process."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.endpoint import web
from harness.endpoint.resident.app import make_resident_app
from harness.endpoint.resident.options import ServeOptions
from harness.endpoint.resident.service import Service
from tests.endpoint.rooms import Running, working
from tests.tiny_model import make_tiny_adapter, make_tiny_llama


@pytest.fixture(scope="session")
def tiny_base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_tiny_llama(tmp_path_factory.mktemp("tiny") / "base")


@pytest.fixture(scope="session")
def tiny_adapter(tiny_base: Path) -> Path:
    return make_tiny_adapter(tiny_base.parent / "adapter", tiny_base)


@pytest.fixture(scope="module")
def resident(tiny_base: Path, tiny_adapter: Path) -> Iterator[Running]:
    with working(tiny_base) as worker:
        service = Service(worker, ServeOptions(base=tiny_base))
        service.add_adapter("tuned", tiny_adapter)
        with web.in_thread(make_resident_app(service)) as url:
            yield Running(url=url, worker=worker, service=service)
