"""What is trained on is, id for id, what the server is sent and what the model must answer."""

from __future__ import annotations

import pytest

from harness.errors import RenderError
from harness.values import Message, Role
from render import IGNORED, conform, end_token, loss_mask, prefix_stability, render_ids, training_examples
from tests.render.conversations import conversations
from tests.render.kinds import (
    ALTERNATING,
    CHATML,
    DROPPING,
    ENDLESS,
    INSERTING,
    TIGHT,
    byte_level,
    sentence_pieces,
)

TALK = (
    Message(role=Role.USER, content="welcome\n$ "),
    Message(role=Role.ASSISTANT, content="cat /etc/motd"),
    Message(role=Role.USER, content="hello\n$ "),
    Message(role=Role.ASSISTANT, content="exit"),
)


def test_an_additive_template_gives_one_sequence_with_all_turns() -> None:
    tokenizer = byte_level(CHATML)
    (example,) = training_examples(tokenizer, TALK)
    assert list(example.ids) == render_ids(tokenizer, TALK, add_generation_prompt=False)
    said = tokenizer.decode([label for label in example.labels if label != IGNORED])
    assert said == "cat /etc/motd<|im_end|>exit<|im_end|>"
    assert example.trained == sum(loss_mask(tokenizer, TALK)) > 0


def test_a_folded_orientation_and_a_tight_template_are_additive_too() -> None:
    orientation = Message(role=Role.SYSTEM, content="You are on node7.")
    assert len(training_examples(byte_level(TIGHT), (orientation, *TALK))) == 1
    assert len(training_examples(sentence_pieces(ALTERNATING, prepend="first"), (orientation, *TALK))) == 1


def test_an_inserted_reasoning_block_is_read_and_never_learnt() -> None:
    tokenizer = byte_level(INSERTING)
    thought = tokenizer.convert_tokens_to_ids("<think>")
    examples = training_examples(tokenizer, TALK)
    assert len(examples) == 2
    assert all(thought not in example.labels for example in examples)
    options = {"enable_thinking": False}
    examples = training_examples(tokenizer, TALK, chat_template_kwargs=options)
    assert [example.ids.count(thought) for example in examples] == [1, 1]
    assert all(thought not in example.labels for example in examples)


def test_a_mask_that_would_be_wrong_is_refused_with_the_first_turn_that_breaks() -> None:
    with pytest.raises(RenderError, match=r"not additive: turn 4 \(assistant\)"):
        loss_mask(byte_level(INSERTING), TALK)
    reasoned = (TALK[0], Message(role=Role.ASSISTANT, content="<think>hm</think>ls"), *TALK[2:])
    with pytest.raises(RenderError, match=r"not additive: turn 2 \(assistant\)"):
        loss_mask(byte_level(DROPPING), reasoned)


def test_prompts_that_do_not_begin_the_next_ones_are_told() -> None:
    assert prefix_stability(byte_level(CHATML), TALK).stable
    assert prefix_stability(byte_level(INSERTING), TALK).stable
    thinking_off = prefix_stability(byte_level(INSERTING), TALK, chat_template_kwargs={"enable_thinking": False})
    assert (thinking_off.stable, thinking_off.breaks_at) == (False, 1)


def test_a_trajectory_must_end_with_what_the_model_says() -> None:
    with pytest.raises(RenderError, match=r"turn 3 \(user\) is the last"):
        training_examples(byte_level(CHATML), TALK[:3])


def test_a_turn_that_nothing_ends_is_refused() -> None:
    tokenizer = byte_level(ENDLESS)
    tokenizer.eos_token = None
    with pytest.raises(RenderError, match=r"no token ends turn 2 \(assistant\)"):
        training_examples(tokenizer, TALK)


def test_conforming_is_idempotent() -> None:
    tokenizer = byte_level(CHATML)
    for messages in conversations(50, seed=4, thoughts=True):
        once = conform(tokenizer, messages)
        assert conform(tokenizer, once) == once


def test_the_end_token_is_the_templates_own_whatever_the_tokenizer_calls_its_end() -> None:
    tokenizer = byte_level(CHATML)
    assert end_token(tokenizer) == end_token(tokenizer, TALK[:3]) == tokenizer.convert_tokens_to_ids("<|im_end|>")
    assert end_token(byte_level(ENDLESS)) == tokenizer.eos_token_id != end_token(tokenizer)


def test_a_template_that_does_not_show_replies_is_refused() -> None:
    mute = "{% for m in messages if m['role'] == 'user' %}{{ m['content'] }}<|im_end|>{% endfor %}"
    with pytest.raises(RenderError, match=r"does not show what turn 2 \(assistant\) says"):
        training_examples(byte_level(mute), TALK)
