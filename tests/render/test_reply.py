"""A reply is learnt by ids that read as the reply after the server's prompt, or it is refused."""

from __future__ import annotations

from typing import Any

import pytest

from harness.errors import RenderError
from harness.values import Message, Role
from render import end_token, render_ids, training_examples
from tests.render.exact import assert_exact, runs
from tests.render.kinds import CHATML, SWALLOWING, TIGHT, byte_level, sentence_pieces

SCHEMES = ("legacy", "always", "first", "never")


def talk(reply: str) -> tuple[Message, ...]:
    return (
        Message(role=Role.USER, content="welcome\n$ "),
        Message(role=Role.ASSISTANT, content=reply),
        Message(role=Role.USER, content="hello\n$ "),
        Message(role=Role.ASSISTANT, content="exit"),
    )


@pytest.mark.parametrize("prepend", SCHEMES)
@pytest.mark.parametrize("template", [SWALLOWING, CHATML, TIGHT])
def test_blanks_that_open_a_reply_are_learnt_where_control_tokens_swallow_blanks(template: str, prepend: str) -> None:
    tokenizer = sentence_pieces(template, prepend=prepend, takes_blanks=True)
    learnt = set()
    replies = ("cat", " ls", "  ls", "\nls", "\n\n ls", "\tls", "ls ", "ls\n", " \u00e9 ", "\u3000ls")
    for reply in replies:
        examples = training_examples(tokenizer, talk(reply))
        assert_exact(tokenizer, talk(reply), examples, end_token(tokenizer))
        learnt.add(tuple(runs(examples)[0][1]))
    assert len(learnt) == len(replies)


@pytest.mark.parametrize("prepend", SCHEMES)
@pytest.mark.parametrize("reply", ["<think>hm</think>\n\nls", "<think>uname</think>ls", " <think> a </think> ls"])
def test_text_after_a_reasoning_mark_is_learnt_without_a_blank_that_nobody_said(reply: str, prepend: str) -> None:
    tokenizer = sentence_pieces(CHATML, prepend=prepend)
    assert_exact(tokenizer, talk(reply), training_examples(tokenizer, talk(reply)), end_token(tokenizer))


def test_what_the_template_makes_of_a_swallowed_blank_is_what_the_next_prompt_holds() -> None:
    tokenizer = sentence_pieces(SWALLOWING, prepend="first", takes_blanks=True)
    examples = training_examples(tokenizer, talk("\n ls"))
    (_, _), (before, _) = runs(examples)
    plain, spaced = (render_ids(tokenizer, talk(reply)[:3], add_generation_prompt=True) for reply in ("ls", "\n ls"))
    assert before == spaced == plain


def lowering() -> Any:
    from tokenizers import normalizers

    tokenizer = byte_level(CHATML)
    tokenizer.backend_tokenizer.normalizer = normalizers.Lowercase()
    return tokenizer


def test_a_reply_that_the_tokenizer_cannot_spell_is_refused_with_what_it_makes_of_it() -> None:
    assert training_examples(lowering(), talk("cat readme"))
    with pytest.raises(
        RenderError, match=r"cannot spell turn 2 \(assistant\): 'cat README' reads back as 'cat readme'"
    ):
        training_examples(lowering(), talk("cat README"))


@pytest.mark.parametrize("prepend", SCHEMES)
def test_the_first_character_that_is_lost_is_the_one_that_is_told(prepend: str) -> None:
    """The sign that SentencePiece writes for a blank reads back as one; so would any text with it in a reply."""
    tokenizer = sentence_pieces(TIGHT, prepend=prepend)
    with pytest.raises(RenderError, match=r"'[^']* plain words \u2581x' reads back as '[^']* plain words  x'"):
        training_examples(tokenizer, talk("echo and then some plain words \u2581x"))


class Undecoded:
    """A foreign tokenizer that renders and encodes and says nothing of what ids mean."""

    eos_token_id = 2

    def apply_chat_template(self, conversation: list[dict[str, str]], **options: Any) -> Any:
        text = "".join(f"<{turn['content']}>" for turn in conversation)
        return self.encode(text) if options["tokenize"] else text

    def encode(self, text: str, **options: Any) -> Any:
        return [ord(character) for character in text.lower()]


def test_a_tokenizer_that_decodes_nothing_is_believed() -> None:
    (first, _) = training_examples(Undecoded(), talk("LS"))
    assert runs([first])[0][1] == [ord("l"), ord("s"), 2]
