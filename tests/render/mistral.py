"""The tokenizers that mistral-common ships, laid out as checkpoints carry them, read in both ways that servers do."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest

from harness.tokenizer import load_tokenizer

FILES: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "v1": ("tokenizer.model.v1", "tokenizer.model.v1"),
        "v2": ("mistral_instruct_tokenizer_240216.model.v2", "tokenizer.model.v2"),
        "v3": ("mistral_instruct_tokenizer_240323.model.v3", "tokenizer.model.v3"),
        "v7": ("mistral_instruct_tokenizer_241114.model.v7", "tokenizer.model.v7"),
        "v7m1": ("mistral_instruct_tokenizer_241114.model.v7m1", "tokenizer.model.v7m1"),
        "tekken-a": ("tekken_240718.json", "tekken.json"),
        "tekken-b": ("tekken_240911.json", "tekken.json"),
    }
)
"""By a short name: the file in the package, and its name in a checkpoint."""

TEKKEN_TEMPLATE = (
    "<s>{% for m in messages %}{% if m['role'] == 'user' %}[INST]{{ m['content'] }}[/INST]"
    "{% else %}{{ m['content'] }}</s>{% endif %}{% endfor %}"
)
PIECES_TEMPLATE = (
    "<s>{% for m in messages %}{% if m['role'] == 'user' %}[INST] {{ m['content'] }}[/INST]"
    "{% else %} {{ m['content'] }}</s>{% endif %}{% endfor %}"
)


def packaged(name: str) -> Path:
    """The file of that tokenizer inside the package."""
    return Path(str(files("mistral_common"))) / "data" / FILES[name][0]


def laid(name: str, folder: Path) -> Path:
    """A directory that holds this tokenizer's file and nothing else."""
    directory = folder / name
    directory.mkdir(exist_ok=True)
    target = directory / FILES[name][1]
    if not target.exists():
        shutil.copy(packaged(name), target)
    return directory


def own(name: str, folder: Path) -> Any:
    """The tokenizer as Mistral's own library reads it."""
    return load_tokenizer(laid(name, folder))


def converted_tekken(folder: Path) -> Any:
    """A tekken file that transformers converted, under a chat template written here."""
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(laid("tekken-a", folder), local_files_only=True)
    if not hasattr(tokenizer, "backend_tokenizer"):
        pytest.skip("this transformers converts no tekken file")
    tokenizer.chat_template = TEKKEN_TEMPLATE
    return tokenizer


def converted_pieces(folder: Path) -> Any:
    """The SentencePiece file of v3 as a Llama tokenizer of transformers, under a chat template written here."""
    from transformers import LlamaTokenizer

    shutil.copy(packaged("v3"), folder / "tokenizer.model")
    tokenizer = LlamaTokenizer(vocab_file=str(folder / "tokenizer.model"), legacy=False)
    if len(tokenizer) < 1000:  # transformers 5 reads the file by its directory only
        tokenizer = LlamaTokenizer.from_pretrained(folder, legacy=False)
    tokenizer.chat_template = PIECES_TEMPLATE
    return tokenizer
