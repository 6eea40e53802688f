"""`evalh serve`: the resident server of a base and its adapters, or a scripted one."""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

import click

from harness.errors import BadInputError

if TYPE_CHECKING:
    from harness.endpoint.lifetime import ParentWatch
    from harness.endpoint.resident.options import ServeOptions

MIB = 1 << 20
PACKAGES = frozenset({"torch", "transformers", "peft", "fastapi", "uvicorn", "starlette", "anyio", "safetensors"})
# Read by the libraries when they are imported. Waiting threads must not spin: on busy cores that makes each of
# torch's passes several times slower, while sleeping costs nothing that shows on idle ones.
ENVIRONMENT = MappingProxyType({"HF_HUB_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false", "OMP_WAIT_POLICY": "PASSIVE"})
Say = Callable[[str, tuple[str, ...], str], None]  # URL, models, how they run
_DIRECTORY = click.Path(path_type=Path)


@click.command()
@click.option("--base", type=_DIRECTORY, help="the base checkpoint's directory")
@click.option("--adapter", "adapters", metavar="NAME=DIR", multiple=True, help="a LoRA adapter; may be repeated")
@click.option("--scripted", type=click.Path(path_type=Path), help="serve a JSON script instead of a model")
@click.option("--host", default="127.0.0.1", show_default=True, help="address to listen at")
@click.option("--port", type=click.IntRange(0, 65535), default=0, show_default=True, help="0: any free one")
@click.option("--base-name", default="base", show_default=True, help="the base's model name")
@click.option("--dtype", type=click.Choice(["auto", "float32", "bfloat16"]), default="auto", show_default=True)
@click.option("--device", type=click.Choice(["auto", "cpu", "cuda"]), default="auto", show_default=True)
@click.option("--threads", type=click.IntRange(1), help="CPU threads; default: by the model's size")
@click.option("--max-batch", type=click.IntRange(1, 512), default=16, show_default=True, help="rows at once")
@click.option("--max-model-len", type=click.IntRange(2), help="tokens of prompt and reply; default: the base's own")
@click.option("--chat-template", type=click.Path(path_type=Path), help="a template file instead of the tokenizer's")
@click.option("--prefix-cache-mib", type=click.IntRange(0), default=1024, show_default=True, help="0: reuse nothing")
@click.option("--deterministic", is_flag=True, help="one request at a time, nothing reused: same seed, same bytes")
@click.option("--load-4bit", is_flag=True, help="quantise the base on load (CUDA and bitsandbytes)")
@click.option("--exit-with-stdin", "--parent-pipe", is_flag=True, help="end when standard input ends")
@click.option("--json", "as_json", is_flag=True, help="print the readiness line as JSON")
def serve(
    *,
    base: Path | None,
    adapters: tuple[str, ...],
    scripted: Path | None,
    host: str,
    port: int,
    exit_with_stdin: bool,
    as_json: bool,
    **rest: object,
) -> None:
    """Serve a base and its LoRA adapters over the chat-completions dialect, from one process.

    Prints one line with the URL once the server answers. Adapters can be loaded and unloaded while
    it runs.
    """
    if (base is None) == (scripted is None):
        raise BadInputError("give either --base DIR or --scripted FILE")
    with _serve_extra():
        from harness.endpoint import web
        from harness.endpoint.lifetime import ParentWatch

        watch = ParentWatch() if exit_with_stdin else None
        say = _say_json if as_json else _say_text
        if base is None:
            _serve_script(scripted or Path(), host=host, port=port, say=say, watch=watch)
            return
        options = _options(base, adapters, rest)
        with web.bind(host, port) as bound:
            _serve_model(options, bound=bound, say=say, watch=watch)


def _options(base: Path, adapters: tuple[str, ...], rest: Mapping[str, object]) -> ServeOptions:
    """The options, checked as far as they can be without loading anything."""
    from harness.endpoint.adapter import check_adapter_fits
    from harness.endpoint.checkpoint import check_base
    from harness.endpoint.resident.options import ServeOptions

    check_base(base)
    named = _named(adapters)
    for path in named.values():
        check_adapter_fits(path, base)
    values = {**rest, "prefix_cache_bytes": int(str(rest["prefix_cache_mib"])) * MIB}
    del values["prefix_cache_mib"]
    return ServeOptions(base=base, adapters=named, **values)  # type: ignore[arg-type] # click has checked each


def _named(adapters: tuple[str, ...]) -> dict[str, Path]:
    named: dict[str, Path] = {}
    for text in adapters:
        name, equals, path = text.partition("=")
        if not equals or not name or not path:
            raise BadInputError(f"--adapter {text}: not of the form NAME=DIR")
        if name in named:
            raise BadInputError(f"--adapter {text}: the name {name} was given twice")
        named[name] = Path(path)
    return named


def _serve_script(path: Path, *, host: str, port: int, say: Say, watch: ParentWatch | None) -> None:
    from harness.endpoint import lifetime, web
    from harness.endpoint.script import load_script
    from harness.endpoint.scripted import make_scripted_app

    script = load_script(path)
    with web.bind(host, port) as bound:
        app = make_scripted_app(script)
        lifetime.serve(app, bound, lambda url: say(url, tuple(script.models), "scripted"), watch)


def _serve_model(options: ServeOptions, *, bound: socket.socket, say: Say, watch: ParentWatch | None) -> None:
    for name, value in ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    from harness.endpoint import lifetime
    from harness.endpoint.resident.app import make_resident_app
    from harness.endpoint.resident.service import Service
    from harness.endpoint.resident.tokens import load_tokenizer
    from harness.endpoint.resident.worker import Worker

    with Worker(options, load_tokenizer(options)) as worker:
        service = Service(worker, options)
        for name, path in options.adapters.items():
            service.add_adapter(name, path)
        ready = lambda url: say(url, service.catalogue.names(), service.describe())  # noqa: E731 - one use
        lifetime.serve(make_resident_app(service), bound, ready, watch)


def _say_text(url: str, models: tuple[str, ...], how: str) -> None:
    click.echo(f"serving {', '.join(models)} at {url} ({how})")


def _say_json(url: str, models: tuple[str, ...], how: str) -> None:
    click.echo(json.dumps({"event": "ready", "url": url, "models": list(models), "how": how, "pid": os.getpid()}))


@contextmanager
def _serve_extra() -> Iterator[None]:
    """Turn a missing package into the command that installs it."""
    try:
        yield
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in PACKAGES:
            raise
        raise BadInputError(f"evalh serve needs the package {error.name}", hint="pip install 'evalh[serve]'") from error
