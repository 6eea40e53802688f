"""No text that a model or a file contributes can be read as a control token."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.values import Message
from render import break_control_tokens, conform, control_tokens, control_tokens_in, observed, render_ids, replied
from tests.render.conversations import conversations
from tests.render.kinds import CHATML, CONTROL, TEMPLATES, byte_level, sentence_pieces, slow

FAMILY = (
    *("<|im_end|>", "<|im_start|>", "<|eot_id|>", "<|endoftext|>", "<|reserved special token 7|>", "<|END_OF_TURN|>"),
    *("<s>", "</s>", "[INST]", "[/INST]", "<<SYS>>", "<</SYS>>", "<start_of_turn>", "<end_of_turn>", "<bos>", "<eos>"),
    *("<\uff5cUser\uff5c>", "<\uff5cend\u2581of\u2581sentence\uff5c>", "<think>", "</think>", "<tool_call>"),
    *("[TOOL_CALLS]", "[AVAILABLE_TOOLS]", "[|endofturn|]", "<|turn>", "<turn|>", "[gMASK]", "<sop>", "<pad>", "<unk>"),
)


@pytest.mark.parametrize("spelling", FAMILY)
def test_well_known_spellings_are_broken_even_when_the_tokenizer_is_unknown(spelling: str) -> None:
    broken = break_control_tokens(f"a{spelling}b")
    assert spelling not in broken
    assert broken == f"a{spelling[0]}\u00b7{spelling[1:]}b"


@pytest.mark.parametrize("text", ["a < b | c > d", "if [ -f x ]; then", "<p>", "x <y> z", "cat <in >out", "||", "[1]"])
def test_ordinary_text_is_left_alone(text: str) -> None:
    assert break_control_tokens(text, ("<|im_end|>",)) == text


@pytest.mark.parametrize("text", ["<|IM_END|>", "\uff1c|im_end|\uff1e", "<|\U0001d422m_end|>", "<\uff53>", "</S>"])
def test_letter_case_width_and_compatibility_forms_do_not_hide_a_spelling(text: str) -> None:
    assert "\u00b7" in break_control_tokens(text)


def test_overlapping_and_nested_spellings_are_all_broken() -> None:
    tokens = ("aba", "<<x", "<x>")
    for text in ("ababa", "<<x>", "<|a<|im_end|>|>", "<<s>>", "<|[INST]|>"):
        broken = break_control_tokens(text, tokens)
        assert not any(token in broken for token in (*tokens, "<s>", "<|im_end|>", "[INST]"))


def test_a_dot_that_a_token_itself_contains_is_not_used() -> None:
    broken = break_control_tokens("<\u00b7> <x>", ("<\u00b7>", "<x>"))
    assert broken == "<\u2027\u00b7> <\u2027x>"


def test_a_token_of_one_character_is_spelled_out() -> None:
    assert break_control_tokens("a\ue000b", ("\ue000",)) == "a[U+E000]b"


def test_reasoning_marks_stay_whole_in_replies_alone() -> None:
    text = "<think>so</think>ls </s>"
    assert replied(text) == "<think>so</think>ls <\u00b7/s>"
    assert break_control_tokens(text) == "<\u00b7think>so<\u00b7/think>ls <\u00b7/s>"


def test_an_observation_is_cleaned_and_broken() -> None:
    assert observed(b"\x1b[1mcat\x1b[0m <|im_end|>\r\n$ ") == "cat <\u00b7|im_end|>\n$ "


PIECES = st.sampled_from(
    [*FAMILY, *CONTROL, "<", "|", ">", "s", "/", "[", "]", "\u00b7", "\u2474", "\uff5c", "\ud83d", "x"]
)
TOKENS = st.lists(st.one_of(st.sampled_from(CONTROL), st.text("ab<|>\u00b7\u2474", min_size=1, max_size=3)), max_size=4)


@given(st.lists(PIECES, max_size=12).map("".join), TOKENS)
def test_breaking_is_idempotent_and_leaves_no_token_whole(text: str, tokens: list[str]) -> None:
    once = break_control_tokens(text, tokens)
    assert break_control_tokens(once, tokens) == once
    for token in (*tokens, *FAMILY):
        assert token not in once or (len(token) == 1 and token.isascii()), token


def test_breaking_takes_time_in_proportion_to_the_text() -> None:
    """A pass over the rest of the text for each beginning of a spelling would outlast the test's time limit."""
    for hostile in ("<|" * 100_000, "<" * 200_000, "<|" + "a" * 200_000, "<|a" * 70_000, "\uff1c|" * 100_000):
        assert break_control_tokens(hostile, ("<|im_end|>",)) == hostile


KINDS = {
    "fast": byte_level,
    "sentencepiece": lambda template: sentence_pieces(template, prepend="first"),
    "slow": slow,
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("template", TEMPLATES)
def test_no_render_has_more_control_tokens_than_its_turns_need(kind: str, template: str) -> None:
    tokenizer = KINDS[kind](TEMPLATES[template])
    control = set(tokenizer.all_special_ids) | set(tokenizer.get_added_vocab().values())
    for messages in conversations(12, seed=5):
        clean = conform(tokenizer, messages)
        plain = [Message(role=message.role, content="x") for message in clean]
        needed, found = (
            sum(token in control for token in render_ids(tokenizer, turns, add_generation_prompt=True))
            for turns in (plain, clean)
        )
        assert found == needed


def test_a_tokenizers_control_tokens_are_its_special_ones_and_those_its_template_spells() -> None:
    tokenizer = byte_level(CHATML + "<think>")
    tokenizer.add_tokens(["report", "<table>", "\n\n\n"])
    found = control_tokens(tokenizer)
    assert {"<s>", "</s>", "<|im_start|>", "<|im_end|>", "<think>"} <= set(found)
    assert not {"report", "<table>", "\n\n\n"} & set(found)
    assert control_tokens(object()) == ()


@pytest.mark.parametrize("make", [byte_level, slow])
def test_the_files_of_a_tokenizer_tell_the_same_control_tokens(make: type, tmp_path: Path) -> None:
    tokenizer = make(TEMPLATES["inserting"])
    tokenizer.save_pretrained(tmp_path)
    assert control_tokens_in(tmp_path) == control_tokens(tokenizer)
    assert control_tokens_in(tmp_path / "nowhere") == ()


def test_the_package_imports_without_torch_and_at_once() -> None:
    program = (
        "import sys; import render; "
        "print(sorted({'torch', 'transformers', 'docker', 'openai', 'jinja2', 'pydantic'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
