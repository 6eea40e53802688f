"""The two arms: which models they are, and the endpoint that answers for them."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import render
from harness.endpoint import (
    OpenAIEndpoint,
    ServerFacts,
    base_places,
    check_adapter_fits,
    lent_adapter,
    read_adapter,
    resident_server,
    vllm_server,
)
from harness.errors import BadInputError
from harness.store import ModelRef
from harness.values import Arm, Completion, Message

BASE_NAME, TUNED_NAME = "base", "tuned"
TOKENIZER_FILES = ("tokenizer", "special_tokens", "added_tokens", "chat_template", "vocab", "merges", "tekken")
ADAPTER_CONFIG = "adapter_config.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Arms:
    """Both arms by identity; `local` is true where evalh serves them itself."""

    base: ModelRef
    tuned: ModelRef
    local: bool
    tokenizer: Path | None  # the directory that local renders are made with
    tokenizer_sha256: str | None
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
    """Which server is to serve both arms, and how; what only one of the two can do is said by its name."""

    engine: Literal["resident", "vllm"] = "resident"
    log: Path | None = None
    dtype: Literal["auto", "float32", "bfloat16"] = "auto"
    load_4bit: bool = False  # resident
    deterministic: bool = False  # resident
    max_batch: int = 16  # resident


@dataclass(frozen=True, slots=True, kw_only=True)
class Served:
    """A server of ours that answers: its URL with `/v1`, and what it is where it was asked."""

    url: str
    facts: ServerFacts | None = None


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


def local_arms(adapter: Path, base: Path | None, tokenizer: Path | None = None) -> Arms:
    """The arms of an adapter directory and its base checkpoint, both checked before anything starts.

    `tokenizer` is where the tokenizer lies if it is not the base's own.

    Raises:
        BadInputError: one of them is missing or damaged, or the adapter was made for another base.
    """
    info = read_adapter(adapter)
    home = base or find_base(adapter, info.base)
    if not (home / "config.json").is_file():
        raise BadInputError(f"{home} is no checkpoint: config.json is missing", hint="give --base DIR")
    check_adapter_fits(adapter, home)
    words = tokenizer or home
    return Arms(
        base=ModelRef(name=BASE_NAME, path=str(home), digest=checkpoint_digest(home)),
        tuned=ModelRef(name=TUNED_NAME, path=str(adapter), digest=info.digest),
        local=True,
        tokenizer=words,
        tokenizer_sha256=tokenizer_digest(words),
        control_tokens=render.control_tokens_in(words),
        chat_template_sha256=render.template_digest_in(words),
    )


def remote_arms(
    base_name: str,
    tuned_name: str,
    *,
    base: Path | None = None,
    adapter: Path | None = None,
    tokenizer: Path | None = None,
) -> Arms:
    """The arms of somebody else's server: their names, and what was said to lie behind them, if anything was.

    `base` may be a tokenizer's directory alone: then it has no weights to take a digest of.

    Raises:
        BadInputError: the adapter is damaged, or does not fit the base.
    """
    words = tokenizer or base
    weights = base if base and (base / "config.json").is_file() else None
    if adapter and weights:
        check_adapter_fits(adapter, weights)
    return Arms(
        base=ModelRef(
            name=base_name,
            path=str(weights) if weights else None,
            digest=checkpoint_digest(weights) if weights else None,
        ),
        tuned=ModelRef(
            name=tuned_name,
            path=str(adapter) if adapter else None,
            digest=read_adapter(adapter).digest if adapter else None,
        ),
        local=False,
        tokenizer=words,
        tokenizer_sha256=tokenizer_digest(words) if words else None,
        control_tokens=render.control_tokens_in(words) if words else (),
        chat_template_sha256=render.template_digest_in(words) if words else None,
    )


def find_base(adapter: Path, named: str) -> Path:
    """The base directory that an adapter's config names: as typed, else seen from the adapter's own place."""
    for place in base_places(adapter, named):
        return place
    raise BadInputError(
        f"{adapter / ADAPTER_CONFIG}: base_model_name_or_path: {named[:200]!r} is no directory here",
        hint="give --base DIR; nothing is downloaded at run time",
    )


@contextmanager
def served(arms: Arms, serving: Serving) -> Iterator[Served]:
    """One server of ours with both arms; it is gone afterwards.

    Raises:
        BadInputError: the arms are not local, or the server cannot serve them.
        EndpointError: the server died or did not answer in time.
    """
    if arms.base.path is None or arms.tuned.path is None:
        raise BadInputError("only local models can be served", hint="give --adapter and --base")
    base, adapters = Path(arms.base.path), {arms.tuned.name: Path(arms.tuned.path)}
    if serving.engine == "vllm":
        with vllm_server(base, adapters, base_name=arms.base.name, dtype=serving.dtype, log=serving.log) as server:
            yield Served(url=server.url, facts=server.facts)
        return
    with resident_server(
        base,
        adapters,
        base_name=arms.base.name,
        dtype=serving.dtype,
        load_4bit=serving.load_4bit,
        deterministic=serving.deterministic,
        max_batch=serving.max_batch,
        log=serving.log,
    ) as url:
        yield Served(url=url)


@contextmanager
def attached(endpoint: OpenAIEndpoint, arms: Arms, key: str | None) -> Iterator[None]:
    """Somebody else's server with both arms: an adapter that lies here and is not served yet is lent to it.

    Raises:
        BadInputError: the server loads no adapters at run time. EndpointError: it refused this one.
    """
    listed = endpoint.cards()
    names = {card.name for card in listed or ()}
    if arms.tuned.path is None or listed is None or arms.tuned.name in names or arms.base.name not in names:
        yield
        return
    with lent_adapter(endpoint.url, arms.tuned.name, Path(arms.tuned.path), api_key=key):
        yield


def api_key(variable: str) -> str | None:
    """The endpoint's key, if the environment has one."""
    return os.environ.get(variable) or None


def checkpoint_digest(folder: Path) -> str:
    """`sha256:…` over a checkpoint's weights, config and tokenizer files, names included."""
    return _digest_of(
        path
        for path in folder.iterdir()
        if path.suffix in {".safetensors", ".bin", ".json", ".model", ".jinja", ".gguf"}
    )


def tokenizer_digest(folder: Path) -> str:
    """`sha256:…` over the files of a folder that decide how text becomes ids, the chat template included."""
    return _digest_of(
        path
        for path in folder.iterdir()
        if path.suffix in {".model", ".jinja", ".tiktoken"}
        or (path.suffix in {".json", ".txt"} and path.name.startswith(TOKENIZER_FILES))
    )


def _digest_of(paths: Iterable[Path]) -> str:
    digest = hashlib.sha256()
    for path in sorted(paths):
        if path.is_file():
            digest.update(f"{path.name}:{path.stat().st_size}:".encode())
            with path.open("rb") as stream:
                while chunk := stream.read(1 << 22):
                    digest.update(chunk)
    return f"sha256:{digest.hexdigest()}"
