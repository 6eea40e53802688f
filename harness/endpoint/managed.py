"""Starts the resident server as a child process, hands out its URL, and ends it whatever happens."""

from __future__ import annotations

import json
import os
import selectors
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from time import monotonic
from typing import BinaryIO

from harness.endpoint.child import STOP_SECONDS, last_lines, log_file, stop, tail
from harness.errors import BadInputError, EndpointError


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
        err = stack.enter_context(log_file(log))
        child = subprocess.Popen(
            [sys.executable, "-m", "evalh", "serve", *options, "--exit-with-stdin", "--json"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=err,
            start_new_session=True,  # a ^C at the terminal is the parent's to handle
        )
        stack.callback(stop, child)
        yield _ready_url(child, err, monotonic() + start_seconds)


def _ready_url(child: subprocess.Popen[bytes], err: BinaryIO, deadline: float) -> str:
    if child.stdout is None:
        raise EndpointError("the server was started without a pipe to hear it by")
    line = bytearray()
    with selectors.DefaultSelector() as selector:
        selector.register(child.stdout, selectors.EVENT_READ)
        while not line.endswith(b"\n"):
            if not selector.select(timeout=max(deadline - monotonic(), 0.0)):
                raise EndpointError(f"the server did not become ready in time{tail(err)}")
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
    lines = last_lines(err)
    if child.returncode == BadInputError.exit_code and lines:
        return BadInputError(lines[-1].removeprefix("evalh: "))
    return EndpointError(f"the server ended with status {child.returncode} before it answered{tail(err)}")
