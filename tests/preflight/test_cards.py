"""A server's own list of models is believed where it speaks, and proves nothing where it does not."""

from __future__ import annotations

import pytest

from harness.endpoint import OpenAIEndpoint
from harness.endpoint.probe import Card
from harness.errors import ArmsError
from harness.preflight import check_cards
from harness.preflight.cards import judge_cards
from tests.endpoint.rooms import http
from tests.preflight.conftest import Healthy
from tests.preflight.servers import healthy, planted


def _card(name: str, root: str | None = None, parent: str | None = None) -> Card:
    return Card(name=name, owner="vllm", max_model_len=None, root=root, parent=parent)


def test_a_server_that_lists_the_adapter_under_its_base_proves_it(endpoint: OpenAIEndpoint) -> None:
    assert check_cards(endpoint, base="base", tuned="tuned").proven


def test_swapped_cards_stop_the_run(healthy_server: Healthy) -> None:
    cards = http(f"{healthy_server.url}/models").body["data"]
    names = {"base": "tuned", "tuned": "base"}
    swapped = [
        {**card, "id": names.get(card["id"], card["id"]), "parent": names.get(card["parent"], card["parent"])}
        for card in cards
    ]
    with (
        planted(healthy_server.url, healthy, cards=swapped) as endpoint,
        pytest.raises(ArmsError, match="the arms are swapped: the server lists base as an adapter of tuned"),
    ):
        check_cards(endpoint, base="base", tuned="tuned")


@pytest.mark.parametrize(
    "tuned",
    [_card("tuned", "/a", parent="base"), _card("tuned", "/a", parent="/b"), _card("tuned", "/a", parent="alias")],
    ids=["by name", "by place", "by another name of the same base"],
)
def test_the_parent_is_the_base(tuned: Card) -> None:
    cards = [_card("base", "/b"), _card("alias", "/b"), tuned]
    assert judge_cards(cards, base="base", tuned="tuned").proven


def test_an_adapter_of_another_base_is_contradicted() -> None:
    cards = [_card("base", "/b"), _card("elder", "/c"), _card("tuned", "/a", parent="elder")]
    found = judge_cards(cards, base="base", tuned="tuned")
    assert found.contradicts
    assert "an adapter of elder, not of base" in found.verdict


def test_a_base_that_is_an_adapter_is_contradicted() -> None:
    cards = [_card("root"), _card("base", "/b", parent="root"), _card("tuned", "/a", parent="root")]
    assert "is no base" in judge_cards(cards, base="base", tuned="tuned").verdict


@pytest.mark.parametrize(
    "cards",
    [None, [], [_card("base"), _card("tuned")], [_card("base", "/b"), _card("tuned", "/a", parent="hub/name")]],
    ids=["no list", "an empty list", "no parents", "a parent that is not listed"],
)
def test_a_list_that_does_not_say_it_proves_nothing(cards: list[Card] | None) -> None:
    found = judge_cards(cards, base="base", tuned="tuned")
    assert not found.proven
    assert not found.contradicts
