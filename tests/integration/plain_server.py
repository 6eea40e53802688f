"""A minimal OpenAI-compatible server on the standard library: no extras, no token ids, no /tokenize."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

KNOWN = {"model", "messages", "max_tokens", "temperature", "top_p", "seed", "stop", "stream", "n"}


@contextmanager
def plain_server(replies: Mapping[str, str]) -> Iterator[str]:
    """Serve each model's one reply; a field outside the common ones is refused with a 400. Yields the URL."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Handler, replies))
    server.daemon_threads = True
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/v1"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def __init__(self, replies: Mapping[str, str], *args: Any) -> None:
        self.replies = replies
        super().__init__(*args)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base's name
        del format, args

    def do_GET(self) -> None:
        if self.path == "/v1/models":
            self._answer(200, {"object": "list", "data": [{"id": name, "object": "model"} for name in self.replies]})
        else:
            self._refuse(404, "not found")

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        unknown = sorted(set(body) - KNOWN)
        if self.path != "/v1/chat/completions":
            self._refuse(404, "not found")
        elif unknown:
            self._refuse(400, f"unknown field {unknown[0]}", type="invalid_request_error")
        elif body["model"] not in self.replies:
            self._refuse(404, "no such model", code="model_not_found")
        else:
            message = {"role": "assistant", "content": self.replies[body["model"]]}
            choice = {"index": 0, "message": message, "finish_reason": "stop"}
            shared = {"id": "x", "object": "chat.completion", "created": 0, "model": body["model"]}
            self._answer(200, {**shared, "choices": [choice]})

    def _refuse(self, status: int, message: str, **more: str) -> None:
        self._answer(status, {"error": {"message": message, **more}})

    def _answer(self, status: int, body: object) -> None:
        payload = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(payload)))
        self.end_headers()
        self.wfile.write(payload)
