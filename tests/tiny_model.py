"""Makes a tiny, randomly initialised Llama with a real BPE tokenizer, and adapters for it, in a moment and by seed."""

from __future__ import annotations

import json
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

CHATML = (
    "{% for message in messages %}"
    "{{ '<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>' + '\\n' }}"
    "{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"
)
"""An additive template: each turn renders the same wherever it stands."""

SPECIAL_TOKENS = ("<|endoftext|>", "<|im_start|>", "<|im_end|>")
ALL_LINEARS = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")

_CORPUS = (
    "Welcome to the operator's shell. Directives live in /etc/directives; read them, do them, then exit.",
    "$ cat /etc/motd\n$ ls -la /home/operator\n$ echo done > report.txt\n$ exit 0\n$ panic 'no such file'",
    "grep -c ERROR /var/log/app.log | tee count.txt; sort -u names.txt > unique.txt; mkdir -p out && cp a.txt out/",
    "The quick brown fox jumps over the lazy dog. 0123456789 ABCDEFGHIJKLMNOPQRSTUVWXYZ system user assistant\n",
    "sh: 1: frobnicate: not found\nls: cannot access 'x': No such file or directory\nchmod 640 notes.md\n> for f in *",
)


def make_tiny_tokenizer(directory: Path, *, vocab_size: int = 640, chat_template: str | None = CHATML) -> None:
    """Write a byte-level BPE tokenizer (every text round-trips) of at most `vocab_size` tokens into `directory`.

    `eos` is `<|im_end|>`, `pad` is `<|endoftext|>`; there is no `bos`. Same arguments, same bytes.
    """
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    core = Tokenizer(models.BPE())
    core.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    core.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size,
        special_tokens=list(SPECIAL_TOKENS),
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    core.train_from_iterator(_CORPUS, trainer=trainer)
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=core,
        eos_token="<|im_end|>",  # noqa: S106 - a control token
        pad_token="<|endoftext|>",  # noqa: S106
        additional_special_tokens=["<|im_start|>"],
        clean_up_tokenization_spaces=False,
        model_max_length=2048,
    )
    tokenizer.chat_template = chat_template
    tokenizer.save_pretrained(directory)


def make_tiny_llama(
    directory: Path,
    *,
    vocab_size: int = 640,
    hidden_size: int = 64,
    layers: int = 2,
    max_position_embeddings: int = 2048,
    seed: int = 0,
    chat_template: str | None = CHATML,
) -> Path:
    """Write a checkpoint that `from_pretrained` and `evalh serve --base` load; returns `directory`.

    float32, `layers` layers of width `hidden_size`, 4 heads (2 for keys and values), its own
    tokenizer beside it. The weights are random and fixed by `seed`, wide enough that greedy replies
    depend on the prompt.
    """
    import torch
    from transformers import AutoTokenizer, GenerationConfig, LlamaConfig, LlamaForCausalLM

    directory.mkdir(parents=True, exist_ok=True)
    make_tiny_tokenizer(directory, vocab_size=vocab_size, chat_template=chat_template)
    tokenizer = AutoTokenizer.from_pretrained(directory)
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=hidden_size,
        intermediate_size=2 * hidden_size,
        num_hidden_layers=layers,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=max_position_embeddings,
        initializer_range=0.12,
        tie_word_embeddings=False,
        **_ends(tokenizer),
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = LlamaForCausalLM(config)
    model.generation_config = GenerationConfig(**_ends(tokenizer))
    model.save_pretrained(directory)
    _state_rope_theta(directory / "config.json")
    return directory


def _ends(tokenizer: Any) -> dict[str, int | None]:
    return {"bos_token_id": None, "eos_token_id": tokenizer.eos_token_id, "pad_token_id": tokenizer.pad_token_id}


def make_tiny_adapter(
    directory: Path,
    base_dir: Path,
    *,
    seed: int = 1,
    scale: float = 0.3,
    rank: int = 4,
    target_modules: Sequence[str] = ALL_LINEARS,
) -> Path:
    """Write a LoRA adapter of the checkpoint in `base_dir` as peft writes one; returns `directory`.

    Both matrices are random (standard deviation `scale`, fixed by `seed`), so that its replies differ from the
    base's; `scale=0` makes an adapter that changes nothing. lora_alpha is twice the rank.
    """
    import torch
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM

    base = AutoModelForCausalLM.from_pretrained(base_dir, dtype=torch.float32)
    config = LoraConfig(r=rank, lora_alpha=2 * rank, target_modules=list(target_modules), task_type="CAUSAL_LM")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # peft 0.21 reads a name that transformers 5 deprecates
        model = get_peft_model(base, config)
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, parameter in sorted(model.named_parameters()):
            if "lora_" in name:
                parameter.copy_(torch.randn(parameter.shape, generator=generator) * scale)
    model.save_pretrained(directory)
    return directory


def _state_rope_theta(path: Path) -> None:
    config = json.loads(path.read_text(encoding="utf-8"))
    parameters = config.get("rope_parameters") or {}
    config["rope_theta"] = parameters.get("rope_theta", 10000.0)
    path.write_text(json.dumps(config, indent=2, sort_keys=True) + "\n", encoding="utf-8")
