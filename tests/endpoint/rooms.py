"""What the endpoint tests share: a worker to ask directly, and plain HTTP to a server."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event, Lock
from typing import Any

from harness.endpoint.resident.adapters import BASE
from harness.endpoint.resident.jobs import Ask, Broken, Job, Piece, Told
from harness.endpoint.resident.options import ServeOptions
from harness.endpoint.resident.sampling import Sampling
from harness.endpoint.resident.service import Service
from harness.endpoint.resident.tokens import load_tokenizer
from harness.endpoint.resident.worker import Worker

LONG = 60.0  # seconds after which a test gives up on something that should come at once
GREEDY = Sampling(temperature=0.0)


@dataclass
class Asked:
    """A request that was put to a worker."""

    job: Job | None = None
    told: list[Told] = field(default_factory=list)
    done: Event = field(default_factory=Event)
    lock: Lock = field(default_factory=Lock)

    def hear(self, item: Told) -> None:
        self.told.append(item)
        if isinstance(item, Broken) or item.reason is not None:
            self.done.set()

    def pieces(self) -> list[Piece]:
        assert self.done.wait(LONG), "no answer came"
        for item in self.told:
            assert isinstance(item, Piece), item
        return [item for item in self.told if isinstance(item, Piece)]

    def ids(self) -> list[int]:
        return [piece.chosen.token for piece in self.pieces()]

    def text(self) -> str:
        return "".join(piece.text for piece in self.pieces())

    def reason(self) -> str | None:
        return self.pieces()[-1].reason

    def reused(self) -> int:
        return self.pieces()[-1].reused

    def broken(self) -> Broken:
        assert self.done.wait(LONG), "no answer came"
        last = self.told[-1]
        assert isinstance(last, Broken), last
        return last


def ask(
    worker: Worker,
    prompt: Sequence[int],
    *,
    adapter: str = BASE,
    max_tokens: int = 16,
    sampling: Sampling = GREEDY,
    stops: tuple[str, ...] = (),
    stop_ids: frozenset[int] = frozenset(),
) -> Asked:
    """Put a request to a worker; returns at once."""
    asked = Asked()
    request = Ask(
        adapter=adapter,
        prompt=tuple(prompt),
        max_tokens=max_tokens,
        sampling=sampling,
        stops=stops,
        stop_ids=stop_ids,
    )
    asked.job = worker.submit(request, asked.hear)
    return asked


@contextmanager
def working(base: Path, **options: Any) -> Iterator[Worker]:
    """A worker over a base directory."""
    chosen = ServeOptions(base=base, threads=1, **options)
    with Worker(chosen, load_tokenizer(chosen)) as worker:
        yield worker


def solo(model: Any, prompt: Sequence[int], *, max_tokens: int = 16) -> list[int]:
    """What the library's own generate says, alone and greedily, to a prompt; no token ends it."""
    import torch

    torch.set_num_threads(1)  # as the worker: the models are tiny
    ids = torch.tensor([list(prompt)])
    with torch.inference_mode():
        full = model.generate(
            ids,
            attention_mask=torch.ones_like(ids),
            max_new_tokens=max_tokens,
            min_new_tokens=max_tokens,
            do_sample=False,
            eos_token_id=None,
            pad_token_id=0,
        )
    return [int(i) for i in full[0][len(prompt) :]]


@dataclass(frozen=True)
class Heard:
    """An HTTP answer."""

    status: int
    body: Any
    headers: dict[str, str]


def http(url: str, body: object = None, *, raw: bytes | None = None, content_type: str = "application/json") -> Heard:
    """One request, past any proxy; the body decoded if it is JSON."""
    data = raw if raw is not None else None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data=data, headers={"content-type": content_type})  # noqa: S310 - our own
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(request, timeout=LONG) as response:
            return _heard(response.status, response.read(), dict(response.headers))
    except urllib.error.HTTPError as error:
        with error:
            return _heard(error.code, error.read(), dict(error.headers))


def _heard(status: int, content: bytes, headers: dict[str, str]) -> Heard:
    try:
        body = json.loads(content)
    except ValueError:
        body = content.decode("utf-8")
    return Heard(status, body, {name.lower(): value for name, value in headers.items()})


@dataclass(frozen=True)
class Running:
    """A resident server of this process, and what is inside it."""

    url: str
    worker: Worker
    service: Service

    def post(self, route: str, body: object) -> Heard:
        """POST below /v1, or to the server's root for the routes that live there."""
        root = self.url.removesuffix("/v1")
        return http((root if route in {"/tokenize", "/detokenize"} else self.url) + route, body)

    def chat(self, content: str = "hello", **fields: Any) -> Heard:
        """One chat completion, greedy and short unless told otherwise."""
        messages = [{"role": "user", "content": content}]
        return self.post(
            "/chat/completions", {"model": "base", "messages": messages, "temperature": 0, "max_tokens": 8, **fields}
        )


def error(body: object) -> dict[str, object]:
    assert isinstance(body, dict)
    inner = body["error"]
    assert isinstance(inner, dict)
    assert set(inner) == {"message", "type", "param", "code"}
    return inner
