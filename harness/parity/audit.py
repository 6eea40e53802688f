"""Compares a set of conversations with what one served model reads, without any container."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from harness.endpoint import OpenAIEndpoint
from harness.endpoint.capabilities import UNPROVEN
from harness.errors import ContextOverflowError, EndpointError, RenderError
from harness.parity.compare import Compared, compare, stop_difference
from harness.parity.contract import LocalContract
from harness.parity.conversations import Conversation, fitted
from harness.parity.refusal import refused
from harness.parity.stops import StopTokens, probe_stop
from harness.parity.view import Read, ServerView
from harness.values import Completion, Message, ParityLevel, Role
from render import Cause

REPLY_TOKENS = 1
SHORTEST = 16  # tokens
SHORTENINGS = 8  # tries to get below a limit that the server does not tell


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One conversation compared; `agrees` is None where it could not be."""

    name: str
    model: str
    level: ParityLevel
    tokens: int | None
    agrees: bool | None
    causes: tuple[str, ...] = ()  # render.Cause codes that give exactly what was read, likeliest first
    difference: str = ""
    note: str = ""

    @property
    def cause(self) -> str | None:
        """The likeliest cause."""
        return self.causes[0] if self.causes else None


class RawSystem(StrEnum):
    """What a server does with a system turn that a client leaves to it."""

    FOLDS = "folds"  # as the contract does
    APART = "apart"
    ONE_NEWLINE = "one_newline"
    REFUSES = "refuses"
    OTHER = "other"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Audit:
    """Everything found at one model of an endpoint."""

    model: str
    level: ParityLevel
    rows: tuple[Row, ...]
    stop_tokens: StopTokens
    raw_system: RawSystem | None  # None where the conversations themselves were sent raw
    unproven: tuple[str, ...]

    @property
    def agrees(self) -> bool:
        """Whether nothing differs."""
        return all(row.agrees is not False for row in self.rows) and self.stop_tokens.honoured is not False

    @property
    def cause(self) -> str | None:
        """The cause that explains most of the rows that differ."""
        votes = [cause for row in self.rows if row.agrees is False for cause in row.causes]
        return max(dict.fromkeys(votes), key=votes.count) if votes else None


class Auditor:
    """Sends conversations to one model as a run sends them, and compares; `raw` leaves folding to the server."""

    def __init__(self, endpoint: OpenAIEndpoint, model: str, contract: LocalContract, *, raw: bool = False) -> None:
        self._endpoint = endpoint
        self._model = model
        self._contract = contract
        self._raw = raw
        self._view = ServerView(endpoint, model)
        self.capabilities = endpoint.probe(model)

    def row(self, conversation: Conversation) -> Row:
        """One conversation compared. Raises EndpointError where the server cannot be reached or asked."""
        limit = self.capabilities.max_model_len
        conversation = fitted(conversation, self._count, (limit or 1 << 30) - REPLY_TOKENS)
        for _ in range(SHORTENINGS):
            try:
                return self._compared(conversation)
            except ContextOverflowError:
                shorter = self._count(conversation.messages) // 2
                if shorter < SHORTEST:
                    break
                conversation = fitted(conversation, self._count, shorter)
        return self._row(conversation, agrees=None, note="the server takes it in no length that was tried")

    def stop_tokens(self) -> StopTokens:
        """Whether the token that ends a turn in training ends a reply here."""
        return probe_stop(self._endpoint, self._model, self._contract)

    def raw_system(self) -> RawSystem:
        """What the server does with a raw system turn. Raises EndpointError where it cannot be asked."""
        written = (
            Message(role=Role.SYSTEM, content="You operate a shell."),
            Message(role=Role.USER, content="Welcome.\n$ "),
        )
        try:
            read = self._view.read(written, self._ask(written))
        except EndpointError as error:
            if not refused(error):
                raise
            return RawSystem.REFUSES
        return _handling(compare(self._contract, self._contract.conform(written), read, written=written), read)

    def _count(self, messages: Sequence[Message]) -> int:
        try:
            return len(self._contract.ids(self._contract.conform(messages)))
        except RenderError:
            return 0  # what cannot be rendered has no length

    def _compared(self, conversation: Conversation) -> Row:
        try:
            messages = self._contract.conform(conversation.messages, last=Role.USER)
        except RenderError as error:
            return self._row(conversation, agrees=None, note=f"the contract refuses it: {error.message}")
        written = self._contract.broken(conversation.messages) if self._raw else None
        sent = messages if written is None else written
        try:
            completion = self._ask(sent)
        except EndpointError as error:
            if isinstance(error, ContextOverflowError) or not refused(error):
                raise
            return self._both_refuse(conversation, messages, error)
        compared = compare(self._contract, messages, self._view.read(sent, completion), written=written)
        parity = compared.parity
        wrong = stop_difference(self._contract, completion) if parity.agrees else None
        return Row(
            name=conversation.name,
            model=self._model,
            level=parity.level,
            tokens=compared.tokens,
            agrees=parity.agrees if wrong is None else False,
            causes=compared.causes if wrong is None else ("stop_token",),
            difference=wrong or parity.difference,
            note="shortened to fit the server" if conversation.shortened else "",
        )

    def _both_refuse(self, conversation: Conversation, messages: Sequence[Message], error: EndpointError) -> Row:
        try:
            self._contract.ids(messages)
        except RenderError:
            return self._row(conversation, agrees=True, note="both refuse it")
        said = f"the server refuses what the template here renders: {error.message}"
        return replace(self._row(conversation, agrees=False, note=""), causes=(str(Cause.OTHER),), difference=said)

    def _row(self, conversation: Conversation, *, agrees: bool | None, note: str) -> Row:
        level = self.capabilities.parity_level
        return Row(name=conversation.name, model=self._model, level=level, tokens=None, agrees=agrees, note=note)

    def _ask(self, messages: Sequence[Message]) -> Completion:
        return self._endpoint.complete(messages, model=self._model, seed=0, temperature=0.0, max_tokens=REPLY_TOKENS)


def audit(
    endpoint: OpenAIEndpoint,
    model: str,
    contract: LocalContract,
    conversations: Sequence[Conversation],
    *,
    raw: bool = False,
    on_row: Callable[[Row], None] = lambda _: None,
) -> Audit:
    """Compare every conversation, probe the stop token, and say what a raw system turn becomes.

    Each conversation is conformed and sent as a run sends it (`raw`: folding and merging are left to the server);
    `on_row` hears of each as soon as it is compared.

    Raises:
        BadInputError: the model is not served.
        EndpointError: the server cannot be reached, or fails otherwise than by refusing a conversation.
    """
    auditor = Auditor(endpoint, model, contract, raw=raw)
    rows = []
    for conversation in conversations:
        rows.append(auditor.row(conversation))
        on_row(rows[-1])
    stops = auditor.stop_tokens()
    return Audit(
        model=model,
        level=auditor.capabilities.parity_level,
        rows=tuple(rows),
        stop_tokens=stops,
        raw_system=None if raw else auditor.raw_system(),
        unproven=tuple(_unproven(auditor, rows, stops)),
    )


def _unproven(auditor: Auditor, rows: Sequence[Row], stops: StopTokens) -> Iterator[str]:
    if auditor.capabilities.scripted:
        yield "replies come from a script: no model reads anything"
    for level in dict.fromkeys([auditor.capabilities.parity_level, *(row.level for row in rows)]):
        if level in UNPROVEN:
            yield UNPROVEN[level]
    if stops.honoured is None:
        yield f"whether training's end token ends a reply: {stops.note}"
    missed = [row.name for row in rows if row.agrees is None and row.level is not ParityLevel.NONE]
    if missed:
        yield f"not compared: {', '.join(missed)}"


def _handling(compared: Compared, read: Read) -> RawSystem:
    if compared.parity.agrees is None or (read.ids is None and compared.parity.agrees is False):
        return RawSystem.UNKNOWN
    if compared.parity.agrees:
        return RawSystem.FOLDS
    known = {Cause.SYSTEM_APART: RawSystem.APART, Cause.FOLD_ONE_NEWLINE: RawSystem.ONE_NEWLINE}
    return next((known[Cause(cause)] for cause in compared.causes if cause in known), RawSystem.OTHER)
