"""What is trained on is, id for id, what the server is sent and what the model must answer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from harness.errors import RenderError
from harness.values import Message, Role
from render import IGNORED, TrainingExample, conform, loss_mask, prefix_stability, render_ids, training_examples
from tests.render.conversations import conversations
from tests.render.kinds import (
    ALTERNATING,
    CHATML,
    DROPPING,
    ENDLESS,
    INSERTING,
    TEMPLATES,
    TIGHT,
    byte_level,
    sentence_pieces,
    slow,
)

ENDS = {
    **dict.fromkeys(("chatml", "system_aware", "inserting", "dropping", "promptless"), "<|im_end|>"),
    **dict.fromkeys(("alternating", "tight", "plain", "endless"), "</s>"),
    **dict.fromkeys(("trimming", "tools"), "<|stop|>"),
    "named": "<end_of_turn>",
}
TALK = (
    Message(role=Role.USER, content="welcome\n$ "),
    Message(role=Role.ASSISTANT, content="cat /etc/motd"),
    Message(role=Role.USER, content="hello\n$ "),
    Message(role=Role.ASSISTANT, content="exit"),
)


def learnt(examples: list[TrainingExample]) -> list[tuple[list[int], list[int]]]:
    """Each run of labelled ids, with all ids before it."""
    runs: list[tuple[list[int], list[int]]] = []
    for example in examples:
        assert len(example.ids) == len(example.labels)
        start = None
        for index, label in enumerate((*example.labels, IGNORED)):
            if label != IGNORED:
                assert label == example.ids[index]
                start = index if start is None else start
            elif start is not None:
                runs.append((list(example.ids[:start]), list(example.ids[start:index])))
                start = None
    return runs


def assert_exact(tokenizer: Any, messages: tuple[Message, ...], end: int, *, lossless: bool = True) -> None:
    """Every assistant turn is learnt once, after the very prompt that the server is sent, its end included."""
    clean = conform(tokenizer, messages)
    runs = learnt(training_examples(tokenizer, messages))
    turns = [(clean[:index], turn.content) for index, turn in enumerate(clean) if turn.role is Role.ASSISTANT]
    assert len(runs) == len(turns)
    for (before, said), (history, text) in zip(runs, turns, strict=True):
        assert before == render_ids(tokenizer, history, add_generation_prompt=True)
        assert said[-1] == end
        decoded = tokenizer.decode(said[:-1], skip_special_tokens=False)
        assert decoded == (text if lossless else decoded)
        if not lossless:  # SentencePiece's decoder drops a first blank
            assert decoded.lstrip(" ") == text.lstrip(" ")


@pytest.mark.parametrize("make", [byte_level, slow])
@pytest.mark.parametrize("template", TEMPLATES)
def test_200_random_conversations_are_learnt_exactly_under_every_template(
    template: str, make: Callable[[str], Any]
) -> None:
    tokenizer = make(TEMPLATES[template])
    end = tokenizer.convert_tokens_to_ids(ENDS[template])
    for messages in conversations(200 if make is byte_level else 20, seed=1):
        assert_exact(tokenizer, messages, end)


@pytest.mark.parametrize("prepend", ["first", "always", "never"])
@pytest.mark.parametrize("template", TEMPLATES)
def test_sentencepiece_tokenizers_are_learnt_exactly(template: str, prepend: str) -> None:
    tokenizer = sentence_pieces(TEMPLATES[template], prepend=prepend)
    end = tokenizer.convert_tokens_to_ids(ENDS[template])
    for messages in conversations(20, seed=2):
        assert_exact(tokenizer, messages, end, lossless=False)


@pytest.mark.parametrize("template", ["inserting", "dropping", "chatml"])
def test_replies_with_reasoning_in_them_are_learnt_exactly(template: str) -> None:
    tokenizer = byte_level(TEMPLATES[template])
    end = tokenizer.convert_tokens_to_ids(ENDS[template])
    for messages in conversations(60, seed=3, thoughts=True):
        assert_exact(tokenizer, messages, end)


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
