"""A managed vLLM is what it was asked to be, and ends with whoever asked."""

from __future__ import annotations

import os
import select
from pathlib import Path

import pytest

from harness.endpoint import OpenAIEndpoint, VllmServer, vllm_server
from harness.endpoint.vllm_routes import healthy, listed
from harness.errors import EndpointError
from harness.values import ParityLevel
from tests.vllm.conftest import SMALL, START_SECONDS, Held, Tiny

pytestmark = pytest.mark.timeout(1200)
LONG = 60.0


def test_it_says_what_it_is(roomy: VllmServer, tiny: Tiny) -> None:
    facts = roomy.facts
    assert (facts.dtype, facts.dtype_seen, facts.max_model_len) == ("float32", "float32", 1024)
    assert (facts.max_loras, facts.max_lora_rank) == (3, 16)
    assert facts.version[0].isdecimal()
    assert [(card.name, card.parent) for card in listed(roomy.url)] == [
        ("base", None),
        ("tuned", "base"),
        ("lost", "base"),
    ]
    with OpenAIEndpoint(roomy.url) as endpoint:
        for model in ("base", "tuned"):
            can = endpoint.probe(model)
            assert (can.server, can.parity_level, can.logprobs, can.seed) == ("vllm", ParityLevel.REPLY_IDS, True, True)


def test_one_that_dies_at_its_start_says_why(tiny: Tiny, tmp_path: Path) -> None:
    log = tmp_path / "server.log"
    with (
        pytest.raises(EndpointError, match=r"status 2 before it answered; its log says: .*--frobnicate; its log ends:"),
        vllm_server(tiny.base, {}, extra=("--frobnicate",), environment=SMALL, log=log, start_seconds=START_SECONDS),
    ):
        pass
    assert "usage: vllm" in log.read_text()


def descendants(pid: int) -> list[int]:
    below = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [pid, *(found for child in below for found in descendants(int(child)))]


def test_a_killed_holder_leaves_no_process_of_it(crowded: Held) -> None:
    """Last in this file: it ends the server."""
    family = descendants(crowded.holder.pid)
    assert len(family) >= 4  # the holder, its leash, the server and its engine
    handles = [os.pidfd_open(pid) for pid in family]
    assert healthy(crowded.url)
    crowded.holder.kill()
    for handle in handles:
        assert select.select([handle], [], [], LONG)[0], "a process of the server is still there"
        os.close(handle)
    assert not healthy(crowded.url)
