"""Under every template and tokenizer, decoding what is learnt gives exactly what was said, after what was sent."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from harness.values import Message, Role
from render import IGNORED, TrainingExample, end_token, training_examples
from tests.render.conversations import conversations
from tests.render.exact import assert_exact
from tests.render.kinds import CHATML, DEMANDING, ENDS, OPTIONS, TEMPLATES, byte_level, sentence_pieces, slow

EVERY = {**TEMPLATES, **DEMANDING}
MAKERS: dict[str, Callable[[str], Any]] = {
    "byte_level": byte_level,
    "pieces_first": lambda template: sentence_pieces(template, prepend="first"),
    "pieces_always": lambda template: sentence_pieces(template, prepend="always"),
    "pieces_never": lambda template: sentence_pieces(template, prepend="never"),
    "slow": slow,
}


@pytest.mark.parametrize(
    "maker", ["byte_level", *(pytest.param(name, marks=pytest.mark.slow) for name in MAKERS if name != "byte_level")]
)
@pytest.mark.parametrize("template", EVERY)
def test_random_conversations_are_learnt_exactly(template: str, maker: str) -> None:
    tokenizer = MAKERS[maker](EVERY[template])
    options = OPTIONS.get(template)
    end = tokenizer.convert_tokens_to_ids(ENDS[template])
    assert end_token(tokenizer, chat_template_kwargs=options) == end
    for messages in conversations(200 if maker == "byte_level" else 100, seed=1):
        examples = training_examples(tokenizer, messages, chat_template_kwargs=options)
        assert_exact(tokenizer, messages, examples, end, options=options)


@pytest.mark.parametrize("template", ["inserting", "dropping", "thinking", "chatml"])
def test_replies_with_reasoning_in_them_are_learnt_exactly(template: str) -> None:
    tokenizer = byte_level(TEMPLATES[template])
    end = tokenizer.convert_tokens_to_ids(ENDS[template])
    for messages in conversations(60, seed=3, thoughts=True):
        assert_exact(tokenizer, messages, training_examples(tokenizer, messages), end)


def spoilt(example: TrainingExample) -> dict[str, TrainingExample]:
    """One example spoilt in each way that a wrong mask spoils one."""
    ids, labels = example.ids, example.labels
    first = next(index for index, label in enumerate(labels) if label != IGNORED)
    last = max(index for index, label in enumerate(labels) if label != IGNORED)

    def relabelled(index: int, label: int) -> TrainingExample:
        return replace(example, labels=(*labels[:index], label, *labels[index + 1 :]))

    return {
        "the end is not learnt": relabelled(last, IGNORED),
        "the first token is not learnt": relabelled(first, IGNORED),
        "the prompt's last token is learnt": relabelled(first - 1, ids[first - 1]),
        "a token is read as another": replace(example, ids=(ids[1], *ids[1:])),
        "a token is lost": replace(
            example, ids=ids[:first] + ids[first + 1 :], labels=labels[:first] + labels[first + 1 :]
        ),
        "nothing is learnt": replace(example, labels=(IGNORED,) * len(ids)),
    }


@pytest.mark.parametrize("maker", ["byte_level", "pieces_first"])
def test_the_check_sees_every_kind_of_wrong_example(maker: str) -> None:
    tokenizer = MAKERS[maker](CHATML)
    talk = (Message(role=Role.USER, content="welcome\n$ "), Message(role=Role.ASSISTANT, content="cat /etc/motd"))
    (example,) = training_examples(tokenizer, talk)
    end = end_token(tokenizer)
    assert_exact(tokenizer, talk, [example], end)
    for wrong in spoilt(example).values():
        with pytest.raises(AssertionError):
            assert_exact(tokenizer, talk, [wrong], end)
