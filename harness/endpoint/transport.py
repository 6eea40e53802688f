"""Carries requests to one server with the openai package: retries what may pass, within one deadline."""

from __future__ import annotations

import importlib
import json
import random
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from functools import partial
from threading import Event
from time import monotonic
from typing import TYPE_CHECKING, Any, TypeVar

from harness.endpoint.address import Address
from harness.endpoint.refusals import Refusal, RefusedError, printable, retry_after
from harness.errors import EndpointError

if TYPE_CHECKING:
    import openai

ATTEMPTS = 6
FIRST_DELAY = 0.25  # seconds, doubled for every further attempt
LONGEST_DELAY = 8.0
MAX_ANSWER_BYTES = 64 << 20
CONNECT_SECONDS = 10.0

T = TypeVar("T")


class _CutOffError(Exception):
    """A body ended before its end, or stopped coming."""


class Transport:
    """A connection pool to one server; many threads may use it at once."""

    def __init__(self, address: Address, api_key: str | None, timeout: float) -> None:
        import openai  # a second of imports that most commands never need

        self.address = address
        self._timeout = timeout
        self._closed = Event()
        self._openai = openai
        self._plain = _response_class(openai)
        self._client = openai.OpenAI(
            base_url=address.base,
            api_key=api_key or "none",  # else the package would send the environment's key to a stranger
            max_retries=0,
            http_client=openai.DefaultHttpxClient(trust_env=not address.loopback),
        )
        self._client.organization = self._client.project = None

    def close(self) -> None:
        """Close all connections; requests that wait for another attempt end."""
        self._closed.set()
        self._client.close()

    def chat(self, model: str, messages: Sequence[Mapping[str, str]], fields: Mapping[str, object]) -> object:
        """`POST /chat/completions`; the answer's JSON."""
        return self.post(f"{self.address.base}/chat/completions", {"messages": messages, "model": model, **fields})

    def get(self, route: str) -> object:
        """A GET below the base URL; the answer's JSON."""
        return self._json(f"{self.address.base}{route}", self._client.get)

    def post(self, url: str, body: Mapping[str, object]) -> object:
        """A POST to a whole URL of the same server; the answer's JSON."""
        return self._json(url, partial(self._client.post, body=dict(body)))

    def _json(self, url: str, ask: Callable[..., Any]) -> object:
        def once(seconds: float) -> object:
            ends, limits = monotonic() + seconds, self._limits(seconds)
            try:
                with closing(ask(url, cast_to=self._plain, options={"timeout": limits}, stream=True)) as answer:
                    body = _read(answer.iter_bytes(), url=url, ends=ends)
            except (self._openai.OpenAIError, EndpointError, ValueError, TypeError):
                raise
            except Exception as error:  # of the HTTP library underneath, whose name depends on openai's version
                raise _CutOffError from error
            return _parse(body, url=url)

        return self._persist(url, once)

    def _limits(self, seconds: float) -> openai.Timeout:
        return self._openai.Timeout(seconds, connect=min(CONNECT_SECONDS, seconds))

    def _persist(self, url: str, once: Callable[[float], T]) -> T:
        """Try until it works, cannot work, or the time is up."""
        ends = monotonic() + self._timeout
        for attempt in range(1, ATTEMPTS + 1):
            delay = min(FIRST_DELAY * 2 ** (attempt - 1), LONGEST_DELAY) * random.uniform(0.75, 1.0)  # noqa: S311
            failure: EndpointError | RefusedError
            cause: Exception
            try:
                return once(max(ends - monotonic(), 0.001))
            except self._openai.APIStatusError as error:
                refusal = _refusal(url, error)
                failure, cause = RefusedError(refusal), error
                if not refusal.retried:
                    raise failure from error
                delay = max(delay, refusal.retry_after or 0.0)
            except (self._openai.APIConnectionError, _CutOffError) as error:
                failure, cause = self._unreachable(url, error), error
            except (self._openai.OpenAIError, ValueError, TypeError) as error:
                raise EndpointError(f"{url}: {printable(str(error), 300)}") from error
            if attempt == ATTEMPTS or monotonic() + delay >= ends or self._closed.wait(delay):
                raise failure from cause
        raise AssertionError("unreachable: the last attempt returns or raises")

    def _unreachable(self, url: str, error: Exception) -> EndpointError:
        if isinstance(error, self._openai.APITimeoutError):
            return EndpointError(f"{url} did not answer within {self._timeout:g} s", hint="is the server overloaded?")
        reason = printable(str(error.__cause__ or error), 200)
        if isinstance(error, _CutOffError):
            return EndpointError(f"{url} broke its answer off: {reason}", hint="see the server's log")
        return EndpointError(f"{url} cannot be reached: {reason}", hint="is the server running, and the URL right?")


def _refusal(url: str, error: openai.APIStatusError) -> Refusal:
    try:
        body = error.response.text
    except (RuntimeError, UnicodeError):  # the body of a streamed answer was not read
        body = json.dumps({"error": error.body}) if error.body else ""
    return Refusal(url=url, status=error.status_code, body=body, retry_after=retry_after(error.response.headers))


def _response_class(package: Any) -> Any:
    """A response as it came, of the HTTP library that this version of the package openai is built on.

    The package trusts content types, and some servers state wrong ones.
    """
    library = package.DefaultHttpxClient.__base__.__module__.partition(".")[0]
    return importlib.import_module(library).Response


def _read(parts: Any, *, url: str, ends: float) -> bytes:
    """A body, within its time and size."""
    body = bytearray()
    for part in parts:
        body += part
        if len(body) > MAX_ANSWER_BYTES:
            raise EndpointError(f"{url} answered with more than {MAX_ANSWER_BYTES} bytes")
        if monotonic() > ends:
            raise EndpointError(f"{url} did not finish its answer in time", hint="is the server overloaded?")
    return bytes(body)


def _parse(body: bytes, *, url: str) -> object:
    try:
        return json.loads(body)
    except (ValueError, RecursionError) as error:
        start = printable(body[:200].decode("utf-8", "replace").strip(), 80)
        raise EndpointError(
            f"{url} answered with no JSON: {start!r}", hint="is this a chat-completions server?"
        ) from error
