"""A real Mistral tokenizer under a real vLLM: what is read is what its own library encodes."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.endpoint import OpenAIEndpoint, vllm_server
from harness.parity.audit import audit
from harness.parity.contract import LocalContract
from harness.parity.conversations import hard_conversations
from harness.values import ParityLevel
from tests.vllm.conftest import SMALL, START_SECONDS
from tests.vllm.models import save_model

pytestmark = pytest.mark.timeout(1200)


def test_the_sentencepiece_tokenizer_of_v3_is_green_at_the_strongest_level(program: str, tmp_path: Path) -> None:
    pytest.importorskip("mistral_common", reason="needs the package mistral-common, of evalh[dev]")
    from tests.render.mistral import converted_pieces

    (tmp_path / "tokenizer").mkdir()
    tokenizer = converted_pieces(tmp_path / "tokenizer")
    base = save_model(tmp_path / "base", tokenizer, ends=[tokenizer.eos_token_id])
    with (
        vllm_server(base, {}, environment=SMALL, start_seconds=START_SECONDS) as server,
        OpenAIEndpoint(server.url) as endpoint,
    ):
        contract = LocalContract.load(base)
        made = audit(endpoint, "base", contract, hard_conversations(contract.control_tokens))
    assert [(row.name, row.difference) for row in made.rows if row.agrees is not True] == []
    assert {row.level for row in made.rows} == {ParityLevel.REPLY_IDS}
    assert made.stop_tokens.honoured is True
