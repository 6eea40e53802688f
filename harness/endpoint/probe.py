"""Finds out what a server can do by asking it, with a few tokens, and believes only what comes back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from harness.endpoint.capabilities import SCRIPTED_OWNER, Capabilities, RenderRoute
from harness.endpoint.refusals import RefusedError
from harness.endpoint.renders import server_render
from harness.endpoint.replies import read_completion, read_ids
from harness.endpoint.transport import Transport
from harness.errors import EndpointError
from harness.values import Completion

_REFUSALS = frozenset({400, 404, 405, 415, 422, 500, 501})
_OPENING = ({"role": "user", "content": "Name any animal."},)
_EXTRAS: Mapping[str, object] = {"return_token_ids": True, "logprobs": True, "seed": 1}
_SAMPLE_TOKENS = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """One entry of a server's model list."""

    name: str
    owner: str | None
    max_model_len: int | None
    root: str | None = None  # where the model's weights are, by the server's word
    parent: str | None = None  # the model that this one is an adapter of


def read_cards(body: object, *, url: str) -> tuple[Card, ...]:
    """A server's model list.

    Raises:
        EndpointError: something else came back.
    """
    data = body.get("data") if isinstance(body, dict) else body  # some servers give the bare list
    if not isinstance(data, list):
        raise EndpointError(f"{url}/models gave no list of models", hint="is this a chat-completions server?")
    return tuple(_card(entry) for entry in data if isinstance(entry, dict) and isinstance(entry.get("id"), str))


def probe(transport: Transport, model: str, cards: Sequence[Card] | None) -> Capabilities:
    """Ask one model of a server what it can do.

    Raises:
        RefusedError: it refuses even a plain conversation.
        EndpointError: it cannot be reached, or answers nonsense.
    """
    card = next((card for card in cards or () if card.name == model), None)
    length = _length(card, cards or ())
    served = None if cards is None else tuple(card.name for card in cards)
    if card is not None and card.owner == SCRIPTED_OWNER:
        return Capabilities(
            server=card.owner,
            scripted=True,
            served=served,
            max_model_len=length,
            token_ids=False,
            logprobs=False,
            seed=False,
            tokenize=False,
        )
    prober = _Prober(transport, model)
    accepted, reply = prober.accepted()
    sends_seed = "seed" in accepted
    return Capabilities(
        server=card.owner if card else None,
        scripted=False,
        served=served,
        max_model_len=length,
        token_ids="return_token_ids" in accepted and None not in (reply.prompt_ids, reply.completion_ids),
        logprobs="logprobs" in accepted and reply.logprobs is not None,
        seed=prober.seed_decides() if sends_seed else False,
        tokenize=prober.tokenizes(),
        render_route=prober.render_route(),
        counts=reply.prompt_tokens is not None,
        sends_seed=sends_seed,
        limit_field=prober.limit_field,
    )


class _Prober:
    """Asks one model small questions."""

    def __init__(self, transport: Transport, model: str) -> None:
        self._transport = transport
        self._model = model
        self.limit_field = "max_tokens"

    def accepted(self) -> tuple[frozenset[str], Completion]:
        """Which extra fields the server takes, and its reply to all of them together."""
        try:
            return frozenset(_EXTRAS), self._ask(_EXTRAS)
        except RefusedError as error:
            if error.refusal.status not in _REFUSALS:
                raise
        plain = self._plain()
        taken = {name: value for name, value in _EXTRAS.items() if self._takes({name: value})}
        if not taken:
            return frozenset(), plain
        try:
            return frozenset(taken), self._ask(taken)
        except RefusedError:
            return frozenset(), plain

    def seed_decides(self) -> bool | None:
        """Whether the seed decides a sample: equal seeds agree and another differs; None if all agree."""
        try:
            one, again, other = (
                self._ask({"seed": seed}, temperature=1.5, tokens=_SAMPLE_TOKENS).text for seed in (11, 11, 12)
            )
        except RefusedError:  # no such temperature here
            return None
        if one != again:
            return False
        return True if other != one else None

    def tokenizes(self) -> bool:
        """Whether the server renders messages at /tokenize."""
        url = f"{self._transport.address.server}/tokenize"
        try:
            body = self._transport.post(url, {"model": self._model, "messages": _OPENING})
        except (RefusedError, EndpointError):
            return False
        return isinstance(body, dict) and bool(read_ids(body.get("tokens")))

    def render_route(self) -> RenderRoute | None:
        """The route at which the server shows what it makes of messages, if it has one."""
        for route in RenderRoute:
            try:
                if server_render(self._transport, route, {"model": self._model, "messages": _OPENING}):
                    return route
            except (RefusedError, EndpointError):
                continue
        return None

    def _plain(self) -> Completion:
        """A reply without any extras, under whichever name the token limit has here."""
        try:
            return self._ask({})
        except RefusedError as error:
            if "max_completion_tokens" not in error.refusal.body:
                raise
        self.limit_field = "max_completion_tokens"
        return self._ask({})

    def _takes(self, extra: Mapping[str, object]) -> bool:
        try:
            self._ask(extra)
        except RefusedError:
            return False
        return True

    def _ask(self, extra: Mapping[str, object], *, temperature: float = 0.0, tokens: int = 2) -> Completion:
        fields = {"temperature": temperature, self.limit_field: tokens, **extra}
        body = self._transport.chat(self._model, _OPENING, fields)
        return read_completion(body, url=self._transport.address.base, model=self._model, seconds=0.0)


def _length(card: Card | None, cards: Sequence[Card]) -> int | None:
    """How long a conversation may be; an adapter that does not say is as long as its parent."""
    if card is None or card.max_model_len is not None or card.parent is None:
        return card.max_model_len if card else None
    return next((other.max_model_len for other in cards if card.parent in (other.name, other.root)), None)


def _card(entry: Mapping[str, object]) -> Card:
    length = next(
        (entry[key] for key in ("max_model_len", "context_length", "max_context_length") if key in entry), None
    )
    owner, root, parent = (
        value if isinstance(value := entry.get(key), str) and value else None for key in ("owned_by", "root", "parent")
    )
    return Card(
        name=str(entry["id"]),
        owner=owner,
        root=root,
        parent=parent,
        max_model_len=length if isinstance(length, int) and not isinstance(length, bool) else None,
    )
