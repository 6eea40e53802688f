"""The two arms: which models they are, and the endpoint that answers for them."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import render
from harness.endpoint import OpenAIEndpoint, check_adapter_fits, read_adapter, resident_server
from harness.errors import BadInputError
from harness.store import ModelRef
from harness.values import Arm, Completion, Message

BASE_NAME, TUNED_NAME = "base", "tuned"
ADAPTER_CONFIG = "adapter_config.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Arms:
    """Both arms by identity; `local` is true where evalh serves them itself."""

    base: ModelRef
    tuned: ModelRef
    local: bool
    control_tokens: tuple[str, ...]
    chat_template_sha256: str | None

    @property
    def names(self) -> Mapping[Arm, str]:
        """The name that each arm is served under."""
        return {Arm.BASE: self.base.name, Arm.TUNED: self.tuned.name}


@dataclass(frozen=True, slots=True, kw_only=True)
class Sampled:
    """How replies are drawn."""

    temperature: float = 0.0
    top_p: float = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Serving:
    """How the resident server is to run."""

    dtype: Literal["auto", "float32", "bfloat16"] = "auto"
    load_4bit: bool = False
    deterministic: bool = False
    max_batch: int = 16


class ServedModel:
    """One arm: an endpoint asked under one model name."""

    def __init__(self, endpoint: OpenAIEndpoint, name: str, sampled: Sampled) -> None:
        self._endpoint = endpoint
        self._name = name
        self._sampled = sampled

    def reply(self, messages: Sequence[Message], *, seed: int, max_tokens: int) -> Completion:
        """The arm's next reply; EndpointError if none can be had."""
        return self._endpoint.complete(
            messages,
            model=self._name,
            seed=seed,
            temperature=self._sampled.temperature,
            top_p=self._sampled.top_p,
            max_tokens=max_tokens,
        )


def local_arms(adapter: Path, base: Path | None) -> Arms:
    """The arms of an adapter directory and its base checkpoint, both checked before anything starts.

    Raises:
        BadInputError: one of them is missing or damaged, or the adapter was made for another base.
    """
    info = read_adapter(adapter)
    home = base or find_base(adapter, info.base)
    if not (home / "config.json").is_file():
        raise BadInputError(f"{home} is no checkpoint: config.json is missing", hint="give --base DIR")
    check_adapter_fits(adapter, home)
    return Arms(
        base=ModelRef(name=BASE_NAME, path=str(home), digest=checkpoint_digest(home)),
        tuned=ModelRef(name=TUNED_NAME, path=str(adapter), digest=info.digest),
        local=True,
        control_tokens=render.control_tokens_in(home),
        chat_template_sha256=_template_digest(home),
    )


def remote_arms(base_name: str, tuned_name: str, tokenizer: Path | None = None) -> Arms:
    """The arms of somebody else's server: all that is known of them is their names."""
    return Arms(
        base=ModelRef(name=base_name),
        tuned=ModelRef(name=tuned_name),
        local=False,
        control_tokens=render.control_tokens_in(tokenizer) if tokenizer else (),
        chat_template_sha256=_template_digest(tokenizer) if tokenizer else None,
    )


def find_base(adapter: Path, named: str) -> Path:
    """The base directory that an adapter's config names: as typed, else seen from the adapter's own place."""
    candidates = [Path(named).expanduser(), adapter / named, adapter.parent / Path(named).name]
    for candidate in candidates:
        if candidate.is_dir():
            return candidate
    raise BadInputError(
        f"{adapter / ADAPTER_CONFIG}: base_model_name_or_path: {named!r} is no directory here",
        hint="give --base DIR; nothing is downloaded at run time",
    )


@contextmanager
def served(arms: Arms, serving: Serving) -> Iterator[str]:
    """The resident server with both arms in one process; gives its URL and ends it afterwards."""
    if arms.base.path is None or arms.tuned.path is None:
        raise BadInputError("only local models can be served", hint="give --adapter and --base")
    with resident_server(
        Path(arms.base.path),
        {arms.tuned.name: Path(arms.tuned.path)},
        base_name=arms.base.name,
        dtype=serving.dtype,
        load_4bit=serving.load_4bit,
        deterministic=serving.deterministic,
        max_batch=serving.max_batch,
    ) as url:
        yield url


def api_key(variable: str) -> str | None:
    """The endpoint's key, if the environment has one."""
    return os.environ.get(variable) or None


def checkpoint_digest(folder: Path) -> str:
    """`sha256:…` over a checkpoint's weights, config and tokenizer files, names included."""
    digest = hashlib.sha256()
    for path in sorted(folder.iterdir()):
        if path.is_file() and path.suffix in {".safetensors", ".bin", ".json", ".model", ".jinja", ".gguf"}:
            digest.update(f"{path.name}:{path.stat().st_size}:".encode())
            with path.open("rb") as stream:
                while chunk := stream.read(1 << 22):
                    digest.update(chunk)
    return f"sha256:{digest.hexdigest()}"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Template:
    """A tokenizer's chat template, read from its files without loading it."""

    chat_template: str | None


def _template_digest(folder: Path) -> str | None:
    return render.template_digest(_Template(chat_template=_template(folder)))


def _json(path: Path) -> dict[str, object]:
    try:
        value = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return {}
    return value if isinstance(value, dict) else {}


def _template(folder: Path) -> str | None:
    standalone = folder / "chat_template.jinja"
    if standalone.is_file():
        return standalone.read_text(encoding="utf-8", errors="replace")
    template = _json(folder / "tokenizer_config.json").get("chat_template")
    return template if isinstance(template, str) or template is None else json.dumps(template, sort_keys=True)
