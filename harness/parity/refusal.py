"""Tells a server's refusal of one conversation from a server that cannot be used."""

from __future__ import annotations

from harness.endpoint.refusals import RefusedError
from harness.errors import EndpointError

_OF_THE_REQUEST = frozenset({400, 413, 415, 422, 500, 501})  # 500: what some servers make of a template that raises


def refused(error: EndpointError) -> bool:
    """Whether the server answered and refused just this request."""
    cause = error.__cause__
    return isinstance(cause, RefusedError) and cause.refusal.status in _OF_THE_REQUEST
