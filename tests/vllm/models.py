"""Tiny models that vLLM's CPU attention takes, under any tokenizer, and an adapter that no module answers to."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.tiny_model import make_tiny_adapter

HIDDEN = 128  # 4 heads of 32: its CPU attention knows no smaller ones


def save_model(directory: Path, tokenizer: Any, *, ends: list[int], positions: int = 2048) -> Path:
    """Write a two-layer Llama in float32 with this tokenizer; any of `ends` ends its replies. Returns `directory`."""
    import torch
    from transformers import GenerationConfig, LlamaConfig, LlamaForCausalLM

    marks = {"bos_token_id": None, "eos_token_id": ends, "pad_token_id": None}
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=HIDDEN,
        intermediate_size=HIDDEN,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=positions,
        initializer_range=0.12,
        tie_word_embeddings=False,
        rope_theta=10000.0,
        **marks,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = LlamaForCausalLM(config)
    model.generation_config = GenerationConfig(**marks)
    model.save_pretrained(directory)
    tokenizer.save_pretrained(directory)
    return directory


def make_lost_adapter(directory: Path, base: Path) -> Path:
    """An adapter whose tensors are all named for layers that the base does not have; vLLM takes it in silence."""
    from safetensors.torch import load_file, save_file

    make_tiny_adapter(directory, base, seed=3)
    weights = directory / "adapter_model.safetensors"
    moved = {name.replace(".layers.", ".decoder.layers."): tensor for name, tensor in load_file(weights).items()}
    save_file(moved, weights, metadata={"format": "pt"})
    return directory
