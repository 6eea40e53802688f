"""On a real vLLM every template is green at the strongest level, and what is not ours is found."""

from __future__ import annotations

import copy

import pytest

from harness.endpoint import OpenAIEndpoint, VllmServer
from harness.parity.audit import Audit, audit
from harness.parity.contract import LocalContract
from harness.parity.conversations import hard_conversations
from harness.values import ParityLevel
from tests.render.kinds import CHATML, TEMPLATES
from tests.vllm.conftest import Tiny

pytestmark = pytest.mark.timeout(1200)


def audited(server: VllmServer, tiny: Tiny, template: str, *, served: str | None = None, model: str = "base") -> Audit:
    """The audit of one template; `served` is the one that the server uses instead, if it is another."""
    mine = copy.deepcopy(tiny.tokenizer)
    mine.chat_template = template
    contract = LocalContract(mine, name="tiny")
    with OpenAIEndpoint(server.url, chat_template_kwargs={"chat_template": served or template}) as endpoint:
        return audit(endpoint, model, contract, hard_conversations(contract.control_tokens))


@pytest.mark.parametrize("template", TEMPLATES)
def test_every_template_is_green_at_the_strongest_level(roomy: VllmServer, tiny: Tiny, template: str) -> None:
    made = audited(roomy, tiny, TEMPLATES[template])
    assert [(row.name, row.difference) for row in made.rows if row.agrees is not True] == []
    assert {row.level for row in made.rows} == {ParityLevel.REPLY_IDS}
    assert made.stop_tokens.honoured is True
    assert made.unproven == ()


def test_the_tuned_arm_reads_the_same(roomy: VllmServer, tiny: Tiny) -> None:
    made = audited(roomy, tiny, CHATML, model="tuned")
    assert made.agrees
    assert made.level is ParityLevel.REPLY_IDS


def test_another_template_at_the_server_is_found(roomy: VllmServer, tiny: Tiny) -> None:
    trims = CHATML.replace("m['content']", "m['content'] | trim")
    made = audited(roomy, tiny, CHATML, served=trims)
    assert not made.agrees
    assert made.cause == "contents_trimmed"


def test_its_render_route_and_its_tokenize_show_what_the_model_reads(roomy: VllmServer, tiny: Tiny) -> None:
    contract = LocalContract(copy.deepcopy(tiny.tokenizer), name="tiny")
    messages = contract.conform(hard_conversations(contract.control_tokens)[3].messages)
    with OpenAIEndpoint(roomy.url) as endpoint:
        read = endpoint.complete(messages, model="tuned", seed=0, temperature=0.0, max_tokens=1).prompt_ids
        assert read == tuple(contract.ids(messages))
        assert endpoint.render(messages, model="tuned") == read
        assert endpoint.tokenize(messages, model="tuned") == read
