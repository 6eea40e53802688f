"""Servers of other makes, as far as a client sees them: real HTTP, each with its own manners."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from time import sleep
from typing import Any

Request = dict[str, Any]


@dataclass(frozen=True)
class Reply:
    """What a stranger answers: a JSON value or raw bytes; with a `drip`, so many blanks before it, 20 a second."""

    body: Any
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    drip: int = 0


@dataclass
class Stranger:
    """A running server and what it was asked."""

    url: str
    asked: list[tuple[str, Request, dict[str, str]]]

    def chats(self) -> list[Request]:
        return [body for path, body, _ in self.asked if path.endswith("/chat/completions")]


def said(text: str | None = "hi", **choice: Any) -> Reply:
    """A plain completion."""
    message = {"role": "assistant", "content": text}
    return Reply({"model": "m", "choices": [{"index": 0, "message": message, "finish_reason": "stop", **choice}]})


def refused(status: int, message: str, **fields: Any) -> Reply:
    """An OpenAI-shaped error."""
    return Reply({"error": {"message": message, "type": "invalid_request_error", **fields}}, status)


def _write(handler: BaseHTTPRequestHandler, content: bytes, drip: int) -> None:
    if not drip:
        handler.wfile.write(content)
        return
    handler.wfile.flush()
    with suppress(OSError):  # nobody listens any more
        for _ in range(drip):
            handler.connection.sendall(b" ")
            sleep(0.05)
        handler.connection.sendall(content)


@contextmanager
def stranger(chat: Callable[[Request], Reply], *, routes: dict[str, Reply] | None = None) -> Iterator[Stranger]:
    """Serve `chat` for completions, `routes` for the rest; a list of the model "m" unless said otherwise."""
    known = {"/v1/models": Reply({"object": "list", "data": [{"id": "m", "owned_by": "somebody"}]})} | (routes or {})
    asked: list[tuple[str, Request, dict[str, str]]] = []

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = -1  # head and body in one packet: apart, the second waits 40 ms for the first one's receipt

        def do_GET(self) -> None:
            self.answer({})

        def do_POST(self) -> None:
            self.answer(json.loads(self.rfile.read(int(self.headers["content-length"]))))

        def answer(self, body: Request) -> None:
            asked.append((self.path, body, {name.lower(): value for name, value in self.headers.items()}))
            if self.path == "/v1/chat/completions":
                reply = chat(body)
            else:
                reply = known.get(self.path, Reply({"detail": "Not Found"}, 404))
            content = reply.body if isinstance(reply.body, bytes) else json.dumps(reply.body).encode()
            self.send_response(reply.status)
            for name, value in {"content-type": "application/json", **reply.headers}.items():
                self.send_header(name, value)
            self.send_header("content-length", str(reply.drip + len(content)))
            self.end_headers()
            _write(self, content, reply.drip)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the library's name
            del format, args

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield Stranger(url=f"http://127.0.0.1:{server.server_address[1]}/v1", asked=asked)
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
