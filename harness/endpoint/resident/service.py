"""Answers requests with the worker: from the dialect's fields to a job, and from its pieces to an answer."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TypeVar

from anyio import to_thread

from harness.endpoint.adapter import check_adapter_fits
from harness.endpoint.answers import Answer, Head, Json, TokenReport, Usage
from harness.endpoint.dialect import (
    ApiError,
    ChatRequest,
    DetokenizeRequest,
    LoadAdapterRequest,
    TokenizeRequest,
    UnloadAdapterRequest,
)
from harness.endpoint.resident.adapters import BASE
from harness.endpoint.resident.catalogue import Catalogue, Served
from harness.endpoint.resident.jobs import Ask, Broken, Piece, Told
from harness.endpoint.resident.options import ServeOptions
from harness.endpoint.resident.sampling import Chosen, Sampling
from harness.endpoint.resident.worker import Worker
from harness.errors import BadInputError, RenderError

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """A request that was understood and fits."""

    request: ChatRequest
    ask: Ask

    @property
    def prompt_ids(self) -> tuple[int, ...] | None:
        """The prompt's ids, if they are wanted back."""
        return self.ask.prompt if self.request.return_token_ids else None


class Service:
    """The resident server without its HTTP: one worker, and the catalogue of what it serves."""

    def __init__(self, worker: Worker, options: ServeOptions) -> None:
        self._worker = worker
        self._base_dir = options.base
        base = Served(name=options.base_name, key=BASE, path=options.base)
        self.catalogue = Catalogue(base=base, max_model_len=worker.base.max_model_len)
        self._changing = asyncio.Lock()

    def describe(self) -> str:
        """What runs, for a person."""
        base = self._worker.base
        threads = "1 thread" if base.threads == 1 else f"{base.threads} threads"
        return f"{base.dtype}, {base.device.type}" + (f", {threads}" if base.device.type == "cpu" else "")

    def add_adapter(self, name: str, path: Path) -> None:
        """Load an adapter; waits until it is there. BadInputError if it cannot be."""
        self.catalogue.check_name(name)
        check_adapter_fits(path, self._base_dir)
        key = self._worker.load_adapter(path).result()
        self.catalogue = self.catalogue.plus(name, key, path)

    async def load(self, request: LoadAdapterRequest) -> str:
        """Load an adapter on request; the words of success."""
        async with self._changing:
            try:
                await to_thread.run_sync(self.add_adapter, request.lora_name, Path(request.lora_path))
            except BadInputError as error:
                raise ApiError(400, str(error), param="lora_path", kind="InvalidUserInput") from error
        return f"Success: LoRA adapter '{request.lora_name}' added successfully."

    async def unload(self, request: UnloadAdapterRequest) -> str:
        """Unload an adapter on request; the words of success."""
        async with self._changing:
            served = self.catalogue.find(request.lora_name)
            if served is self.catalogue.base:
                raise ApiError(400, "the base cannot be unloaded", param="lora_name", kind="InvalidUserInput")
            self.catalogue = self.catalogue.minus(request.lora_name)
            await asyncio.wrap_future(self._worker.unload_adapter(served.key))
        return f"Success: LoRA adapter '{request.lora_name}' removed successfully."

    async def tokenize(self, request: TokenizeRequest) -> Json:
        """The ids of a prompt or of messages, as generation would read them."""
        if request.model is not None:
            self.catalogue.find(request.model)
        if (request.prompt is None) == (request.messages is None):
            raise ApiError(400, "give either prompt or messages", param="prompt", code="invalid_value")
        ids = await self._off_loop(partial(self._tokenize, request))
        strings = [self._worker.tokens.spell(i) for i in ids] if request.return_token_strs else None
        return {
            "count": len(ids),
            "max_model_len": self.catalogue.max_model_len,
            "tokens": ids,
            "token_strs": strings,
        }

    async def detokenize(self, request: DetokenizeRequest) -> Json:
        """The text of ids, special tokens included."""
        if request.model is not None:
            self.catalogue.find(request.model)
        if any(token >= self._worker.tokens.vocabulary for token in request.tokens):
            raise ApiError(400, "tokens: an id is outside the vocabulary", param="tokens", code="invalid_value")
        return {"prompt": self._worker.tokens.raw_text(request.tokens)}

    async def prepare(self, request: ChatRequest) -> Prepared:
        """Render the conversation and check that it fits.

        Raises:
            ApiError: no such model, a template that refuses, or too long.
        """
        served = self.catalogue.find(request.model)
        if any(token >= self._worker.tokens.vocabulary for token, _ in request.biases):
            raise ApiError(400, "logit_bias: an id is outside the vocabulary", param="logit_bias", code="invalid_value")
        wants_prompt = request.add_generation_prompt is not False
        prompt = await self._off_loop(
            partial(
                self._worker.tokens.render,
                request.values(),
                add_generation_prompt=wants_prompt,
                chat_template_kwargs=request.chat_template_kwargs,
            )
        )
        if not prompt:
            raise ApiError(400, "the chat template renders these messages to nothing", param="messages")
        end_ids = frozenset() if request.ignore_eos else self._worker.tokens.end_ids
        ask = Ask(
            adapter=served.key,
            prompt=tuple(prompt),
            max_tokens=self._room(len(prompt), request.limit),
            sampling=_sampling(request),
            stops=request.stops,
            stop_ids=end_ids | frozenset(request.stop_token_ids or ()),
        )
        return Prepared(request=request, ask=ask)

    async def answer(self, prepared: Prepared) -> Answer:
        """The whole reply."""
        pieces = [piece async for piece in self.pieces(prepared)]
        last, request = pieces[-1], prepared.request
        return Answer(
            text="".join(piece.text for piece in pieces),
            finish_reason=last.reason or "stop",
            stop_reason=last.stopped_by,
            usage=_usage(prepared, pieces),
            prompt_ids=prepared.prompt_ids,
            ids=[piece.chosen.token for piece in pieces] if request.return_token_ids else None,
            tokens=[self._report(piece.chosen) for piece in pieces] if request.logprobs else None,
        )

    async def chunks(self, prepared: Prepared) -> AsyncGenerator[Json]:
        """The reply as chunks: the role, the text as it comes, the reason, the usage if wanted."""
        request, head = prepared.request, Head.make(prepared.request.model)
        first = head.chunk({"role": "assistant", "content": ""})
        yield first if prepared.prompt_ids is None else {**first, "prompt_token_ids": list(prepared.prompt_ids)}
        pieces: list[Piece] = []
        async with aclosing(self.pieces(prepared)) as told:
            async for piece in told:
                pieces.append(piece)
                extra = self._beside(request, piece)
                if piece.text or extra:
                    yield head.chunk({"content": piece.text}, finish=piece.reason, **extra)
        if request.stream_options is not None and request.stream_options.include_usage:
            usage = _usage(prepared, pieces).json()
            yield {**head.json("chat.completion.chunk"), "choices": [], "usage": usage}

    async def pieces(self, prepared: Prepared) -> AsyncGenerator[Piece]:
        """What the worker tells, until it is done; leaving early frees the request's row."""
        loop = asyncio.get_running_loop()
        told: asyncio.Queue[Told] = asyncio.Queue()
        job = self._worker.submit(prepared.ask, lambda item: _hand_over(loop, told, item))
        try:
            while True:
                item = await told.get()
                if isinstance(item, Broken):
                    raise ApiError(500, item.message)
                yield item
                if item.reason is not None:
                    return
        finally:
            job.given_up.set()

    def _beside(self, request: ChatRequest, piece: Piece) -> Json:
        """What a chunk carries beside its text."""
        extra: Json = {"stop_reason": piece.stopped_by} if piece.reason else {}
        if request.return_token_ids:
            extra["token_ids"] = [piece.chosen.token]
        if request.logprobs:
            extra["logprobs"] = {"content": [self._report(piece.chosen).json()]}
        return extra

    def _tokenize(self, request: TokenizeRequest) -> list[int]:
        if request.messages is None:
            return self._worker.tokens.encode(request.prompt or "", special=request.add_special_tokens is not False)
        return self._worker.tokens.render(
            [message.value() for message in request.messages],
            add_generation_prompt=request.add_generation_prompt is not False,
            chat_template_kwargs=request.chat_template_kwargs,
        )

    def _report(self, chosen: Chosen) -> TokenReport:
        spell = self._worker.tokens.spell
        return TokenReport(
            spelling=spell(chosen.token),
            logprob=chosen.logprob if chosen.logprob is not None else float("-inf"),
            top=tuple((spell(token), logprob) for token, logprob in chosen.top),
        )

    def _room(self, prompt: int, limit: int | None) -> int:
        most = self.catalogue.max_model_len
        asked = 1 if limit is None else limit
        if prompt + asked > most:
            raise ApiError(
                400,
                f"This model's maximum context length is {most} tokens. However, you requested {prompt + asked} "
                f"tokens ({prompt} in the messages, {asked} in the completion).",
                param="messages",
                code="context_length_exceeded",
            )
        return most - prompt if limit is None else limit

    @staticmethod
    async def _off_loop(work: Callable[[], T]) -> T:
        try:
            return await to_thread.run_sync(work)
        except RenderError as error:
            raise ApiError(400, error.message, param="messages", code="template_refused") from error


def _hand_over(loop: asyncio.AbstractEventLoop, told: asyncio.Queue[Told], item: Told) -> None:
    loop.call_soon_threadsafe(told.put_nowait, item)


def _sampling(request: ChatRequest) -> Sampling:
    return Sampling(
        temperature=1.0 if request.temperature is None else request.temperature,
        top_p=1.0 if request.top_p is None else request.top_p,
        top_k=max(request.top_k or 0, 0),
        seed=request.seed,
        logit_bias=request.biases,
        logprobs=(request.top_logprobs or 0) if request.logprobs else None,
    )


def _usage(prepared: Prepared, pieces: list[Piece]) -> Usage:
    return Usage(prompt=len(prepared.ask.prompt), completion=len(pieces), cached=pieces[-1].reused if pieces else 0)
