"""Servers that can do less than the resident one: a real proxy before it, with some of its answers taken away."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from anyio import to_thread
from fastapi import Request
from fastapi.responses import JSONResponse

from harness.endpoint import web
from harness.endpoint.dialect import ApiError
from tests.endpoint.rooms import http


@dataclass(frozen=True, kw_only=True)
class Manners:
    """What a server gives and takes beside plain completions; `listen` may change a request, `speak` an answer."""

    ids: bool = False
    tokenize: bool = False
    render: str = ""  # "vllm", "vllm-closed", "llamacpp" or ""
    counts: bool = True
    bias: str = "honoured"  # "refused", "ignored"
    listen: Callable[[dict[str, Any]], dict[str, Any]] = lambda body: body
    speak: Callable[[dict[str, Any]], dict[str, Any]] = lambda body: body


class _Routes:
    def __init__(self, upstream: str, manners: Manners) -> None:
        self._upstream = upstream
        self._root = upstream.removesuffix("/v1")
        self._can = manners

    async def models(self) -> JSONResponse:
        return await self._forward(f"{self._upstream}/models", None)

    async def chat(self, request: Request) -> JSONResponse:
        body = self._can.listen(dict(await web.read_json(request)))  # type: ignore[call-overload]
        if not self._can.ids:
            body.pop("return_token_ids", None)
        if "logit_bias" in body and self._can.bias != "honoured":
            if self._can.bias == "refused":
                raise ApiError(400, "unsupported field: logit_bias", param="logit_bias")
            del body["logit_bias"]
        return await self._forward(f"{self._upstream}/chat/completions", body, self._spoken)

    async def tokenize(self, request: Request) -> JSONResponse:
        body = dict(await web.read_json(request))  # type: ignore[call-overload]
        if self._can.render == "llamacpp":
            text = {"model": "base", "prompt": body.get("content", ""), "add_special_tokens": False}
            return await self._forward(f"{self._root}/tokenize", text)
        if not self._can.tokenize:
            raise ApiError(404, "no such route")
        return await self._forward(f"{self._root}/tokenize", body)

    async def render(self, request: Request) -> JSONResponse:
        if self._can.render == "vllm-closed":
            raise ApiError(403, "Scale-out endpoints are disabled.")
        if self._can.render != "vllm":
            raise ApiError(404, "no such route")
        body = dict(await web.read_json(request))  # type: ignore[call-overload]
        return await self._forward(f"{self._root}/tokenize", body, lambda answer: {"token_ids": answer["tokens"]})

    async def apply(self, request: Request) -> JSONResponse:
        if self._can.render != "llamacpp":
            raise ApiError(404, "no such route")
        rendered = await to_thread.run_sync(http, f"{self._root}/tokenize", await web.read_json(request))
        ids = {"model": "base", "tokens": rendered.body["tokens"]}
        return await self._forward(f"{self._root}/detokenize", ids)

    def _spoken(self, answer: dict[str, Any]) -> dict[str, Any]:
        if not self._can.counts:
            answer.pop("usage", None)
        return self._can.speak(answer)

    async def _forward(
        self, url: str, body: object, change: Callable[[dict[str, Any]], dict[str, Any]] = lambda answer: answer
    ) -> JSONResponse:
        heard = await to_thread.run_sync(http, url, body)
        return JSONResponse(change(heard.body) if heard.status == 200 else heard.body, heard.status)


@contextmanager
def before(upstream: str, manners: Manners) -> Iterator[str]:
    """A server with these manners before another one; its URL."""
    app, routes = web.make_app(), _Routes(upstream, manners)
    for method, path, handler in (
        ("GET", "/v1/models", routes.models),
        ("POST", "/v1/chat/completions", routes.chat),
        ("POST", "/v1/chat/completions/render", routes.render),
        ("POST", "/apply-template", routes.apply),
        ("POST", "/tokenize", routes.tokenize),
    ):
        app.add_api_route(path, handler, methods=[method], response_model=None)
    with web.in_thread(app) as url:
        yield url
