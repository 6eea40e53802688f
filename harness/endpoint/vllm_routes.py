"""vLLM's own routes beside the chat dialect: its version, its models with their parents, adapters at run time."""

from __future__ import annotations

import http.client
import json
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from harness.endpoint.adapter import read_adapter
from harness.endpoint.address import parse_address
from harness.endpoint.refusals import Refusal
from harness.errors import BadInputError, EndpointError

ASK_SECONDS = 10.0
LOAD_SECONDS = 300.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """One model that the server lists; what it leaves out is None."""

    name: str
    root: str | None
    parent: str | None
    max_model_len: int | None


def healthy(url: str) -> bool:
    """Whether the server at a base URL answers /health with 200 right now."""
    try:
        return _ask(f"{parse_address(url).server}/health")[0] == 200
    except (OSError, http.client.HTTPException):
        return False


def version(url: str) -> str:
    """The version that the server states.

    Raises:
        EndpointError: it states none: it is no vLLM.
    """
    address = f"{parse_address(url).server}/version"
    said = _json(address).get("version")
    if not isinstance(said, str) or not said:
        raise EndpointError(f"{address} states no version", hint="is this a vLLM server?")
    return said


def listed(url: str) -> tuple[Listed, ...]:
    """The models that the server lists, in its order.

    Raises:
        EndpointError: it cannot be asked, or lists none.
    """
    address = f"{parse_address(url).base}/models"
    data = _json(address).get("data")
    if not isinstance(data, list) or not data:
        raise EndpointError(f"{address} lists no models")
    return tuple(_listed(entry) for entry in data if isinstance(entry, dict))


def load_adapter(url: str, name: str, directory: Path, *, api_key: str | None = None) -> None:
    """Have a running vLLM serve an adapter under a name; the directory is one of the server's machine.

    Every adapter that was ever loaded takes a slot that is not emptied when it is unloaded. Where all slots of
    `--max-loras` are taken, some builds mix the arms up: examine the arms afterwards.

    Raises:
        BadInputError: the adapter is damaged, or the server loads none at run time.
        EndpointError: the server refused it or cannot be reached.
    """
    read_adapter(directory)
    address = f"{parse_address(url).base}/load_lora_adapter"
    body = {"lora_name": name, "lora_path": str(directory.resolve())}
    try:
        status, text = _ask(address, body, api_key=api_key, seconds=LOAD_SECONDS)
    except OSError as error:
        raise EndpointError(f"{address} cannot be reached: {error}", hint="is the server running?") from error
    if status in (404, 405) and "lora" not in text.lower():
        raise BadInputError(
            f"{address} answered {status}: this server loads no adapters at run time",
            hint="start it with VLLM_ALLOW_RUNTIME_LORA_UPDATING=True, or with --lora-modules",
        )
    if status != 200:
        raise Refusal(url=address, status=status, body=text).error()


@contextmanager
def lent_adapter(url: str, name: str, directory: Path, *, api_key: str | None = None) -> Iterator[None]:
    """Have a running server serve an adapter for as long as this lasts.

    Raises BadInputError and EndpointError as `load_adapter` does; that it cannot be unloaded afterwards is no error.
    """
    load_adapter(url, name, directory, api_key=api_key)
    try:
        yield
    finally:
        with suppress(OSError, http.client.HTTPException):
            _ask(f"{parse_address(url).base}/unload_lora_adapter", {"lora_name": name}, api_key=api_key)


def _listed(entry: Mapping[str, object]) -> Listed:
    root, parent, length = entry.get("root"), entry.get("parent"), entry.get("max_model_len")
    return Listed(
        name=str(entry.get("id")),
        root=root if isinstance(root, str) else None,
        parent=parent if isinstance(parent, str) else None,
        max_model_len=length if isinstance(length, int) else None,
    )


def _json(url: str) -> Mapping[str, object]:
    try:
        status, text = _ask(url)
        body = json.loads(text) if status == 200 else None
    except OSError as error:
        raise EndpointError(f"{url} cannot be reached: {error}", hint="is the server running?") from error
    except ValueError as error:
        raise EndpointError(f"{url} answered with no JSON", hint="is this a vLLM server?") from error
    if not isinstance(body, dict):
        raise Refusal(url=url, status=status, body=text).error()
    return body


def _ask(url: str, body: object = None, *, api_key: str | None = None, seconds: float = ASK_SECONDS) -> tuple[int, str]:
    headers = {"content-type": "application/json"} | ({"authorization": f"Bearer {api_key}"} if api_key else {})
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data=data, headers=headers)  # noqa: S310 - parse_address lets http(s) pass
    proxies = urllib.request.ProxyHandler({} if parse_address(url).loopback else None)
    try:
        with urllib.request.build_opener(proxies).open(request, timeout=seconds) as response:
            return response.status, response.read().decode("utf-8", "replace")
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode("utf-8", "replace")
