"""Loads a tokenizer's directory, without a network."""

from __future__ import annotations

import importlib
import logging
import os
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

from harness.errors import BadInputError
from render import ChatTokenizer

_MISTRAL: Final = re.compile(r"tekken\.json|.+\.model\.v\d+(m\d+)?")
# How every checkpoint is loaded: unsaid, the libraries would download, and offer to run code that lies in one.
LOCAL: Final = MappingProxyType({"local_files_only": True, "trust_remote_code": False})
_HUGGING_FACE: Final = ("tokenizer.json", "tokenizer_config.json")
_spares_torch = False


def spare_torch() -> None:
    """Have this process, which loads no model itself, load tokenizers without torch: seconds less.

    The package transformers imports torch with its first tokenizer wherever that is installed.
    """
    global _spares_torch
    _spares_torch = True


def load_tokenizer(directory: Path, *, flag: str = "--tokenizer") -> ChatTokenizer:
    """The tokenizer that is saved in a directory; `flag` is what a message calls it by.

    A directory whose only tokenizer is Mistral's own (`tekken.json`, `tokenizer.model.v3`) is read by the package
    mistral-common, which renders conversations without a chat template, as servers do with such a checkpoint.

    Raises:
        BadInputError: no such directory, none in it that loads, or a package that reads it is not installed.
    """
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    if not directory.is_dir():
        raise BadInputError(f"{flag} {directory}: no such directory", hint="give a tokenizer's directory")
    try:
        with _without_torch():
            from transformers import AutoTokenizer
    except ImportError as error:
        raise BadInputError(
            f"{flag} needs the package transformers to read {directory}", hint="pip install 'evalh[serve]'"
        ) from error
    logging.getLogger("transformers.tokenization_utils_base").addFilter(_is_news)
    mistral = _is_mistral(directory)
    loader: Any = _mistral_loader(directory, flag) if mistral else AutoTokenizer
    how = {"local_files_only": True} if mistral else LOCAL
    try:
        tokenizer: ChatTokenizer = loader.from_pretrained(directory, **how)
    except Exception as error:  # whatever a library makes of damaged files, the files are the cause
        reason = (str(error).strip() or type(error).__name__).splitlines()[0][:200]
        hint = "give a tokenizer's directory; code that lies in one is never run"
        raise BadInputError(f"{flag} {directory}: {reason}", hint=hint) from error
    return tokenizer


def _is_news(record: logging.LogRecord) -> bool:
    """All but the warning of a conversation longer than the model takes: servers say that, and parity asks for it."""
    return not str(record.msg).startswith("Token indices sequence length")


@contextmanager
def _without_torch() -> Iterator[None]:
    """Where torch is to be spared, transformers finds none in this block, and does not look again later."""
    if not _spares_torch or "torch" in sys.modules or "transformers" in sys.modules:
        yield
        return
    os.environ.setdefault("TRANSFORMERS_NO_ADVISORY_WARNINGS", "1")  # it would advise to install torch
    sys.modules["torch"] = None  # type: ignore[assignment] # the import system's own mark of what cannot be imported
    try:
        from transformers.utils import is_torch_available

        is_torch_available()
        yield
    finally:
        del sys.modules["torch"]


def _is_mistral(directory: Path) -> bool:
    names = [path.name for path in directory.iterdir()]
    return not any(name in names for name in _HUGGING_FACE) and any(map(_MISTRAL.fullmatch, names))


def _mistral_loader(directory: Path, flag: str) -> Any:
    """The class of the installed transformers that wraps mistral-common; its name differs between 4 and 5."""
    from transformers.utils import is_mistral_common_available

    if is_mistral_common_available():
        module = importlib.import_module("transformers.tokenization_mistral_common")
        for name in ("MistralCommonBackend", "MistralCommonTokenizer"):
            if hasattr(module, name):
                return getattr(module, name)
    raise BadInputError(
        f"{flag} {directory} holds a Mistral tokenizer, which needs a newer mistral-common than there is, or any",
        hint="pip install -U 'mistral-common[sentencepiece]'",
    )
