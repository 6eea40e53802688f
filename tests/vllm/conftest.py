"""Real vLLM servers around tiny models, one for each configuration; without a vllm program every test here skips."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from harness.endpoint import VllmServer, vllm_server
from harness.endpoint.vllm_options import PROGRAM_VARIABLE, find_program
from harness.errors import BadInputError
from tests.render.kinds import CHATML, ENDS, byte_level
from tests.tiny_model import make_tiny_adapter
from tests.vllm.models import make_lost_adapter, save_model

START_SECONDS = 600.0
SMALL = {"VLLM_CPU_KVCACHE_SPACE": "1"}  # GiB


@dataclass(frozen=True)
class Tiny:
    """A base and its adapters on disk."""

    base: Path
    tuned: Path
    lost: Path  # changes nothing, because no module has its names
    tokenizer: Any


@dataclass(frozen=True)
class Held:
    """A server that another process holds."""

    url: str
    holder: subprocess.Popen[str]


@pytest.fixture(scope="session", autouse=True)
def program() -> str:
    """The path of the real vLLM."""
    try:
        return find_program()
    except BadInputError as error:
        if os.environ.get(PROGRAM_VARIABLE):
            raise
        pytest.skip(f"{error.message}: `make test-vllm` installs one under build/ and runs these tests")


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Tiny:
    home = tmp_path_factory.mktemp("vllm")
    tokenizer = byte_level(CHATML)
    ends = sorted({tokenizer.convert_tokens_to_ids(end) for end in ENDS.values()})
    base = save_model(home / "base", tokenizer, ends=ends)
    return Tiny(
        base=base,
        tuned=make_tiny_adapter(home / "tuned", base, seed=1, rank=9),
        lost=make_lost_adapter(home / "lost", base),
        tokenizer=tokenizer,
    )


@pytest.fixture(scope="session")
def roomy(program: str, tiny: Tiny, tmp_path_factory: pytest.TempPathFactory) -> Iterator[VllmServer]:
    """As evalh starts one, with one more slot than there are adapters; it also takes templates with requests."""
    with vllm_server(
        tiny.base,
        {"tuned": tiny.tuned, "lost": tiny.lost},
        max_model_len=1024,
        extra=("--trust-request-chat-template", "--enable-scale-out"),
        environment=SMALL,
        log=tmp_path_factory.mktemp("logs") / "roomy.log",
        start_seconds=START_SECONDS,
    ) as server:
        yield server


HOLDER = """
import json, sys
from pathlib import Path
from harness.endpoint import vllm_server
base, tuned, environment, seconds = json.loads(sys.argv[1])
with vllm_server(
    Path(base), {"tuned": Path(tuned)}, max_loras=1, environment=environment, start_seconds=seconds
) as server:
    print(server.url, flush=True)
    sys.stdin.read()
"""


@pytest.fixture(scope="session")
def crowded(program: str, tiny: Tiny) -> Iterator[Held]:
    """With exactly as many slots as adapters, held by another process."""
    wanted = json.dumps([str(tiny.base), str(tiny.tuned), SMALL, START_SECONDS])
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLDER, wanted], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    with holder:
        assert holder.stdout is not None
        url = holder.stdout.readline().strip()
        assert url, "the server did not start; its reason is above"
        yield Held(url=url, holder=holder)
