"""Conversations take the one shape that every template can render, or are refused with the turn named."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.errors import RenderError
from harness.values import Message, Role
from render import SEPARATOR, break_control_tokens, messages_from_json, normalize_for_template


def system(text: str) -> Message:
    return Message(role=Role.SYSTEM, content=text)


def user(text: str) -> Message:
    return Message(role=Role.USER, content=text)


def assistant(text: str) -> Message:
    return Message(role=Role.ASSISTANT, content=text)


def test_a_leading_system_turn_is_folded_into_the_first_user_turn() -> None:
    folded = normalize_for_template((system("Be brief."), user("hello\n$ "), assistant("ls")))
    assert folded == (user("Be brief.\n\nhello\n$ "), assistant("ls"))


def test_several_leading_system_turns_are_folded_together() -> None:
    assert normalize_for_template((system("a"), system("b"), user("c"))) == (user("a\n\nb\n\nc"),)


def test_neighbours_of_one_role_are_merged_and_contents_stay_exactly_as_they_are() -> None:
    merged = normalize_for_template((user(" a\n"), user("\tb "), assistant("c"), assistant("d\r\n")), separator="|")
    assert merged == (user(" a\n|\tb "), assistant("c|d\r\n"))


CONTENT = st.text(alphabet=st.characters(codec="utf-8"), min_size=1, max_size=12).filter(str.strip)
TURNS = st.lists(st.tuples(st.sampled_from([Role.USER, Role.ASSISTANT]), CONTENT), max_size=8)


@given(TURNS, CONTENT, st.lists(CONTENT, max_size=2), st.sampled_from([SEPARATOR, "\n", ""]))
def test_normalising_is_idempotent_alternates_and_loses_no_text(
    turns: list[tuple[Role, str]], first: str, orientation: list[str], separator: str
) -> None:
    messages = [Message(role=role, content=text) for role, text in ((Role.USER, first), *turns)]
    messages = [*map(system, orientation), *messages]
    once = normalize_for_template(messages, separator=separator)
    assert normalize_for_template(once, separator=separator) == once
    assert [message.role for message in once] == [Role.USER, Role.ASSISTANT] * (len(once) // 2) + [Role.USER] * (
        len(once) % 2
    )
    shape = separator.join(message.content for message in messages)
    assert separator.join(message.content for message in once) == shape


@pytest.mark.parametrize(
    ("messages", "named"),
    [
        ((), "no turns"),
        ((system("s"),), "turn 1 (system)"),
        ((assistant("a"),), "turn 1 (assistant)"),
        ((system("s"), assistant("a")), "turn 2 (assistant)"),
        ((user("u"), system("s")), "turn 2 is a system turn"),
        ((user("u"), assistant("a"), user(" \n")), "turn 3 (user) is empty"),
        ((user("u"), assistant("")), "turn 2 (assistant) is empty"),
        ((system("\t"), user("u")), "turn 1 (system) is empty"),
        ((user("u"), Message(role="tool", content="x")), "turn 2 has the unknown role 'tool'"),  # type: ignore[arg-type] # what a careless caller may do
        ((user("half \ud83d"),), "turn 1 (user) holds half"),
    ],
)
def test_what_cannot_be_represented_is_refused_with_the_turn_named(messages: tuple[Message, ...], named: str) -> None:
    with pytest.raises(RenderError) as refusal:
        normalize_for_template(messages)
    assert named in refusal.value.message
    assert refusal.value.hint


def test_the_last_turn_must_be_the_expected_ones() -> None:
    conversation = (user("u"), assistant("a"))
    assert normalize_for_template(conversation, last=Role.ASSISTANT) == conversation
    with pytest.raises(RenderError, match=r"turn 2 \(assistant\) is the last; expected the last turn to be user"):
        normalize_for_template(conversation, last=Role.USER)


def test_broken_text_with_half_a_surrogate_pair_becomes_representable() -> None:
    assert normalize_for_template((user(break_control_tokens("half \ud83d")),)) == (user("half \ufffd"),)


def test_trajectories_are_read_from_decoded_json() -> None:
    value = {"messages": [{"role": "user", "content": "u"}, {"role": "assistant", "content": "a", "name": None}]}
    assert messages_from_json(value) == (user("u"), assistant("a"))


@pytest.mark.parametrize(
    ("value", "named"),
    [
        ([], "not a trajectory"),
        ({"messages": "u"}, "not a trajectory"),
        ({"messages": ["u"]}, "turn 1 is not an object"),
        ({"messages": [{"role": "tool", "content": "u"}]}, "turn 1 has the unknown role 'tool'"),
        ({"messages": [{"role": ["user"], "content": "u"}]}, "turn 1 has the unknown role"),
        ({"messages": [{"role": "user", "content": [{"type": "text", "text": "u"}]}]}, "turn 1 (user) has a content"),
        (
            {"messages": [{"role": "assistant", "content": "", "tool_calls": []}]},
            "turn 1 (assistant) carries tool_calls",
        ),
    ],
)
def test_json_of_another_shape_is_refused_with_the_turn_named(value: object, named: str) -> None:
    with pytest.raises(RenderError) as refusal:
        messages_from_json(value)
    assert named in refusal.value.message
