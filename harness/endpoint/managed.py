"""Starts the resident server as a child process, hands out its URL, and ends it whatever happens."""

from __future__ import annotations

import json
import os
import selectors
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from time import monotonic
from typing import BinaryIO

from harness.endpoint.refusals import printable
from harness.errors import BadInputError, EndpointError

STOP_SECONDS = 8.0
_TAIL_BYTES = 4096
_TAIL_LINES = 6


@contextmanager
def resident_server(
    base: Path,
    adapters: Mapping[str, Path],
    *,
    base_name: str = "base",
    dtype: str = "auto",
    device: str = "auto",
    threads: int | None = None,
    max_batch: int = 16,
    deterministic: bool = False,
    load_4bit: bool = False,
    log: Path | None = None,
    start_seconds: float = 900.0,
) -> Iterator[str]:
    """Serve a base and its adapters; yields the URL with `/v1` once the server answers.

    The child ends when this context does, and also when this process is killed: it watches a pipe
    that only this process holds. Its log goes to `log`, or to a file that is gone afterwards.

    Raises:
        BadInputError: the server refused what it was given (it says what).
        EndpointError: it died or did not answer in time; carries the end of its log.
    """
    options = [f"--base={base}", f"--base-name={base_name}", f"--dtype={dtype}", f"--device={device}"]
    options += [f"--adapter={name}={path}" for name, path in adapters.items()]
    options += [f"--max-batch={max_batch}", *([f"--threads={threads}"] if threads else [])]
    options += ["--deterministic"] * deterministic + ["--load-4bit"] * load_4bit
    with child_server([*options, "--port=0"], log=log, start_seconds=start_seconds) as url:
        yield url


@contextmanager
def child_server(options: Sequence[str], *, log: Path | None = None, start_seconds: float = 60.0) -> Iterator[str]:
    """Run `evalh serve` with these options as a child; yields its URL once it answers."""
    with ExitStack() as stack:
        err = stack.enter_context(_log_file(log))
        child = subprocess.Popen(
            [sys.executable, "-m", "evalh", "serve", *options, "--exit-with-stdin", "--json"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=err,
            start_new_session=True,  # a ^C at the terminal is the parent's to handle
        )
        stack.callback(_stop, child)
        yield _ready_url(child, err, monotonic() + start_seconds)


@contextmanager
def _log_file(path: Path | None) -> Iterator[BinaryIO]:
    if path is None:
        with tempfile.TemporaryFile() as file:
            yield file
    else:
        with path.open("a+b") as kept:
            yield kept


def _ready_url(child: subprocess.Popen[bytes], err: BinaryIO, deadline: float) -> str:
    if child.stdout is None:
        raise EndpointError("the server was started without a pipe to hear it by")
    line = bytearray()
    with selectors.DefaultSelector() as selector:
        selector.register(child.stdout, selectors.EVENT_READ)
        while not line.endswith(b"\n"):
            if not selector.select(timeout=max(deadline - monotonic(), 0.0)):
                raise EndpointError(f"the server did not become ready in time{_tail(err)}")
            part = os.read(child.stdout.fileno(), 65536)
            if not part:
                raise _death(child, err)
            line += part
    try:
        return str(json.loads(line)["url"])
    except (ValueError, KeyError, TypeError) as error:
        raise EndpointError(f"the server said something else than that it is ready: {bytes(line[:200])!r}") from error


def _death(child: subprocess.Popen[bytes], err: BinaryIO) -> EndpointError | BadInputError:
    with suppress(subprocess.TimeoutExpired):
        child.wait(timeout=STOP_SECONDS)
    lines = _last_lines(err)
    if child.returncode == BadInputError.exit_code and lines:
        return BadInputError(lines[-1].removeprefix("evalh: "))
    return EndpointError(f"the server ended with status {child.returncode} before it answered{_tail(err)}")


def _tail(err: BinaryIO) -> str:
    lines = _last_lines(err)
    return f"; its log ends: {' | '.join(lines)}" if lines else "; its log is empty"


def _last_lines(err: BinaryIO) -> list[str]:
    size = err.seek(0, os.SEEK_END)
    err.seek(max(size - _TAIL_BYTES, 0))
    lines = err.read().decode("utf-8", "replace").splitlines()
    return [printable(line, 300) for line in lines if line.strip()][-_TAIL_LINES:]


def _stop(child: subprocess.Popen[bytes]) -> None:
    for pipe in (child.stdin, child.stdout):
        if pipe is not None:
            with suppress(OSError):
                pipe.close()
    for end in (None, child.terminate, child.kill):
        if end is not None:
            end()
        try:
            child.wait(timeout=STOP_SECONDS)
        except subprocess.TimeoutExpired:
            continue
        return
