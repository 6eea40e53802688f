"""Loads a tokenizer's directory, without a network."""

from __future__ import annotations

import os
from pathlib import Path

from harness.errors import BadInputError
from render import ChatTokenizer


def load_tokenizer(directory: Path, *, flag: str = "--tokenizer") -> ChatTokenizer:
    """The tokenizer that is saved in a directory; `flag` is what a message calls it by.

    Raises:
        BadInputError: no such directory, none in it that loads, or transformers is not installed.
    """
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    if not directory.is_dir():
        raise BadInputError(f"{flag} {directory}: no such directory", hint="give a tokenizer's directory")
    try:
        from transformers import AutoTokenizer
    except ImportError as error:
        raise BadInputError(
            f"{flag} needs the package transformers to read {directory}", hint="pip install 'evalh[serve]'"
        ) from error
    try:
        tokenizer: ChatTokenizer = AutoTokenizer.from_pretrained(directory, local_files_only=True)
    except Exception as error:  # whatever a library makes of damaged files, the files are the cause
        reason = (str(error).strip() or type(error).__name__).splitlines()[0][:200]
        raise BadInputError(f"{flag} {directory}: {reason}", hint="give a tokenizer's directory") from error
    return tokenizer
