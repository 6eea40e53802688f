"""Why a server may have read another prompt than the contract's: a short code and a sentence for each."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Final


class Cause(StrEnum):
    """The likely cause of a difference between two renders of one conversation."""

    SYSTEM_APART = "system_apart"
    FOLD_ONE_NEWLINE = "fold_one_newline"
    FOLD_OTHER_SEPARATOR = "fold_other_separator"
    SYSTEM_DROPPED = "system_dropped"
    SYSTEM_LAST = "system_last"
    TURNS_NOT_MERGED = "turns_not_merged"
    BOS_MISSING = "bos_missing"
    BOS_TWICE = "bos_twice"
    BOS_ADDED = "bos_added"
    GENERATION_PROMPT_MISSING = "generation_prompt_missing"
    GENERATION_PROMPT_ADDED = "generation_prompt_added"
    GENERATION_PROMPT_TWICE = "generation_prompt_twice"
    PROMPT_END_CLOSED = "prompt_end_closed"
    PROMPT_TRIMMED = "prompt_trimmed"
    LAST_NEWLINE_DROPPED = "last_newline_dropped"
    TRAILING_BLANKS_DROPPED = "trailing_blanks_dropped"
    LEADING_BLANKS_DROPPED = "leading_blanks_dropped"
    CONTENTS_TRIMMED = "contents_trimmed"
    BLANK_LINES_COLLAPSED = "blank_lines_collapsed"
    TURNS_CUT_LEFT = "turns_cut_left"
    TURNS_CUT_MIDDLE = "turns_cut_middle"
    TURNS_CUT_RIGHT = "turns_cut_right"
    TURN_MISSING = "turn_missing"
    TURN_DUPLICATED = "turn_duplicated"
    TURNS_REORDERED = "turns_reordered"
    TOKENS_CUT_LEFT = "tokens_cut_left"
    TOKENS_CUT_MIDDLE = "tokens_cut_middle"
    TOKENS_CUT_RIGHT = "tokens_cut_right"
    CONTROL_TOKENS_IN_TEXT = "control_tokens_in_text"
    UNICODE_NORMALISED = "unicode_normalised"
    LINE_ENDS_CHANGED = "line_ends_changed"
    TABS_CHANGED = "tabs_changed"
    INVISIBLES_DROPPED = "invisibles_dropped"
    ESCAPED = "escaped"
    REASONING_DROPPED = "reasoning_dropped"
    DEFAULT_SYSTEM_MISSING = "default_system_missing"
    PREFIX_ADDED = "prefix_added"
    TEMPLATE_OPTIONS = "template_options"
    ONE_TOKEN = "one_token"  # noqa: S105 - a cause, not a secret
    SAME_TEXT = "same_text"
    OTHER = "other"


SENTENCES: Final[Mapping[Cause, str]] = MappingProxyType(
    {
        Cause.SYSTEM_APART: "the system text is not folded into the first user turn",
        Cause.FOLD_ONE_NEWLINE: "texts of one turn are joined with one newline instead of a blank line",
        Cause.FOLD_OTHER_SEPARATOR: "texts of one turn are joined with something else than a blank line",
        Cause.SYSTEM_DROPPED: "the system text is missing",
        Cause.SYSTEM_LAST: "the system text stands in the last user turn instead of the first",
        Cause.TURNS_NOT_MERGED: "neighbouring turns of one role are not merged",
        Cause.BOS_MISSING: "the token that begins a sequence (BOS) is missing",
        Cause.BOS_TWICE: "the token that begins a sequence (BOS) is there twice",
        Cause.BOS_ADDED: "a token that begins a sequence (BOS) was added, which the template does not put there",
        Cause.GENERATION_PROMPT_MISSING: "the generation prompt is missing",
        Cause.GENERATION_PROMPT_ADDED: "a generation prompt was added that was not asked for",
        Cause.GENERATION_PROMPT_TWICE: "the generation prompt is there twice",
        Cause.PROMPT_END_CLOSED: "an end token was put after the prompt",
        Cause.PROMPT_TRIMMED: "blanks around the whole prompt were dropped",
        Cause.LAST_NEWLINE_DROPPED: "a newline at the end of a content was dropped",
        Cause.TRAILING_BLANKS_DROPPED: "blanks at the end of contents were dropped",
        Cause.LEADING_BLANKS_DROPPED: "blanks at the beginning of contents were dropped",
        Cause.CONTENTS_TRIMMED: "contents were trimmed on both sides",
        Cause.BLANK_LINES_COLLAPSED: "blank lines were collapsed",
        Cause.TURNS_CUT_LEFT: "the conversation's first turns are missing",
        Cause.TURNS_CUT_MIDDLE: "turns in the middle of the conversation are missing",
        Cause.TURNS_CUT_RIGHT: "the conversation's last turns are missing",
        Cause.TURN_MISSING: "one turn is missing",
        Cause.TURN_DUPLICATED: "one turn is there twice",
        Cause.TURNS_REORDERED: "turns stand in another order",
        Cause.TOKENS_CUT_LEFT: "tokens were cut from the left",
        Cause.TOKENS_CUT_MIDDLE: "tokens were cut out of the middle",
        Cause.TOKENS_CUT_RIGHT: "tokens were cut from the right",
        Cause.CONTROL_TOKENS_IN_TEXT: "spellings of control tokens inside contents became control tokens",
        Cause.UNICODE_NORMALISED: "contents were brought into another Unicode normal form",
        Cause.LINE_ENDS_CHANGED: "line ends (CR, LF) were changed",
        Cause.TABS_CHANGED: "tabs were changed into blanks",
        Cause.INVISIBLES_DROPPED: "invisible or non-ASCII characters were dropped or replaced",
        Cause.ESCAPED: "contents were escaped",
        Cause.REASONING_DROPPED: "reasoning was cut out of earlier replies",
        Cause.DEFAULT_SYSTEM_MISSING: "the template's default system turn is missing",
        Cause.PREFIX_ADDED: "something stands before the conversation, such as a default system turn",
        Cause.TEMPLATE_OPTIONS: "the template got other variables (chat_template_kwargs)",
        Cause.ONE_TOKEN: "a single id differs: another vocabulary, or ids that are not what was read",
        Cause.SAME_TEXT: "the text is the same but it is cut into other tokens: another tokenizer",
        Cause.OTHER: "another template or another tokenizer",
    }
)
"""Cause -> what happened, without a full stop."""
