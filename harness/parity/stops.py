"""Finds out whether the token that ends a turn in training ends a reply at a server."""

from __future__ import annotations

from dataclasses import dataclass

from harness.endpoint import OpenAIEndpoint
from harness.errors import EndpointError
from harness.parity.contract import LocalContract
from harness.parity.refusal import refused
from harness.values import Completion, Message, Role

_TOKENS = 4
_BIAS = 100.0
_QUESTION = (Message(role=Role.USER, content="Name any animal."),)


@dataclass(frozen=True, slots=True, kw_only=True)
class StopTokens:
    """Training's end token at one model; `honoured` is None where it could not be seen, and `note` says why."""

    model: str
    end_id: int | None
    end_text: str
    honoured: bool | None
    note: str = ""


def probe_stop(endpoint: OpenAIEndpoint, model: str, contract: LocalContract) -> StopTokens:
    """Make the end token the only one that can come: a server that honours it ends the reply at once.

    Raises:
        EndpointError: the server cannot be reached, or fails otherwise than by refusing the request.
    """
    end = contract.end_id
    if end is None:
        return StopTokens(
            model=model, end_id=None, end_text="", honoured=None, note="no token ends a turn in this template"
        )
    honoured, note = _asked(endpoint, model, end)
    return StopTokens(model=model, end_id=end, end_text=contract.spell([end]), honoured=honoured, note=note)


def _asked(endpoint: OpenAIEndpoint, model: str, end: int) -> tuple[bool | None, str]:
    if endpoint.probe(model).scripted:
        return None, "replies come from a script"
    try:
        plain = endpoint.complete(_QUESTION, model=model, seed=0, temperature=0.0, max_tokens=_TOKENS)
        biased = endpoint.complete(
            _QUESTION, model=model, seed=0, temperature=0.0, max_tokens=_TOKENS, logit_bias={end: _BIAS}
        )
    except EndpointError as error:
        if not refused(error):
            raise
        return None, f"the server refuses logit_bias: {error.message}"
    return _judged(plain, biased, end)


def _judged(plain: Completion, biased: Completion, end: int) -> tuple[bool | None, str]:
    """What the two replies show; a server may take the field and ignore it."""
    ids = biased.completion_ids
    at_once = biased.finish_reason == "stop" and not biased.text
    if ids is not None:
        if at_once and ids in ((end,), ()):
            return True, ""
        if end in ids:
            return False, f"it came {ids.count(end)} times and the reply went on ({biased.finish_reason})"
        return None, "the server takes logit_bias and ignores it"
    if (plain.text, plain.finish_reason) == (biased.text, biased.finish_reason):
        return None, "the server takes logit_bias and ignores it, or the reply would have ended at once anyway"
    if at_once and biased.completion_tokens in (0, 1, None):
        return True, ""
    return False, f"it was the only token that could come, and the reply went on ({biased.finish_reason})"
