"""A real resident server around a tiny model, whose template can be changed and whose render can be made to err."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.endpoint import web
from harness.endpoint.resident.app import make_resident_app
from harness.endpoint.resident.options import ServeOptions
from harness.endpoint.resident.service import Service
from harness.endpoint.resident.tokens import Tokens
from harness.endpoint.resident.worker import Worker
from harness.parity.contract import LocalContract
from harness.values import Message
from tests.endpoint.rooms import working

Options = Mapping[str, object] | None
Honest = Callable[..., list[int]]
Fault = Callable[[Honest, Any, Sequence[Message], Options], list[int]]
"""Takes the honest render, the tokenizer, the messages and the template's variables; gives what is read instead."""


class FaultyTokens(Tokens):
    """A server's tokenizer whose render goes wrong in one way."""

    def __init__(self, tokenizer: Any, fault: Fault) -> None:
        super().__init__(tokenizer, None)
        self.fault = fault

    def render(
        self,
        messages: Sequence[Message],
        *,
        add_generation_prompt: bool = True,
        chat_template_kwargs: Options = None,
    ) -> list[int]:
        def honest(turns: Sequence[Message], *, generation: bool = True, options: Options = None) -> list[int]:
            return super(FaultyTokens, self).render(
                turns, add_generation_prompt=generation, chat_template_kwargs=options or chat_template_kwargs
            )

        return self.fault(honest, self._tokenizer, messages, chat_template_kwargs)


@dataclass
class Served:
    """A server in this process."""

    url: str
    worker: Worker
    tokenizer: Any

    def contract(self, template: str | None = None, options: Options = None) -> LocalContract:
        """The local side, with a tokenizer of its own."""
        mine = copy.deepcopy(self.tokenizer)
        if template is not None:
            mine.chat_template = template
        return LocalContract(mine, chat_template_kwargs=options, name="tiny")

    @contextmanager
    def wearing(self, template: str, fault: Fault | None = None) -> Iterator[LocalContract]:
        """Serve under another template, and with a fault if one is given; the honest contract of that template."""
        theirs = copy.deepcopy(self.tokenizer)
        theirs.chat_template = template
        before = self.worker.tokens
        self.worker.tokens = Tokens(theirs, None) if fault is None else FaultyTokens(theirs, fault)
        try:
            yield self.contract(template)
        finally:
            self.worker.tokens = before


def save_tiny_model(directory: Path, tokenizer: Any, *, positions: int = 1024) -> Path:
    """Write the smallest Llama with this tokenizer; returns `directory`."""
    import torch
    from transformers import GenerationConfig, LlamaConfig, LlamaForCausalLM

    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=32,
        intermediate_size=32,
        num_hidden_layers=1,
        num_attention_heads=2,
        num_key_value_heads=1,
        max_position_embeddings=positions,
        initializer_range=0.12,
        bos_token_id=None,
        eos_token_id=None,
        pad_token_id=None,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(2)  # its first token is no end token
        model = LlamaForCausalLM(config)
    model.generation_config = GenerationConfig(bos_token_id=None, eos_token_id=None, pad_token_id=0)
    model.save_pretrained(directory)
    tokenizer.save_pretrained(directory)
    return directory


@contextmanager
def serving(directory: Path, tokenizer: Any) -> Iterator[Served]:
    """A resident server over a tiny model with this tokenizer."""
    save_tiny_model(directory, tokenizer)
    with working(directory) as worker:
        service = Service(worker, ServeOptions(base=directory))
        with web.in_thread(make_resident_app(service)) as url:
            yield Served(url=url, worker=worker, tokenizer=tokenizer)
