"""A real HTTP server of the dialect whose replies come from a script: fixtures and faults, marked as such."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import AsyncGenerator, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import anyio
from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse
from starlette.types import Receive, Scope, Send

from harness.endpoint import web
from harness.endpoint.answers import Answer, Head, Json, model_card, whole
from harness.endpoint.dialect import ApiError, ChatRequest, parse
from harness.endpoint.script import Reply, Script, load_script, parse_script

OWNER = "evalh-scripted"
_NEEDS_A_MODEL = ("return_token_ids", "logprobs", "top_logprobs", "chat_template_kwargs", "add_generation_prompt")


class _Cut(Response):
    """Begins an answer and closes the connection in the middle of it."""

    async def __call__(self, _scope: Scope, _receive: Receive, send: Send) -> None:
        headers = [(b"content-type", b"application/json"), (b"content-length", b"1000")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": b'{"id": ', "more_body": True})


class Stage:
    """A script being played: finds replies and counts how often each fault was met."""

    def __init__(self, script: Script) -> None:
        self._script = script
        self._created = int(time.time())
        self._met: Counter[int] = Counter()

    def cards(self) -> list[Json]:
        """The entries of `GET /v1/models`."""
        return [model_card(name, owner=OWNER, created=self._created, root=name) for name in self._script.models]

    def reply(self, request: ChatRequest) -> Reply:
        """What the script says to a request; faults that have been met often enough turn into their text.

        Raises:
            ApiError: an unknown model, a field that a script cannot obey, or nothing to say.
        """
        model = self._script.models.get(request.model)
        if model is None:
            served = ", ".join(self._script.models)
            message = f"The model `{request.model[:200]}` does not exist. Served here: {served}"
            raise ApiError(404, message, param="model", code="model_not_found", kind="NotFoundError")
        for name in _NEEDS_A_MODEL:
            if getattr(request, name):
                raise ApiError(400, f"unsupported field: {name}", param=name, code="unsupported_parameter")
        reply = model.reply_to(request.values())
        if reply is None:
            raise ApiError(400, f"the script of {request.model} has no rule for this conversation", param="messages")
        if reply.fails and reply.times is not None:
            conversation = hash((request.model, request.messages))
            self._met[conversation] += 1
            if self._met[conversation] > reply.times:
                return reply.model_copy(update={"status": None, "drop": False})
        return reply


def make_scripted_app(script: Script) -> FastAPI:
    """The app that plays a script."""
    app = web.make_app()
    stage = Stage(script)

    async def health() -> Response:
        return Response()

    async def models() -> JSONResponse:
        return JSONResponse({"object": "list", "data": stage.cards()})

    async def chat(request: Request) -> Response:
        asked = parse(ChatRequest, await web.read_json(request))
        reply = stage.reply(asked)
        if reply.delay:
            await anyio.sleep(reply.delay)
        if reply.drop:
            return _Cut()
        if reply.status is not None:
            headers = {} if reply.retry_after is None else {"retry-after": f"{reply.retry_after:g}"}
            body = ApiError(reply.status, reply.error, code=reply.code).body()
            return JSONResponse(body, reply.status, headers=headers)
        if asked.stream:
            return web.events(_chunks(asked, reply))
        answer = Answer(text=reply.text or "", finish_reason=reply.finish_reason)
        body = whole(Head.make(asked.model), answer)
        if reply.text is None:
            body["choices"][0]["message"]["content"] = None  # type: ignore[index] # made one line above
        return JSONResponse(body)

    app.add_api_route("/health", health, methods=["GET"], response_model=None)
    app.add_api_route("/v1/models", models, methods=["GET"], response_model=None)
    app.add_api_route("/v1/chat/completions", chat, methods=["POST"], response_model=None)
    return app


@contextmanager
def scripted_server(script: Script | Mapping[str, object] | Path) -> Iterator[str]:
    """Play a script (parsed, as JSON, or in a file) from a thread of this process; yields the URL with `/v1`."""
    if isinstance(script, Path):
        script = load_script(script)
    elif not isinstance(script, Script):
        script = parse_script(script)
    with web.in_thread(make_scripted_app(script)) as url:
        yield url


async def _chunks(asked: ChatRequest, reply: Reply) -> AsyncGenerator[Json]:
    head = Head.make(asked.model)
    yield head.chunk({"role": "assistant", "content": ""})
    for piece in (reply.text or "").splitlines(keepends=True):
        yield head.chunk({"content": piece})
    yield head.chunk({}, finish=reply.finish_reason)
