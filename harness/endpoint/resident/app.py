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


def make_resident_app(service: Service) -> FastAPI:
    """The app over a running service."""
    app = web.make_app()

    async def health() -> Response:
        return Response()

    async def show_version() -> JSONResponse:
        return JSONResponse({"version": version("evalh"), "server": "evalh"})

    async def models() -> JSONResponse:
        return JSONResponse({"object": "list", "data": service.catalogue.cards()})

    async def model(name: str) -> JSONResponse:
        service.catalogue.find(name)
        return JSONResponse(next(card for card in service.catalogue.cards() if card["id"] == name))

    async def chat(request: Request) -> Response:
        prepared = await service.prepare(parse(ChatRequest, await web.read_json(request)))
        if prepared.request.stream:
            return web.events(service.chunks(prepared))
        answer = await web.unless_gone(request, lambda: service.answer(prepared))
        if answer is None:
            return Response(status_code=CLIENT_GONE)
        return JSONResponse(whole(Head.make(prepared.request.model), answer))

    async def tokenize(request: Request) -> JSONResponse:
        return JSONResponse(await service.tokenize(parse(TokenizeRequest, await web.read_json(request))))

    async def detokenize(request: Request) -> JSONResponse:
        return JSONResponse(await service.detokenize(parse(DetokenizeRequest, await web.read_json(request))))

    async def load(request: Request) -> PlainTextResponse:
        return PlainTextResponse(await service.load(parse(LoadAdapterRequest, await web.read_json(request))))

    async def unload(request: Request) -> PlainTextResponse:
        return PlainTextResponse(await service.unload(parse(UnloadAdapterRequest, await web.read_json(request))))

    for path, reader in (
        ("/health", health),
        ("/version", show_version),
        ("/v1/models", models),
        ("/v1/models/{name:path}", model),
    ):
        app.add_api_route(path, reader, methods=["GET"], response_model=None)
    for path, writer in (
        ("/v1/chat/completions", chat),
        ("/tokenize", tokenize),
        ("/detokenize", detokenize),
        ("/v1/load_lora_adapter", load),
        ("/v1/unload_lora_adapter", unload),
    ):
        app.add_api_route(path, writer, methods=["POST"], response_model=None)
    return app
