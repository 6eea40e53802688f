"""Asks a server what it makes of messages, by whichever route it has for that."""

from __future__ import annotations

from collections.abc import Mapping

from harness.endpoint.capabilities import RenderRoute
from harness.endpoint.replies import read_ids
from harness.endpoint.transport import Transport

_IDS = ("token_ids", "prompt_token_ids", "tokens")


def server_render(transport: Transport, route: RenderRoute, body: Mapping[str, object]) -> tuple[int, ...] | None:
    """The ids that the server renders a chat request to, or None where the answer holds none.

    Raises:
        RefusedError: the server has no such route or refuses the conversation.
        EndpointError: it does not answer, or answers no JSON.
    """
    if route is RenderRoute.CHAT_RENDER:
        return find_ids(transport.post(f"{transport.address.base}/chat/completions/render", body))
    server = transport.address.server
    applied = transport.post(f"{server}/apply-template", body)
    prompt = applied.get("prompt") if isinstance(applied, dict) else None
    if not isinstance(prompt, str):
        return None
    # As llama.cpp tokenizes a chat's prompt: the begin token added where the model wants one, control tokens parsed.
    request = {"content": prompt, "add_special": True, "parse_special": True}
    tokens = transport.post(f"{server}/tokenize", request)
    return find_ids(tokens)


def find_ids(answer: object) -> tuple[int, ...] | None:
    """The ids of a render's answer: in one object, or in the list of prompts that earlier versions gave."""
    if isinstance(answer, Mapping):
        for key in _IDS:
            ids = read_ids(answer.get(key))
            if ids:
                return ids
        return None
    if isinstance(answer, list) and not read_ids(answer):
        for entry in answer:
            if ids := find_ids(entry):
                return ids
    return None
