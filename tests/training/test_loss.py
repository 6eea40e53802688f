"""The loss is the library's own for the same labels, whichever way an architecture lets it be computed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from peft import LoraConfig, get_peft_model
from transformers import (
    AutoTokenizer,
    Gemma2Config,
    Gemma2ForCausalLM,
    GPT2Config,
    GPT2LMHeadModel,
    LlamaConfig,
    LlamaForCausalLM,
)

from harness.training.examples import prepare
from harness.training.loop import rate
from harness.training.loss import Loss, collate
from harness.training.machine import Computing
from harness.training.model import quiet
from render import TrainingExample
from tests.tiny_model import make_tiny_tokenizer
from tests.training.sessions import made_up

SIZES: dict[str, Any] = {
    "vocab_size": 640,
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 8,
    "initializer_range": 0.3,
    "pad_token_id": 0,
}
COMPUTING = Computing(device="cpu", dtype="float32")


def llama() -> Any:
    return LlamaForCausalLM(LlamaConfig(**SIZES))


def capped(cap: float) -> Any:
    """A Gemma 2, which puts a cap between its output layer and the logits."""
    return Gemma2ForCausalLM(Gemma2Config(**SIZES, final_logit_softcapping=cap, attn_implementation="eager"))


def secretly_scaled() -> Any:
    """An architecture whose config does not say that its logits are shaped."""
    model = llama()
    model.register_forward_hook(_halve)
    return model


def _halve(_module: Any, _inputs: Any, output: Any) -> Any:
    output.logits = output.logits / 2
    return output


def elsewhere() -> Any:
    """A GPT-2, whose trunk has another name."""
    return GPT2LMHeadModel(GPT2Config(vocab_size=640, n_embd=32, n_layer=2, n_head=4, initializer_range=0.3))


@pytest.fixture(scope="module")
def examples(tmp_path_factory: pytest.TempPathFactory) -> tuple[TrainingExample, ...]:
    folder: Path = tmp_path_factory.mktemp("tokenizer")
    make_tiny_tokenizer(folder)
    return prepare(AutoTokenizer.from_pretrained(folder), made_up(3), max_tokens=2048).examples


def adapted(base: Any) -> Any:
    """The base with LoRA matrices that change something."""
    config = LoraConfig(r=4, target_modules="all-linear", task_type="CAUSAL_LM", init_lora_weights=False)
    with quiet():
        return get_peft_model(base, config)


@pytest.mark.filterwarnings("ignore:fan_in_fan_out is set to False:UserWarning")
@pytest.mark.parametrize(
    ("make", "plain"),
    [(llama, True), (lambda: capped(2.0), False), (secretly_scaled, False), (elsewhere, False)],
    ids=["llama", "capped", "secretly scaled", "other trunk"],
)
def test_the_loss_is_what_the_library_computes_over_all_positions(
    examples: tuple[TrainingExample, ...], make: Any, *, plain: bool
) -> None:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = adapted(make()).eval()
    batch = collate([examples])
    said = model(**batch)
    expected = torch.nn.functional.cross_entropy(said.logits[:, :-1].flatten(0, 1), batch["labels"][:, 1:].flatten())
    if make is not secretly_scaled:
        assert float(expected.detach()) == pytest.approx(float(said.loss.detach()), rel=1e-5)
    loss = Loss(model, COMPUTING, examples[0])
    assert loss.plain is plain
    taught = loss(batch)
    assert float(taught.loss.detach()) == pytest.approx(float(expected.detach()), rel=1e-5)
    assert 0.0 <= taught.accuracy <= 1.0
    gradients = [
        torch.autograd.grad(one, [p for p in model.parameters() if p.requires_grad]) for one in (taught.loss, expected)
    ]
    assert all(torch.allclose(ours, theirs, rtol=1e-3, atol=1e-6) for ours, theirs in zip(*gradients, strict=True))


def test_padding_is_neither_read_nor_learnt(examples: tuple[TrainingExample, ...]) -> None:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = adapted(llama()).eval()
    loss = Loss(model, COMPUTING, examples[0])
    alone = [float(loss(collate([[one]])).loss.detach()) for one in examples]
    weights = [one.trained for one in examples]
    expected = sum(value * weight for value, weight in zip(alone, weights, strict=True)) / sum(weights)
    assert len({len(one.ids) for one in examples}) > 1
    assert float(loss(collate([examples])).loss.detach()) == pytest.approx(expected, rel=1e-4)


def test_the_rate_rises_straight_and_falls_to_a_twentieth() -> None:
    factors = [rate(step, 80, 0.1) for step in range(80)]
    assert factors[0] == pytest.approx(1 / 8)
    assert max(factors) == factors[8] == 1.0
    assert factors[8:] == sorted(factors[8:], reverse=True)
    assert factors[-1] == pytest.approx(0.05, abs=0.01)
