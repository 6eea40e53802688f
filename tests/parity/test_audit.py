"""A healthy server is green at the strongest level, under every kind of template and tokenizer."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from harness.endpoint import OpenAIEndpoint
from harness.parity.audit import Audit, RawSystem, audit
from harness.parity.contract import LocalContract
from harness.parity.conversations import hard_conversations
from harness.values import ParityLevel
from tests.parity.served import Served, serving
from tests.render.kinds import ALTERNATING, CHATML, NAMED, SYSTEM_AWARE, TEMPLATES, TRIMMING, sentence_pieces, slow


def audited(served: Served, contract: LocalContract, *, raw: bool = False) -> Audit:
    with OpenAIEndpoint(served.url) as endpoint:
        return audit(endpoint, "base", contract, hard_conversations(contract.control_tokens), raw=raw)


def assert_green(made: Audit) -> None:
    assert [(row.name, row.difference) for row in made.rows if row.agrees is not True] == []
    assert {row.level for row in made.rows} == {ParityLevel.REPLY_IDS}
    assert made.stop_tokens.honoured is True
    assert made.agrees
    assert made.cause is None
    assert made.unproven == ()


@pytest.mark.parametrize("template", TEMPLATES)
def test_every_template_is_green_at_the_strongest_level(served: Served, template: str) -> None:
    with served.wearing(TEMPLATES[template]) as contract:
        made = audited(served, contract)
    assert_green(made)
    assert len(made.rows) >= 25


@pytest.mark.parametrize(
    "make",
    [slow, lambda template: sentence_pieces(template, prepend="first")],
    ids=["slow", "sentence pieces"],
)
def test_other_tokenizers_are_green_too(tmp_path: Path, make: Any) -> None:
    with serving(tmp_path / "base", make(CHATML)) as made:
        for template in (CHATML, ALTERNATING, NAMED):
            with made.wearing(template) as contract:
                assert_green(audited(made, contract))


@pytest.mark.slow
@pytest.mark.parametrize("name", ["tekken", "pieces"])
def test_the_tokenizers_that_mistral_ships_are_green_too(tmp_path: Path, name: str) -> None:
    pytest.importorskip("mistral_common")
    from tests.render import mistral

    make = mistral.converted_tekken if name == "tekken" else mistral.converted_pieces
    tokenizer = make(tmp_path)
    with serving(tmp_path / "base", tokenizer) as made:
        assert_green(audited(made, made.contract()))


def test_what_does_not_fit_the_server_is_shortened_and_says_so(served: Served) -> None:
    made = audited(served, served.contract())
    assert [row.name for row in made.rows if row.note] == ["very long"]
    assert made.rows[-1].note == "shortened to fit the server"
    assert 256 < (made.rows[-1].tokens or 0) < 1024


def test_what_a_raw_system_turn_becomes_is_told(served: Served) -> None:
    folding = CHATML.replace(
        "{% for m in messages %}",
        "{% set head = messages[0]['content'] + SEPARATOR if messages[0]['role'] == 'system' else '' %}"
        "{% for m in (messages[1:] if head else messages) %}",
    ).replace("{{ m['content'] }}", "{{ (head if loop.first else '') + m['content'] }}")
    found = {}
    for name, template in {
        "apart": CHATML,
        "refuses": ALTERNATING,
        "folds": folding.replace("SEPARATOR", "'\\n\\n'"),
        "one_newline": folding.replace("SEPARATOR", "'\\n'"),
    }.items():
        with served.wearing(template), OpenAIEndpoint(served.url) as endpoint:
            found[name] = audit(endpoint, "base", served.contract(template), []).raw_system
    shouting = CHATML.replace("{{ m['content'] }}", "{{ m['content'] | upper }}")
    with served.wearing(shouting), OpenAIEndpoint(served.url) as endpoint:
        found["other"] = audit(endpoint, "base", served.contract(CHATML), []).raw_system
    assert found == {name: RawSystem(name) for name in found}


def test_conversations_as_written_show_whether_the_server_folds(served: Served) -> None:
    for template in (SYSTEM_AWARE, TRIMMING):
        with served.wearing(template) as contract:
            made = audited(served, contract, raw=True)
        causes = {row.name: row.cause for row in made.rows if row.agrees is False}
        assert causes["leading system"] == "system_apart"
        assert causes["double user at the end"] == "turns_not_merged"
        assert "one user turn" not in causes
        assert made.cause == "system_apart" or made.cause == "turns_not_merged"
        assert made.raw_system is None


def test_what_both_sides_refuse_agrees_and_what_one_refuses_differs(served: Served) -> None:
    refusing = CHATML.replace(
        "{% for m in messages %}",
        "{% for m in messages %}{% if '🚀' in m['content'] %}{{ raise_exception('no') }}{% endif %}",
    )
    with served.wearing(refusing):
        both = audited(served, served.contract(refusing))
        server_only = audited(served, served.contract(CHATML))
    with served.wearing(CHATML):
        here_only = audited(served, served.contract(refusing))
    assert {row.name: row.note for row in both.rows}["emoji and joiners"] == "both refuse it"
    assert both.agrees
    differing = [row for row in server_only.rows if row.agrees is False]
    assert [row.name for row in differing] == ["emoji and joiners"]
    assert "the server refuses what the template here renders" in differing[0].difference
    assert "but the server read it" in {row.name: row.difference for row in here_only.rows}["emoji and joiners"]
