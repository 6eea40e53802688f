"""Starts a vLLM server for a base and its adapters, makes sure that it is what was asked for, and ends it."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from time import monotonic
from typing import BinaryIO

from harness.endpoint import leash, vllm_routes
from harness.endpoint.child import log_file, read_log, stop, tail
from harness.endpoint.vllm_log import causes, engine_words
from harness.endpoint.vllm_options import VllmOptions, find_program, vllm_options
from harness.errors import EndpointError

OLDEST = (0, 10)
_LOOK_SECONDS = 0.25
_GRACE_SECONDS = "5"  # for an orderly end
_LOG_BYTES = 4 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerFacts:
    """What a server is, by its own word where it has one."""

    program: str
    version: str
    dtype: str  # as it was told
    dtype_seen: str | None  # as its log states it
    max_model_len: int | None  # as it lists it
    max_loras: int
    max_lora_rank: int
    args: tuple[str, ...]  # after `vllm serve`


@dataclass(frozen=True, slots=True, kw_only=True)
class VllmServer:
    """A server that answers."""

    url: str  # with /v1
    facts: ServerFacts


@contextmanager
def vllm_server(
    base: Path,
    adapters: Mapping[str, Path],
    *,
    base_name: str = "base",
    dtype: str = "auto",
    max_model_len: int | None = None,
    max_loras: int | None = None,
    chat_template: Path | None = None,
    extra: Sequence[str] = (),
    environment: Mapping[str, str] | None = None,
    log: Path | None = None,
    start_seconds: float = 900.0,
) -> Iterator[VllmServer]:
    """Serve a base and its adapters by `vllm serve`; yields its URL and facts once it answers and was checked.

    The server ends when this context does, and also when this process is killed, and no process of it stays.
    `extra` are further arguments, `environment` further variables; vllm_options says what the others mean.
    Its log goes to `log`, or to a file that is gone afterwards.

    Raises:
        BadInputError: there is no vllm program, or the base or an adapter cannot be served.
        EndpointError: it died, did not answer in time, or is not what was asked for; says what its log says.
    """
    program = find_program()
    options = vllm_options(
        base,
        adapters,
        base_name=base_name,
        dtype=dtype,
        max_model_len=max_model_len,
        max_loras=max_loras,
        chat_template=chat_template,
        extra=extra,
    )
    variables = _environment() | dict(environment or {})
    with log_file(log) as file, _running(program, options, variables, file, start_seconds) as server:
        yield server


@contextmanager
def _running(
    program: str, options: VllmOptions, environment: Mapping[str, str], log: BinaryIO, start_seconds: float
) -> Iterator[VllmServer]:
    port = _free_port()
    arguments = options.arguments(port)
    url = f"http://127.0.0.1:{port}/v1"
    child = subprocess.Popen(
        [sys.executable, "-I", leash.__file__, _GRACE_SECONDS, program, "serve", *arguments],
        stdin=subprocess.PIPE,
        stdout=log,
        stderr=log,
        env=environment,
        start_new_session=True,  # a ^C at the terminal is the parent's to handle
    )
    try:
        _wait_until_it_answers(child, url, log, monotonic() + start_seconds)
        yield VllmServer(url=url, facts=_facts(url, options, log, program=program, args=arguments))
    finally:
        stop(child)


def _environment() -> dict[str, str]:
    quiet = {"HF_HUB_OFFLINE": "1", "VLLM_NO_USAGE_STATS": "1"}
    sockets = {"VLLM_RPC_BASE_PATH": leash.SCRATCH}  # where it leaves them behind when it is killed
    return {**quiet, **sockets, **os.environ, "VLLM_ALLOW_RUNTIME_LORA_UPDATING": "True"}


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _wait_until_it_answers(child: subprocess.Popen[bytes], url: str, log: BinaryIO, deadline: float) -> None:
    while not vllm_routes.healthy(url):
        try:
            child.wait(timeout=_LOOK_SECONDS)
        except subprocess.TimeoutExpired:
            if monotonic() > deadline:
                raise EndpointError(f"vLLM did not become ready in time{_words(log)}") from None
        else:
            raise EndpointError(f"vLLM ended with status {child.returncode} before it answered{_words(log)}")


def _words(log: BinaryIO) -> str:
    """The errors that the log names, and how it ends."""
    named = causes(read_log(log, last=_LOG_BYTES))
    said = f"; its log says: {' | '.join(named)}" if named else ""
    return said + tail(log)


def _facts(url: str, options: VllmOptions, log: BinaryIO, *, program: str, args: tuple[str, ...]) -> ServerFacts:
    said = vllm_routes.version(url)
    if (number := re.match(r"(\d+)\.(\d+)", said)) and (int(number[1]), int(number[2])) < OLDEST:
        raise EndpointError(f"{program} is vLLM {said}", hint=f"vLLM {OLDEST[0]}.{OLDEST[1]} or later is needed")
    words = engine_words(read_log(log, last=_LOG_BYTES))
    if words.dtype not in (None, options.dtype):
        raise EndpointError(f"vLLM was told --dtype {options.dtype} and made an engine of {words.dtype}")
    length = _checked_cards(url, options)
    if options.max_model_len and length != options.max_model_len:
        raise EndpointError(f"vLLM was told --max-model-len {options.max_model_len} and lists {length}")
    return ServerFacts(
        program=program,
        version=said,
        dtype=options.dtype,
        dtype_seen=words.dtype,
        max_model_len=length or words.max_model_len,
        max_loras=options.max_loras,
        max_lora_rank=options.max_lora_rank,
        args=args,
    )


def _checked_cards(url: str, options: VllmOptions) -> int | None:
    """The length that the base's card states, once all cards were found to be ours."""
    cards = {card.name: card for card in vllm_routes.listed(url)}
    for name, path, parent in (
        (options.base_name, options.base, None),
        *((name, path, options.base_name) for name, path in options.adapters),
    ):
        card = cards.get(name)
        if card is None:
            raise EndpointError(f"vLLM does not serve {name}", hint=f"it serves {', '.join(cards)}")
        if card.root not in (None, str(path)) or (card.parent not in (None, parent)):
            raise EndpointError(f"vLLM serves {name} from {card.root}, parent {card.parent}; {path} was asked for")
    return cards[options.base_name].max_model_len
