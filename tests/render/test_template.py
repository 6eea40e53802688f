"""Rendering takes whatever a tokenizer returns, and passes on whatever a template refuses."""

from __future__ import annotations

import json
from collections import UserDict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from harness.errors import RenderError
from harness.values import Message, Role
from render import render_ids, render_text, template_digest, template_digest_in
from tests.render.kinds import ALTERNATING, CHATML, INSERTING, byte_level, slow

HELLO = (Message(role=Role.USER, content="hello\n$ "),)


class Shaped:
    """A foreign tokenizer that gives its ids in a shape of choice."""

    def __init__(self, shape: Any) -> None:
        self.shape = shape

    def apply_chat_template(self, conversation: list[dict[str, str]], **options: Any) -> Any:
        return self.shape

    def encode(self, text: str, **options: Any) -> Any:
        return self.shape


class Encoding:
    ids = (1, 2, 3)


def tensor(value: object) -> Any:
    try:
        import torch
    except ImportError:  # rendering needs none; a tokenizer then gives arrays at most
        import numpy as np

        return np.array(value)
    return torch.tensor(value)


def shapes() -> list[Any]:
    import numpy as np
    from transformers import BatchEncoding

    flat = [1, 2, 3]
    return [
        flat,
        (1, 2, 3),
        [flat],
        [[flat]],
        tensor(flat),
        tensor([flat]),
        np.array(flat),
        np.array([flat]),
        [np.int64(1), np.int64(2), np.int64(3)],
        {"input_ids": flat, "attention_mask": [1, 1, 1]},
        {"input_ids": [flat]},
        {"input_ids": tensor([flat])},
        BatchEncoding({"input_ids": flat}),
        BatchEncoding({"input_ids": [flat]}),
        BatchEncoding({"input_ids": tensor([flat])}),
        UserDict({"input_ids": flat}),
        Encoding(),
        [Encoding()],
    ]


@pytest.mark.parametrize("index", range(18))
def test_ids_are_found_in_every_shape_that_tokenizers_return(index: int) -> None:
    found = render_ids(Shaped(shapes()[index]), HELLO, add_generation_prompt=True)
    assert found == [1, 2, 3]
    assert all(type(token) is int for token in found)


@pytest.mark.parametrize("shape", ["text", None, {"ids": 1}, [[1], [2]], [True, False], [1.5], 7, {"input_ids": "no"}])
def test_what_holds_no_ids_is_refused(shape: Any) -> None:
    with pytest.raises(RenderError, match="not one list of token ids"):
        render_ids(Shaped(shape), HELLO, add_generation_prompt=True)


@pytest.mark.parametrize("make", [byte_level, slow])
def test_a_real_tokenizer_renders_what_its_template_says(make: Any) -> None:
    tokenizer = make(CHATML)
    ids = render_ids(tokenizer, HELLO, add_generation_prompt=True)
    text = "<|im_start|>user\nhello\n$ <|im_end|>\n<|im_start|>assistant\n"
    assert render_text(tokenizer, HELLO, add_generation_prompt=True) == text
    assert ids.count(tokenizer.convert_tokens_to_ids("<|im_start|>")) == 2
    assert ids != render_ids(tokenizer, HELLO, add_generation_prompt=False)


def test_options_reach_the_template() -> None:
    tokenizer = byte_level(INSERTING)
    options = {"enable_thinking": False}
    text = render_text(tokenizer, HELLO, add_generation_prompt=True, chat_template_kwargs=options)
    assert text.endswith("assistant\n<think>\n\n</think>\n\n")


def test_options_that_are_not_the_templates_are_refused() -> None:
    with pytest.raises(RenderError, match="add_generation_prompt, tokenize"):
        render_ids(
            byte_level(CHATML),
            HELLO,
            add_generation_prompt=True,
            chat_template_kwargs={"tokenize": False, "add_generation_prompt": False},
        )


def test_a_templates_own_refusal_is_passed_on() -> None:
    with pytest.raises(RenderError, match="roles must alternate"):
        render_ids(byte_level(ALTERNATING), (*HELLO, *HELLO), add_generation_prompt=True)


def test_a_tokenizer_without_a_template_is_refused() -> None:
    tokenizer = byte_level(CHATML)
    tokenizer.chat_template = None
    with pytest.raises(RenderError, match="chat_template is not set"):
        render_ids(tokenizer, HELLO, add_generation_prompt=True)


def test_a_templates_digest_tells_templates_apart() -> None:
    first, second = byte_level(CHATML), byte_level(ALTERNATING)
    assert template_digest(first) == template_digest(byte_level(CHATML)) != template_digest(second)
    assert template_digest(object()) is None
    second.chat_template = {"default": CHATML, "tools": ALTERNATING}
    assert str(template_digest(second)).startswith("sha256:")


def _one_in_the_config(folder: Path) -> None:
    _state(folder, CHATML)


def _several_in_the_config(folder: Path) -> None:
    _state(folder, [{"name": "tool_use", "template": ALTERNATING}, {"name": "default", "template": CHATML}])


def _a_file_and_more_beside_it(folder: Path) -> None:
    _state(folder, INSERTING)
    (folder / "chat_template.jinja").write_text(CHATML)
    (folder / "additional_chat_templates").mkdir()
    (folder / "additional_chat_templates" / "tool_use.jinja").write_text(ALTERNATING)


def _none(folder: Path) -> None:
    assert not (folder / "chat_template.jinja").exists()


def _state(folder: Path, template: object) -> None:
    config = folder / "tokenizer_config.json"
    config.write_text(json.dumps({**json.loads(config.read_text()), "chat_template": template}))


@pytest.mark.parametrize("lay", [_one_in_the_config, _several_in_the_config, _a_file_and_more_beside_it, _none])
def test_a_templates_digest_is_the_same_from_its_files_wherever_they_keep_it(
    tmp_path: Path, lay: Callable[[Path], None]
) -> None:
    from transformers import AutoTokenizer

    tokenizer = byte_level(CHATML)
    tokenizer.chat_template = None
    tokenizer.save_pretrained(tmp_path)
    lay(tmp_path)
    loaded = AutoTokenizer.from_pretrained(tmp_path, local_files_only=True)
    assert template_digest_in(tmp_path) == template_digest(loaded)


class PromptsOnly:
    """A foreign tokenizer: no switch for the generation prompt, no ended conversations, an end of its own choice."""

    eos_token_id = 2

    def __init__(self, ends_with: int = 2) -> None:
        self.ends_with = ends_with

    def apply_chat_template(self, conversation: list[dict[str, str]], **options: Any) -> Any:
        if "add_generation_prompt" in options:
            raise ValueError("Kwargs ['add_generation_prompt'] are not supported")
        left_open = options.get("continue_final_message", False)
        if conversation[-1]["role"] == "assistant" and not left_open:
            raise ValueError("expected the last role to be user")
        ids = [1]
        for turn in conversation:
            ids += [ord(character) for character in turn["content"]]
            ids.append(4 if turn["role"] == "user" else self.ends_with)
        return ids[:-1] if left_open else ids

    def encode(self, text: str, **options: Any) -> Any:
        return [ord(character) for character in text]


TALK = (*HELLO, Message(role=Role.ASSISTANT, content="ls"))


def test_a_tokenizer_that_only_makes_prompts_shows_an_ended_conversation_too() -> None:
    prompt = render_ids(PromptsOnly(), HELLO, add_generation_prompt=True)
    assert prompt[-1] == 4
    assert render_ids(PromptsOnly(), TALK, add_generation_prompt=False) == [*prompt, ord("l"), ord("s"), 2]


def test_an_end_that_the_next_prompt_does_not_show_is_not_made_up() -> None:
    with pytest.raises(RenderError, match="expected the last role to be user"):
        render_ids(PromptsOnly(ends_with=3), TALK, add_generation_prompt=False)


def test_a_conversation_that_is_refused_with_the_generation_prompt_is_not_rendered_without() -> None:
    tokenizer = byte_level("{% if add_generation_prompt %}{{ raise_exception('no prompt') }}{% endif %}" + CHATML)
    with pytest.raises(RenderError, match="no prompt"):
        render_ids(tokenizer, HELLO, add_generation_prompt=True)
