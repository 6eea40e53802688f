"""What the parity tests share: one resident server with a byte-level tokenizer."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.parity.served import Served, serving
from tests.render.kinds import CHATML, byte_level


@pytest.fixture(scope="session")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with serving(tmp_path_factory.mktemp("parity") / "base", byte_level(CHATML)) as made:
        yield made
