"""What a conversation takes from outside: the terminal's bytes and the model's replies, made safe to render."""

from __future__ import annotations

from collections.abc import Sequence

from render.control import REASONING, break_control_tokens
from render.observation import observation


def observed(raw: bytes, *, cap_bytes: int = 8192, omitted_bytes: int = 0, control_tokens: Sequence[str] = ()) -> str:
    """The user turn that terminal bytes become: the observation, with the spellings of control tokens broken.

    `cap_bytes` bounds the observation before dots are put into spellings; `omitted_bytes` counts what was
    kept out of the middle of `raw` already. Sessions and trajectory builders both call this: train time = serve time.
    """
    return break_control_tokens(observation(raw, cap_bytes=cap_bytes, omitted_bytes=omitted_bytes), control_tokens)


def replied(text: str, control_tokens: Sequence[str] = ()) -> str:
    """The assistant turn that a reply becomes in the history: spellings of control tokens broken, as in observations.

    The marks of the model's own reasoning stay whole: templates look for them to drop it from the history, and they
    neither open nor close a turn.
    """
    return break_control_tokens(text, control_tokens, keep=REASONING)
