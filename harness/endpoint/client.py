"""The chat-completions client: one server, any number of its models, many calls at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from threading import Lock
from time import monotonic
from types import TracebackType

from harness.endpoint.address import parse_address
from harness.endpoint.capabilities import Capabilities
from harness.endpoint.probe import Card, probe, read_cards
from harness.endpoint.refusals import RefusedError, printable
from harness.endpoint.renders import server_render
from harness.endpoint.replies import read_completion, read_ids
from harness.endpoint.transport import Transport
from harness.errors import BadInputError
from harness.values import Completion, Message

NO_SUCH_ROUTE = frozenset({404, 405, 501})
CALL_SECONDS = 600.0  # the most that one call may take unless told otherwise


class OpenAIEndpoint:
    """An OpenAI-compatible server; thread-safe, and a context that closes its connections.

    `timeout` is the most seconds that one call may take, retries included. What the server can do
    is probed once for each model, at its first use; nothing that it refuses is sent again.
    `chat_template_kwargs` are the template's own variables, sent with every conversation.
    """

    def __init__(
        self,
        base_url: str,
        api_key: str | None = None,
        *,
        timeout: float = CALL_SECONDS,
        chat_template_kwargs: Mapping[str, object] | None = None,
    ) -> None:
        self._transport = Transport(parse_address(base_url), api_key, timeout)
        self._template = {"chat_template_kwargs": dict(chat_template_kwargs)} if chat_template_kwargs else {}
        self._lock = Lock()
        self._probing: dict[str, Lock] = {}
        self._known: dict[str, Capabilities] = {}

    def __enter__(self) -> OpenAIEndpoint:
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def url(self) -> str:
        """The base URL in use, with `/v1`."""
        return self._transport.address.base

    def close(self) -> None:
        """Close the connections; calls that wait to try again end with their last error."""
        self._transport.close()

    def models(self) -> tuple[str, ...]:
        """The names that the server lists.

        Raises:
            EndpointError: it does not answer, or lists nothing.
        """
        try:
            cards = read_cards(self._transport.get("/models"), url=self.url)
        except RefusedError as error:
            raise error.refusal.error() from error
        return tuple(card.name for card in cards)

    def probe(self, model: str) -> Capabilities:
        """What the server can do for a model; asked once, then remembered.

        Raises:
            BadInputError: the server lists models, but not this one.
            EndpointError: it does not answer, or cannot complete a plain conversation.
        """
        with self._lock:
            turn = self._probing.setdefault(model, Lock())
        with turn:
            if model not in self._known:
                cards = self.cards()
                if cards is not None and model not in [card.name for card in cards]:
                    served = printable(", ".join(card.name for card in cards), 500) or "nothing"
                    raise BadInputError(f"{self.url} does not serve {model}", hint=f"it serves {served}")
                try:
                    self._known[model] = probe(self._transport, model, cards)
                except RefusedError as error:
                    raise error.refusal.error() from error
            return self._known[model]

    def complete(
        self,
        messages: Sequence[Message],
        *,
        model: str,
        seed: int | None,
        temperature: float,
        top_p: float = 1.0,
        max_tokens: int,
        stop: Sequence[str] = (),
        logit_bias: Mapping[int, float] | None = None,
    ) -> Completion:
        """One reply to a conversation, sent as it is; `logit_bias` adds -100..100 to the logits of ids.

        Raises:
            BadInputError: the model is not served.
            ContextOverflowError: the conversation and `max_tokens` do not fit the model's context.
            EndpointError: unreachable, refused, or an answer that is no reply.
        """
        can = self.probe(model)
        fields: dict[str, object] = {"temperature": temperature, can.limit_field: max_tokens, **self._template}
        if top_p != 1.0:
            fields["top_p"] = top_p
        if stop:
            fields["stop"] = list(stop)
        if logit_bias:
            fields["logit_bias"] = {str(token): bias for token, bias in logit_bias.items()}
        if seed is not None and can.sends_seed:
            fields["seed"] = seed
        if can.token_ids:
            fields["return_token_ids"] = True
        if can.logprobs:
            fields["logprobs"] = True
        began = monotonic()
        try:
            body = self._transport.chat(model, _plain(messages), fields)
        except RefusedError as error:
            raise error.refusal.error() from error
        url = f"{self.url}/chat/completions"
        return read_completion(body, url=url, model=model, seconds=monotonic() - began)

    def tokenize(
        self, messages: Sequence[Message], *, model: str, add_generation_prompt: bool = True
    ) -> tuple[int, ...] | None:
        """The ids that the server renders a conversation to, or None where it has no such route.

        Raises:
            EndpointError: it has the route but refuses the conversation.
        """
        if not self.probe(model).tokenize:
            return None
        body = {"model": model, "messages": _plain(messages), "add_generation_prompt": add_generation_prompt}
        body.update(self._template)
        try:
            answer = self._transport.post(f"{self._transport.address.server}/tokenize", body)
        except RefusedError as error:
            raise error.refusal.error() from error
        return read_ids(answer.get("tokens")) if isinstance(answer, dict) else None

    def render(self, messages: Sequence[Message], *, model: str) -> tuple[int, ...] | None:
        """The ids that the server's render route makes of a conversation, or None where it has no such route.

        Raises:
            EndpointError: it has the route but refuses the conversation.
        """
        route = self.probe(model).render_route
        if route is None:
            return None
        try:
            return server_render(
                self._transport, route, {"model": model, "messages": _plain(messages), **self._template}
            )
        except RefusedError as error:
            raise error.refusal.error() from error

    def cards(self) -> tuple[Card, ...] | None:
        """The server's own account of its models, or None where it has no such list.

        Raises:
            EndpointError: it does not answer, or answers nonsense.
        """
        try:
            return read_cards(self._transport.get("/models"), url=self.url)
        except RefusedError as error:
            if error.refusal.status in NO_SUCH_ROUTE:
                return None
            raise error.refusal.error() from error


def _plain(messages: Sequence[Message]) -> list[dict[str, str]]:
    return [{"role": str(message.role), "content": message.content} for message in messages]
