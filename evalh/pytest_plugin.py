"""The pytest plugin behind `evalh.testing`: its options, and one test case for each conversation and model."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from harness.parity.audit import Auditor
    from harness.parity.conversations import Conversation

_HOW = "give --evalh-endpoint URL and --evalh-tokenizer DIR (and --evalh-model NAME for one of several)"
_STOP = "stop token"


def pytest_addoption(parser: pytest.Parser) -> None:
    """The options of the parity test."""
    group = parser.getgroup("evalh", "render parity with a served model")
    group.addoption("--evalh-endpoint", metavar="URL", help="chat-completions server whose prompts are compared")
    group.addoption("--evalh-tokenizer", metavar="DIR", help="the tokenizer that training used")
    group.addoption("--evalh-model", metavar="NAME", action="append", help="served model; default: all that it lists")
    group.addoption("--evalh-chat-template-kwargs", metavar="JSON", default="{}", help="the template's own variables")
    group.addoption("--evalh-raw", action="store_true", help="leave folding and merging to the server")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Case:
    """One test: a conversation (None: the stop token) at one model."""

    auditor: Auditor
    conversation: Conversation | None

    def difference(self) -> str | None:
        """What differs, None if nothing does; skips where nothing could be compared."""
        if self.conversation is None:
            stops = self.auditor.stop_tokens()
            if stops.honoured is None:
                pytest.skip(f"unproven: {stops.note}")
            return None if stops.honoured else f"the end token {stops.end_text} does not end a reply: {stops.note}"
        row = self.auditor.row(self.conversation)
        if row.agrees is None:
            pytest.skip(row.note or f"nothing to compare at level {row.level}")
        return None if row.agrees else row.difference


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """One case for each conversation and model, for tests that ask for `evalh_parity`."""
    if "evalh_parity" not in metafunc.fixturenames:
        return
    config = metafunc.config
    url, directory = config.getoption("--evalh-endpoint"), config.getoption("--evalh-tokenizer")
    if not url or not directory:
        cases = [pytest.param(None, id="not-asked", marks=pytest.mark.skip(reason=_HOW))]
    else:
        cases = [pytest.param(case, id=name) for name, case in _cases(config, str(url), str(directory))]
    metafunc.parametrize("evalh_parity", cases, indirect=True)


def _cases(config: pytest.Config, url: str, directory: str) -> Iterator[tuple[str, _Case]]:
    import json
    import os

    from harness.endpoint import OpenAIEndpoint
    from harness.errors import EvalhError
    from harness.parity.audit import Auditor
    from harness.parity.contract import LocalContract
    from harness.parity.conversations import hard_conversations

    try:
        variables = json.loads(config.getoption("--evalh-chat-template-kwargs"))
        contract = LocalContract.load(Path(directory), chat_template_kwargs=variables)
        endpoint = OpenAIEndpoint(url, os.environ.get("EVALH_API_KEY") or None, chat_template_kwargs=variables)
        config.add_cleanup(endpoint.close)
        raw = bool(config.getoption("--evalh-raw"))
        for model in config.getoption("--evalh-model") or endpoint.models():
            auditor = Auditor(endpoint, model, contract, raw=raw)
            for conversation in hard_conversations(contract.control_tokens):
                yield f"{model}-{conversation.name}", _Case(auditor=auditor, conversation=conversation)
            yield f"{model}-{_STOP}", _Case(auditor=auditor, conversation=None)
    except (EvalhError, ValueError) as error:
        raise pytest.UsageError(f"evalh: {error}") from error


@pytest.fixture
def evalh_parity(request: pytest.FixtureRequest) -> Callable[[], str | None]:
    """Compares one conversation; returns what differs, or None."""
    case = request.param
    if not isinstance(case, _Case):
        pytest.skip(_HOW)
    return case.difference
