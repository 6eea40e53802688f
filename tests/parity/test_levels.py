"""Each server is compared at the strongest level that it offers, and what that leaves unproven is said."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from harness.endpoint import OpenAIEndpoint
from harness.endpoint.capabilities import RenderRoute
from harness.endpoint.renders import find_ids
from harness.endpoint.scripted import scripted_server
from harness.parity.audit import Audit, audit
from harness.parity.conversations import Conversation, hard_conversations
from harness.values import ParityLevel
from tests.parity.faults import PLANTED
from tests.parity.proxies import Manners, before
from tests.parity.served import Fault, Served
from tests.render.kinds import CHATML

PLAIN = Manners()
LEVELS = {
    "ids": (Manners(ids=True), ParityLevel.REPLY_IDS, None),
    "vllm": (Manners(render="vllm", tokenize=True), ParityLevel.RENDER, RenderRoute.CHAT_RENDER),
    "llamacpp": (Manners(render="llamacpp"), ParityLevel.RENDER, RenderRoute.APPLY_TEMPLATE),
    "tokenize": (Manners(render="vllm-closed", tokenize=True), ParityLevel.TOKENIZE, None),
    "count": (PLAIN, ParityLevel.COUNT, None),
    "nothing": (Manners(counts=False), ParityLevel.NONE, None),
}
CHOSEN = ("leading system", "unicode", "one trailing newline", "code fences")


def audited(served: Served, manners: Manners, *, fault: Fault | None = None) -> Audit:
    with served.wearing(CHATML, fault) as contract, before(served.url, manners) as url, OpenAIEndpoint(url) as endpoint:
        return audit(endpoint, "base", contract, chosen(contract.control_tokens))


def chosen(control_tokens: tuple[str, ...]) -> list[Conversation]:
    return [one for one in hard_conversations(control_tokens) if one.name in CHOSEN]


@pytest.mark.parametrize("name", LEVELS)
def test_the_strongest_level_is_used_and_what_it_leaves_unproven_is_said(served: Served, name: str) -> None:
    manners, level, route = LEVELS[name]
    made = audited(served, manners)
    assert made.level is level
    assert {row.level for row in made.rows} == {level}
    assert {row.agrees for row in made.rows} == {None if level is ParityLevel.NONE else True}
    assert made.agrees
    words = {
        ParityLevel.RENDER: "render route shows, not with what the model read",
        ParityLevel.TOKENIZE: "/tokenize shows, not with what the model read",
        ParityLevel.COUNT: "only the number of prompt tokens is compared",
        ParityLevel.NONE: "what the model read was not compared",
    }
    if level is ParityLevel.REPLY_IDS:
        assert made.unproven == ()
    else:
        assert any(words[level] in sentence for sentence in made.unproven), made.unproven
    with before(served.url, manners) as url, OpenAIEndpoint(url) as endpoint:
        can = endpoint.probe("base")
    assert can.render_route is route
    assert can.unchecked[:1] == made.unproven[:1]


@pytest.mark.parametrize("name", ["ids", "vllm", "llamacpp", "tokenize", "count"])
def test_a_divergence_is_found_at_every_level_that_can_show_it(served: Served, name: str) -> None:
    manners, level, _ = LEVELS[name]
    made = audited(served, manners, fault=PLANTED["drops trailing blanks"].fault)
    row = {row.name: row for row in made.rows}["leading system"]
    assert row.level is level
    assert row.agrees is False
    assert "trailing_blanks_dropped" in row.causes
    assert level is ParityLevel.COUNT or made.cause == "trailing_blanks_dropped"


def test_a_change_that_keeps_the_number_of_tokens_passes_a_count_alone(served: Served) -> None:
    fault = PLANTED["has one other id"].fault
    assert audited(served, PLAIN, fault=fault).agrees
    assert not audited(served, Manners(tokenize=True), fault=fault).agrees


def test_ids_that_the_servers_own_count_contradicts_are_not_believed(served: Served) -> None:
    def more(answer: dict[str, Any]) -> dict[str, Any]:
        answer["usage"]["prompt_tokens"] += 3
        return answer

    made = audited(served, Manners(ids=True, speak=more))
    assert {row.agrees for row in made.rows} == {False}
    assert "it may have read another prompt" in made.rows[0].difference


def test_ids_that_lie_about_one_token_are_found(served: Served) -> None:
    def lie(answer: dict[str, Any]) -> dict[str, Any]:
        if "prompt_token_ids" in answer:
            answer["prompt_token_ids"][4] += 1
        return answer

    assert {row.cause for row in audited(served, Manners(ids=True, speak=lie)).rows} == {"one_token"}


def test_a_tokenize_route_that_is_right_does_not_hide_a_chat_route_that_is_wrong(served: Served) -> None:
    def shorter(body: dict[str, Any]) -> dict[str, Any]:
        return {**body, "messages": [{**turn, "content": turn["content"].strip()} for turn in body["messages"]]}

    made = audited(served, Manners(tokenize=True, listen=shorter))
    assert {row.agrees for row in made.rows} == {False}
    assert made.cause in {"trailing_blanks_dropped", "contents_trimmed"}


@pytest.mark.parametrize(
    ("bias", "words"), [("refused", "refuses logit_bias"), ("ignored", "takes logit_bias and ignores it")]
)
def test_stop_tokens_that_cannot_be_probed_are_unproven(served: Served, bias: str, words: str) -> None:
    for manners in (Manners(ids=True, bias=bias), replace(PLAIN, bias=bias)):
        made = audited(served, manners)
        assert made.stop_tokens.honoured is None
        assert made.agrees
        assert any(words in sentence for sentence in made.unproven)


def test_stop_tokens_are_proven_without_ids_too(served: Served) -> None:
    assert audited(served, PLAIN).stop_tokens.honoured is True
    with served.wearing(CHATML) as contract, before(served.url, PLAIN) as url, OpenAIEndpoint(url) as endpoint:
        served.worker.tokens.end_ids = frozenset({served.tokenizer.eos_token_id})
        assert audit(endpoint, "base", contract, []).stop_tokens.honoured is False


def test_a_script_proves_nothing_and_says_so(served: Served) -> None:
    with scripted_server({"models": {"tuned": {"replies": ["exit"]}}}) as url, OpenAIEndpoint(url) as endpoint:
        made = audit(endpoint, "tuned", served.contract(), chosen(()))
    assert made.level is ParityLevel.NONE
    assert made.unproven[0] == "replies come from a script: no model reads anything"


@pytest.mark.parametrize(
    ("answer", "ids"),
    [
        ({"token_ids": [1, 2], "model": "m"}, (1, 2)),
        ([{"messages": []}, [{"prompt_token_ids": [3, 4]}]], (3, 4)),
        ({"tokens": [5]}, (5,)),
        ([1, 2, 3], None),
        ({"token_ids": []}, None),
        ({"token_ids": ["a"]}, None),
        ("text", None),
    ],
)
def test_the_ids_of_a_render_are_found_in_the_shapes_that_servers_have_had(answer: object, ids: object) -> None:
    assert find_ids(answer) == ids
