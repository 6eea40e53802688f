"""Every planted divergence is found and its cause named, and the same conversations are green without it."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from harness.endpoint import OpenAIEndpoint
from harness.parity.audit import Audit, audit
from harness.parity.conversations import hard_conversations
from render import Cause
from tests.parity.faults import PLANTED, Planted
from tests.parity.served import Served


def found(served: Served, planted: Planted, *, healthy: bool = False) -> Audit:
    contract = served.contract(planted.template, planted.options)
    with (
        served.wearing(planted.template, None if healthy else planted.fault),
        OpenAIEndpoint(served.url, chat_template_kwargs=planted.options) as endpoint,
    ):
        return audit(endpoint, "base", contract, hard_conversations(contract.control_tokens))


@pytest.fixture(scope="module")
def healthy(served: Served) -> Callable[[Planted], Audit]:
    """What the same server gives without the fault, asked once for each template and variables."""
    known: dict[tuple[str, str], Audit] = {}

    def ask(planted: Planted) -> Audit:
        key = (planted.template, repr(planted.options))
        if key not in known:
            known[key] = found(served, planted, healthy=True)
        return known[key]

    return ask


@pytest.mark.parametrize("name", PLANTED)
def test_the_divergence_is_found_and_its_cause_is_named(
    served: Served, healthy: Callable[[Planted], Audit], name: str
) -> None:
    planted = PLANTED[name]
    made = found(served, planted)
    differing = [row for row in made.rows if row.agrees is False]
    assert differing, "nothing was found"
    assert not made.agrees
    assert made.cause == planted.cause, {row.name: row.causes for row in differing}
    well = healthy(planted)
    assert well.agrees
    assert [row.name for row in well.rows] == [row.name for row in made.rows]


def test_every_cause_that_can_be_told_has_been_planted() -> None:
    planted = {case.cause for case in PLANTED.values()}
    assert {str(cause) for cause in Cause} - planted == {"generation_prompt_added"}


def test_a_difference_shows_both_texts_and_the_first_token_that_parts(served: Served) -> None:
    planted = PLANTED["folds with one newline"]
    row = {row.name: row for row in found(served, planted).rows}["leading system"]
    assert row.cause == "fold_one_newline"
    assert "shell.\\n\\nWelcome" in row.difference
    assert "shell.\\nWelcome" in row.difference
    assert "joined with one newline instead of a blank line" in row.difference
    tokenizer, contract = served.tokenizer, served.contract()
    opening = tokenizer.encode("<|im_start|>user\nYou operate a shell.\n", add_special_tokens=False)
    assert f"from token {len(opening)} on" in row.difference
    assert contract.digest is not None


def test_a_server_that_stops_at_another_token_is_found(served: Served) -> None:
    with served.wearing(PLANTED["trims contents"].template) as contract:
        other = frozenset({served.tokenizer.eos_token_id})
        assert contract.end_id not in other
        served.worker.tokens.end_ids = other
        with OpenAIEndpoint(served.url) as endpoint:
            made = audit(endpoint, "base", contract, [])
    assert made.stop_tokens.honoured is False
    assert made.stop_tokens.end_text == "<|im_end|>"
    assert "it came 4 times" in made.stop_tokens.note
    assert not made.agrees
