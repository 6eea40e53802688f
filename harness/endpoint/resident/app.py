"""The resident server's routes."""

from __future__ import annotations

from importlib.metadata import version

from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse, PlainTextResponse

from harness.endpoint import web
from harness.endpoint.answers import Head, whole
from harness.endpoint.dialect import (
    ChatRequest,
    DetokenizeRequest,
    LoadAdapterRequest,
    TokenizeRequest,
    UnloadAdapterRequest,
    parse,
)
from harness.endpoint.resident.service import Service

CLIENT_GONE = 499  # nobody reads it; it only shows in logs


class _Routes:
    """The handlers, over one service."""

    def __init__(self, service: Service) -> None:
        self._service = service

    async def health(self) -> Response:
        return Response()

    async def version(self) -> JSONResponse:
        return JSONResponse({"version": version("evalh"), "server": "evalh"})

    async def models(self) -> JSONResponse:
        return JSONResponse({"object": "list", "data": self._service.catalogue.cards()})

    async def model(self, name: str) -> JSONResponse:
        self._service.catalogue.find(name)
        return JSONResponse(next(card for card in self._service.catalogue.cards() if card["id"] == name))

    async def chat(self, request: Request) -> Response:
        service = self._service
        prepared = await service.prepare(parse(ChatRequest, await web.read_json(request)))
        if prepared.request.stream:
            return web.events(service.chunks(prepared))
        answer = await web.unless_gone(request, lambda: service.answer(prepared))
        if answer is None:
            return Response(status_code=CLIENT_GONE)
        return JSONResponse(whole(Head.make(prepared.request.model), answer))

    async def tokenize(self, request: Request) -> JSONResponse:
        return JSONResponse(await self._service.tokenize(parse(TokenizeRequest, await web.read_json(request))))

    async def detokenize(self, request: Request) -> JSONResponse:
        return JSONResponse(await self._service.detokenize(parse(DetokenizeRequest, await web.read_json(request))))

    async def load(self, request: Request) -> PlainTextResponse:
        return PlainTextResponse(await self._service.load(parse(LoadAdapterRequest, await web.read_json(request))))

    async def unload(self, request: Request) -> PlainTextResponse:
        return PlainTextResponse(await self._service.unload(parse(UnloadAdapterRequest, await web.read_json(request))))


def make_resident_app(service: Service) -> FastAPI:
    """The app over a running service."""
    app, routes = web.make_app(), _Routes(service)
    for method, path, handler in (
        ("GET", "/health", routes.health),
        ("GET", "/version", routes.version),
        ("GET", "/v1/models", routes.models),
        ("GET", "/v1/models/{name:path}", routes.model),
        ("POST", "/v1/chat/completions", routes.chat),
        ("POST", "/tokenize", routes.tokenize),
        ("POST", "/detokenize", routes.detokenize),
        ("POST", "/v1/load_lora_adapter", routes.load),
        ("POST", "/v1/unload_lora_adapter", routes.unload),
    ):
        app.add_api_route(path, handler, methods=[method], response_model=None)
    return app
