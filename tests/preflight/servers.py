"""Servers that have one thing wrong with them: proxies before a healthy resident one."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from threading import Lock
from typing import Any

from harness.endpoint import OpenAIEndpoint
from tests.endpoint.rooms import http
from tests.endpoint.strangers import Reply, Request, stranger


@dataclass
class Proxy:
    """What passes through, and what is in flight right now."""

    url: str
    flying: list[str] = field(default_factory=list)
    seen: set[str] = field(default_factory=set)
    lock: Lock = field(default_factory=Lock)

    def forward(self, request: Request, model: str) -> Reply:
        """The reply of another model, under the name that was asked for."""
        heard = http(f"{self.url}/chat/completions", {**request, "model": model})
        body = {**heard.body, "model": request["model"]} if heard.status == 200 else heard.body
        return Reply(body, heard.status)


Plan = Callable[[Proxy, Request], Reply]


def healthy(proxy: Proxy, request: Request) -> Reply:
    """Passes everything on."""
    return proxy.forward(request, request["model"])


def swaps(proxy: Proxy, request: Request) -> Reply:
    """Each name gives the other arm."""
    return proxy.forward(request, {"base": "tuned", "tuned": "base"}[request["model"]])


def ignores(proxy: Proxy, request: Request) -> Reply:
    """The adapter is never applied."""
    return proxy.forward(request, "base")


def merges(proxy: Proxy, request: Request) -> Reply:
    """The adapter is always applied."""
    return proxy.forward(request, "tuned")


def serves_another(proxy: Proxy, request: Request) -> Reply:
    """The tuned name gives another adapter of the same base."""
    return proxy.forward(request, "other" if request["model"] == "tuned" else request["model"])


def leaks_beside(victim: str, culprit: str) -> Plan:
    """The victim gets the culprit's weights while a request for that one is in flight, and only then."""

    def plan(proxy: Proxy, request: Request) -> Reply:
        model = request["model"]
        with proxy.lock:
            leaked = culprit in proxy.flying
            proxy.flying.append(model)
        reply = proxy.forward(request, model)
        with proxy.lock:
            leaked = leaked or culprit in proxy.flying
            proxy.flying.remove(model)
        return proxy.forward(request, culprit) if leaked and model == victim else reply

    return plan


def leaks_for_ever(proxy: Proxy, request: Request) -> Reply:
    """The first request for the tuned arm makes it the base, too."""
    with proxy.lock:
        proxy.seen.add(request["model"])
        leaked = "tuned" in proxy.seen
    return proxy.forward(request, "tuned" if leaked else request["model"])


def noisy(plan: Plan, nats: float) -> Plan:
    """Log-probabilities that move a little with every request, as narrow floats in changing batches make them."""
    source = random.Random(0)  # noqa: S311 - noise, not a secret

    def shaken(proxy: Proxy, request: Request) -> Reply:
        reply = plan(proxy, request)
        for choice in reply.body.get("choices", ()):
            for entry in (choice.get("logprobs") or {}).get("content", ()):
                with proxy.lock:
                    entry["logprob"] += source.uniform(-nats, nats) / 2
        return reply

    return shaken


def bare(plan: Plan) -> Plan:
    """No ids and no log-probabilities come with replies."""

    def stripped(proxy: Proxy, request: Request) -> Reply:
        extras = {"return_token_ids", "logprobs"}
        return plan(proxy, {name: value for name, value in request.items() if name not in extras})

    return stripped


@contextmanager
def planted(url: str, plan: Plan, *, cards: list[dict[str, Any]] | None = None) -> Iterator[OpenAIEndpoint]:
    """A client of a proxy before the server at `url`; `cards` instead of that server's own list."""
    listed = http(f"{url}/models").body["data"] if cards is None else cards
    proxy = Proxy(url)
    models = Reply({"object": "list", "data": listed})
    with (
        stranger(lambda request: plan(proxy, request), routes={"/v1/models": models}) as server,
        OpenAIEndpoint(server.url) as endpoint,
    ):
        yield endpoint
