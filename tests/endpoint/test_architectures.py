"""The running batch on other architectures: padding, sliding windows, learnt positions, shared heads, odd adapters."""

from __future__ import annotations

import random
import warnings
from pathlib import Path
from typing import Any

import pytest

from harness.endpoint.resident.adapters import BASE
from harness.errors import BadInputError
from tests.endpoint.rooms import ask, solo, working
from tests.tiny_model import make_tiny_llama, make_tiny_tokenizer

SMALL = {
    "vocab_size": 500,
    "hidden_size": 64,
    "intermediate_size": 96,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 512,
    "initializer_range": 0.15,
    "bos_token_id": 1,
    "eos_token_id": 2,
    "pad_token_id": 0,
}


def _config(kind: str) -> Any:
    import transformers

    match kind:
        case "gpt2":
            return transformers.GPT2Config(
                vocab_size=500, n_embd=64, n_layer=3, n_head=4, n_positions=512, initializer_range=0.15, **SPECIAL
            )
        case "gpt_neox":
            rest = {key: value for key, value in SMALL.items() if key != "num_key_value_heads"}
            return transformers.GPTNeoXConfig(**rest)
        case "mistral":
            return transformers.MistralConfig(**SMALL, sliding_window=12)
        case "qwen2":
            return transformers.Qwen2Config(**SMALL)
        case "qwen3":
            return transformers.Qwen3Config(**SMALL, head_dim=16)
        case "gemma2":
            return transformers.Gemma2Config(**SMALL, head_dim=16, sliding_window=12, query_pre_attn_scalar=16)
        case "gemma3":
            return transformers.Gemma3TextConfig(**SMALL, head_dim=16, sliding_window=12, query_pre_attn_scalar=16)
        case "phi3":
            return transformers.Phi3Config(**SMALL)
        case "mixtral":
            return transformers.MixtralConfig(**SMALL, num_local_experts=4, sliding_window=None)
        case "bloom":
            return transformers.BloomConfig(vocab_size=500, hidden_size=64, n_layer=3, n_head=4, initializer_range=0.15)
    raise AssertionError(kind)


SPECIAL = {"bos_token_id": 1, "eos_token_id": 2, "pad_token_id": 0}
KINDS = ("gpt2", "gpt_neox", "mistral", "qwen2", "qwen3", "gemma2", "gemma3", "phi3", "mixtral", "bloom")


def make(kind: str, directory: Path) -> tuple[Path, Any]:
    """A random model of that kind on disk, and the same one in memory."""
    import torch
    from transformers import AutoModelForCausalLM

    make_tiny_tokenizer(directory, vocab_size=500)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = AutoModelForCausalLM.from_config(_config(kind), dtype=torch.float32).eval()
    model.save_pretrained(directory)
    return directory, AutoModelForCausalLM.from_pretrained(directory, dtype=torch.float32).eval()


@pytest.mark.parametrize("kind", KINDS)
def test_rows_of_all_lengths_and_later_turns_say_what_each_says_alone(kind: str, tmp_path: Path) -> None:
    directory, alone = make(kind, tmp_path)
    drawn = random.Random(1)  # noqa: S311 - test data
    prompts = [[drawn.randrange(10, 480) for _ in range(length)] for length in (3, 40, 9, 27, 41, 16)]
    with working(directory) as worker:
        first = [ask(worker, prompt, max_tokens=14) for prompt in prompts]
        for prompt, one in zip(prompts, first, strict=True):
            assert one.ids() == solo(alone, prompt, max_tokens=14)
        longer = [[*prompt, *one.ids(), 33, 44] for prompt, one in zip(prompts, first, strict=True)]
        second = [ask(worker, prompt, max_tokens=14) for prompt in longer]
        for prompt, one in zip(longer, second, strict=True):
            assert one.ids() == solo(alone, prompt, max_tokens=14)
            assert one.reused() >= 8


def test_an_architecture_with_a_recurrent_state_is_refused_by_name(tmp_path: Path) -> None:
    import torch
    import transformers

    make_tiny_tokenizer(tmp_path, vocab_size=500)
    config = transformers.MambaConfig(vocab_size=500, hidden_size=32, num_hidden_layers=2, state_size=4, **SPECIAL)
    transformers.AutoModelForCausalLM.from_config(config, dtype=torch.float32).save_pretrained(tmp_path)
    with pytest.raises(BadInputError, match="cannot run this architecture"), working(tmp_path):
        pass


def _adapter(base: Path, directory: Path, **config: Any) -> Path:
    import torch
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM

    model = AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        adapted = get_peft_model(model, LoraConfig(r=4, lora_alpha=8, task_type="CAUSAL_LM", **config))
        generator = torch.Generator().manual_seed(4)
        with torch.no_grad():
            for name, parameter in sorted(adapted.named_parameters()):
                if ("lora_" in name and "magnitude" not in name) or "trainable_tokens_delta" in name:
                    parameter.copy_(torch.randn(parameter.shape, generator=generator) * 0.3)
                elif "modules_to_save" in name:
                    parameter.add_(torch.randn(parameter.shape, generator=generator) * 0.05)
        adapted.save_pretrained(directory)
    return directory


@pytest.mark.parametrize(
    ("name", "config"),
    [
        ("dora", {"target_modules": ["q_proj", "v_proj"], "use_dora": True}),
        ("rslora", {"target_modules": ["q_proj", "down_proj"], "use_rslora": True}),
        ("head", {"target_modules": ["q_proj"], "modules_to_save": ["lm_head"]}),
        ("embedding", {"target_modules": ["embed_tokens", "q_proj"]}),
        ("pattern", {"target_modules": r".*\.1\..*(q|v)_proj", "rank_pattern": {"q_proj": 2}}),
        ("one_layer", {"target_modules": ["o_proj"], "layers_to_transform": [1]}),
        ("tokens", {"target_modules": ["q_proj"], "trainable_token_indices": [40, 41, 50]}),
        ("bias", {"target_modules": ["q_proj"], "lora_bias": True}),
    ],
)
def test_adapters_of_every_make_run_beside_the_base(name: str, config: dict[str, Any], tmp_path: Path) -> None:
    import torch
    from peft import PeftModel
    from transformers import AutoModelForCausalLM

    base = make_tiny_llama(tmp_path / "base")
    path = _adapter(base, tmp_path / name, **config)
    plain = AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        fresh = AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32)
        tuned = PeftModel.from_pretrained(fresh, path).eval()
    prompts = [[40 + i, 50, 60 + i, 70] * (i + 2) for i in range(4)]
    with working(base) as worker:
        key = worker.load_adapter(path).result()
        pairs = [(ask(worker, prompt), ask(worker, prompt, adapter=key)) for prompt in prompts]
        for prompt, (of_base, of_tuned) in zip(prompts, pairs, strict=True):
            assert of_base.ids() == solo(plain, prompt)
            assert of_tuned.ids() == solo(tuned, prompt)
            assert of_base.ids() != of_tuned.ids()
        worker.unload_adapter(key).result()
        assert ask(worker, prompts[0]).ids() == solo(plain, prompts[0])
        again = worker.load_adapter(path).result()
        assert ask(worker, prompts[0], adapter=again).ids() == solo(tuned, prompts[0])


def test_adapters_that_replace_modules_run_beside_some_that_do_not(tmp_path: Path) -> None:
    import torch
    from peft import PeftModel
    from transformers import AutoModelForCausalLM

    base = make_tiny_llama(tmp_path / "base")
    makes: dict[str, dict[str, Any]] = {
        "head": {"target_modules": ["q_proj"], "modules_to_save": ["lm_head"]},
        "plain": {"target_modules": ["v_proj"]},
        "dora": {"target_modules": ["o_proj"], "use_dora": True},
    }
    paths = {name: _adapter(base, tmp_path / name, **config) for name, config in makes.items()}
    alone: dict[str, Any] = {"base": AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32)}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for name, path in paths.items():
            fresh = AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32)
            alone[name] = PeftModel.from_pretrained(fresh, path).eval()
    with working(base) as worker:
        keys = {"base": BASE} | {name: worker.load_adapter(path).result() for name, path in paths.items()}
        wanted = [(name, [40 + i, 50, 60 + i, 70] * (i + 2)) for i in range(4) for name in alone]
        asked = [ask(worker, prompt, adapter=keys[name]) for name, prompt in wanted]
        for (name, prompt), one in zip(wanted, asked, strict=True):
            assert one.ids() == solo(alone[name], prompt)
        worker.unload_adapter(keys["head"]).result()
        for name in ("base", "plain", "dora"):
            assert ask(worker, [40, 50, 60], adapter=keys[name]).ids() == solo(alone[name], [40, 50, 60])
