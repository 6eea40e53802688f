"""What evalh's two servers share: a FastAPI app with OpenAI-shaped errors, and how it listens, says so, and ends."""

from __future__ import annotations

import json
import socket
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterator
from contextlib import aclosing, contextmanager
from threading import Event, Thread
from typing import TypeVar

import anyio
import uvicorn
from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse, StreamingResponse
from starlette.exceptions import HTTPException

from harness.endpoint.dialect import ApiError
from harness.errors import BadInputError, EndpointError

MAX_BODY_BYTES = 32 << 20
GRACE_SECONDS = 3  # for requests in flight when the server is told to end

T = TypeVar("T")


def make_app() -> FastAPI:
    """An app without pages of its own, whose every error is in OpenAI's shape."""
    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)

    async def refuse(_request: Request, error: Exception) -> JSONResponse:
        if isinstance(error, ApiError):
            return JSONResponse(error.body(), error.status)
        if isinstance(error, HTTPException):
            known = {404: "no such route", 405: "this route does not take that method"}
            return JSONResponse(
                ApiError(error.status_code, known.get(error.status_code, str(error.detail))).body(), error.status_code
            )
        return JSONResponse(ApiError(500, f"{type(error).__name__}: {error}").body(), 500)

    for kind in (ApiError, HTTPException, Exception):
        app.add_exception_handler(kind, refuse)
    return app


async def read_json(request: Request) -> object:
    """The request's JSON body.

    Raises:
        ApiError: another content type, too large, or no JSON.
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json":
        raise ApiError(415, "the request must have the content type application/json")
    body = bytearray()
    async for part in request.stream():
        body += part
        if len(body) > MAX_BODY_BYTES:
            raise ApiError(413, f"the request is larger than {MAX_BODY_BYTES} bytes")
    try:
        value = json.loads(bytes(body))
        if b"\\ud" in body.lower():  # halves of surrogate pairs are no text: they could not be sent back
            json.dumps(value, ensure_ascii=False).encode()
    except (ValueError, RecursionError) as error:
        raise ApiError(400, "the request body is not JSON in UTF-8") from error
    return value


async def unless_gone(request: Request, work: Callable[[], Awaitable[T]]) -> T | None:
    """The result of `work`, or None once the client has gone: then `work` is cancelled."""
    result: list[T] = []
    failure: list[Exception] = []
    async with anyio.create_task_group() as group:

        async def watch() -> None:
            while (await request.receive())["type"] != "http.disconnect":
                pass
            group.cancel_scope.cancel()

        group.start_soon(watch)
        try:
            result.append(await work())
        except Exception as error:  # noqa: BLE001 - raised again below, outside the group that would wrap it
            failure.append(error)
        group.cancel_scope.cancel()
    if failure:
        raise failure[0]
    return result[0] if result else None


def events(chunks: AsyncGenerator[dict[str, object]]) -> StreamingResponse:
    """Chunks as server-sent events, closed by `[DONE]`; an error on the way is an event too."""

    async def lines() -> AsyncIterator[str]:
        try:
            async with aclosing(chunks) as closing:
                async for chunk in closing:
                    yield f"data: {json.dumps(chunk, ensure_ascii=False)}\n\n"
        except ApiError as error:
            yield f"data: {json.dumps(error.body())}\n\n"
        yield "data: [DONE]\n\n"

    return StreamingResponse(lines(), media_type="text/event-stream", headers={"cache-control": "no-cache"})


def bind(host: str, port: int) -> socket.socket:
    """A bound socket that does not listen yet: connections are refused until the server is ready.

    Raises:
        BadInputError: the address is taken or not this machine's.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        bound = socket.socket(family, kind, protocol)
    except (OSError, OverflowError) as error:
        raise BadInputError(f"{host}:{port} is no address to listen at: {error}") from error
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        bound.bind(address)
    except OSError as error:
        bound.close()
        raise BadInputError(
            f"cannot listen at {host}:{port}: {error.strerror}", hint="choose another --port"
        ) from error
    return bound


def url_of(bound: socket.socket) -> str:
    """The base URL of a bound socket, with `/v1`."""
    host, port = bound.getsockname()[:2]
    shown = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - read, not bound
    return f"http://[{shown}]:{port}/v1" if ":" in shown else f"http://{shown}:{port}/v1"


class _Server(uvicorn.Server):
    """A uvicorn server that says when it accepts requests."""

    def __init__(self, app: FastAPI, on_ready: Callable[[], None]) -> None:
        super().__init__(
            uvicorn.Config(
                app, log_level="warning", access_log=False, lifespan="off", timeout_graceful_shutdown=GRACE_SECONDS
            )
        )
        self._on_ready = on_ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start to accept, then say so."""
        await super().startup(sockets=sockets)
        if self.started:
            self._on_ready()


def make_server(app: FastAPI, on_ready: Callable[[], None]) -> uvicorn.Server:
    """A server for the app; `run(sockets=[…])` serves until `should_exit` is set or a signal comes."""
    return _Server(app, on_ready)


@contextmanager
def in_thread(app: FastAPI) -> Iterator[str]:
    """Serve an app from a thread of this process; yields its URL once it accepts requests."""
    bound = bind("127.0.0.1", 0)
    ready = Event()
    server = make_server(app, ready.set)
    thread = Thread(target=server.run, kwargs={"sockets": [bound]}, name="http", daemon=True)
    thread.start()
    try:
        if not ready.wait(timeout=30):
            raise EndpointError("the server did not start within 30 s")
        yield url_of(bound)
    finally:
        server.should_exit = True
        thread.join(timeout=GRACE_SECONDS + 7)
        bound.close()
