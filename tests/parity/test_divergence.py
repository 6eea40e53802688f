"""The first difference between two renders, told without any server."""

from __future__ import annotations

import random

import pytest

from harness.errors import RenderError
from harness.values import Message, Role
from render import CAUSES, Cause, cause_of_count, first_difference, render_ids
from tests.render.kinds import ALTERNATING, CHATML, TEMPLATES, byte_level, sentence_pieces, slow

TURNS = (
    Message(role=Role.USER, content="You operate a shell.\n\nWelcome.\n$ "),
    Message(role=Role.ASSISTANT, content="ls"),
    Message(role=Role.USER, content="notes.txt\n$ "),
)


@pytest.mark.parametrize("template", TEMPLATES)
@pytest.mark.parametrize(
    "make",
    [byte_level, slow, lambda template: sentence_pieces(template, prepend="always")],
    ids=["bytes", "slow", "sp"],
)
def test_the_same_render_is_no_difference_and_any_other_ids_are_one(make: object, template: str) -> None:
    tokenizer = make(TEMPLATES[template])  # type: ignore[operator]
    ids = render_ids(tokenizer, TURNS, add_generation_prompt=True)
    assert first_difference(tokenizer, TURNS, ids) is None
    assert cause_of_count(tokenizer, TURNS, len(ids)) is None
    draw = random.Random(template)  # noqa: S311 - test data
    for _ in range(4):
        other = list(ids)
        at = draw.randrange(len(ids))
        other[at] = other[at] + 1
        found = first_difference(tokenizer, TURNS, other)
        assert found is not None
        assert found.position == at
        assert (found.expected_length, found.got_length) == (len(ids), len(ids))


def test_nothing_at_all_and_ids_of_another_vocabulary_are_differences_too() -> None:
    tokenizer = byte_level(CHATML)
    nothing = first_difference(tokenizer, TURNS, [])
    assert nothing is not None
    assert (nothing.position, nothing.got_length, nothing.got_text) == (0, 0, "")
    strange = first_difference(tokenizer, TURNS, [10**7, 10**9])
    assert strange is not None
    assert strange.cause is Cause.OTHER


def test_texts_are_shown_on_one_bounded_line() -> None:
    tokenizer = byte_level(CHATML)
    long = (Message(role=Role.USER, content="a\tb\n\x1b[0m" + "x" * 900),)
    found = first_difference(tokenizer, long, render_ids(tokenizer, TURNS, add_generation_prompt=True))
    assert found is not None
    for text in (found.expected_text, found.got_text, str(found)):
        assert text.isprintable()
    assert len(str(found)) < 600


def test_a_generation_prompt_that_was_not_asked_for_is_named() -> None:
    tokenizer = byte_level(CHATML)
    ids = render_ids(tokenizer, TURNS, add_generation_prompt=True)
    found = first_difference(tokenizer, TURNS, ids, add_generation_prompt=False)
    assert found is not None
    assert found.cause is Cause.GENERATION_PROMPT_ADDED


def test_a_count_names_the_faults_that_would_give_it() -> None:
    tokenizer = byte_level(CHATML)
    whole = render_ids(tokenizer, TURNS, add_generation_prompt=True)
    bare = render_ids(tokenizer, TURNS, add_generation_prompt=False)
    found = cause_of_count(tokenizer, TURNS, len(bare))
    assert found is not None
    assert (found.expected, found.got) == (len(whole), len(bare))
    assert Cause.GENERATION_PROMPT_MISSING in found.causes
    unknown = cause_of_count(tokenizer, TURNS, 10**6)
    assert unknown is not None
    assert unknown.cause is Cause.OTHER


def test_what_the_template_refuses_here_is_refused() -> None:
    tokenizer = byte_level(ALTERNATING)
    with pytest.raises(RenderError, match="roles must alternate"):
        first_difference(tokenizer, (TURNS[0], TURNS[0]), [1, 2])


def test_a_very_long_conversation_is_searched_within_bounds() -> None:
    tokenizer = byte_level(CHATML)
    turns = (Message(role=Role.USER, content="word " * 20_000), *TURNS[1:] * 20)
    found = first_difference(tokenizer, turns, [1, 2, 3])
    assert found is not None
    assert found.cause is Cause.OTHER


def test_every_cause_has_a_sentence() -> None:
    assert set(CAUSES) == set(Cause)
