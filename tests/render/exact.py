"""What it means that examples are exact: asked of any tokenizer, any template and any conversation."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from harness.values import Message, Role
from render import IGNORED, TrainingExample, conform, render_ids

Decode = Callable[[Sequence[int]], str]


def runs(examples: Sequence[TrainingExample]) -> list[tuple[list[int], list[int]]]:
    """Each run of labelled ids, with all ids before it."""
    found: list[tuple[list[int], list[int]]] = []
    for example in examples:
        assert len(example.ids) == len(example.labels)
        start = None
        for index, label in enumerate((*example.labels, IGNORED)):
            if label != IGNORED:
                assert label == example.ids[index]
                start = index if start is None else start
            elif start is not None:
                found.append((list(example.ids[:start]), list(example.ids[start:index])))
                start = None
    return found


def plainly(tokenizer: Any) -> Decode:
    """Decodes ids with control tokens shown and nothing tidied."""

    def decode(ids: Sequence[int]) -> str:
        return str(tokenizer.decode(list(ids), skip_special_tokens=False, clean_up_tokenization_spaces=False))

    return decode


def assert_exact(
    tokenizer: Any,
    messages: Sequence[Message],
    examples: Sequence[TrainingExample],
    end: int,
    *,
    decode: Decode | None = None,
    options: Mapping[str, object] | None = None,
) -> None:
    """Every assistant turn is learnt once, after the very prompt that the server is sent, its end included.

    What labelled ids say is the text that they add to the decoded prompt: a SentencePiece decoder drops the first
    blank of whatever it is given, so that they cannot be decoded alone. Where the template or the tokenizer writes a
    blank before any reply, a plain word among them, it is learnt with the reply.
    """
    decode = decode or plainly(tokenizer)
    clean = conform(tokenizer, messages)
    turns = [(clean[:index], turn) for index, turn in enumerate(clean) if turn.role == Role.ASSISTANT]
    found = runs(examples)
    assert len(found) == len(turns)
    for (before, said), (history, turn) in zip(found, turns, strict=True):
        assert before == render_ids(tokenizer, history, add_generation_prompt=True, chat_template_kwargs=options)
        assert said[-1] == end
        prompt, whole = decode(before), decode([*before, *said[:-1]])
        assert whole[: len(prompt)] == prompt
        heard = whole[len(prompt) :]
        if heard == " " + turn.content:
            spoken = [*history, Message(role=Role.ASSISTANT, content="word")]
            shown = render_ids(tokenizer, spoken, add_generation_prompt=False, chat_template_kwargs=options)
            assert decode(shown).startswith(prompt + " word")
        else:
            assert heard == turn.content
