"""The page over HTTP on this machine's own loopback: four addresses, read only, for a browser that is really here."""

from __future__ import annotations

from contextlib import suppress
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs

from harness.errors import BadInputError, EvalhError
from reports.views.html.live import LiveRun
from reports.views.html.page import content_policy

HOST = "127.0.0.1"
NAMES = frozenset({"127.0.0.1", "localhost"})  # a page of elsewhere that resolves to this machine has another name
SECONDS = 30.0  # that a client may take to say what it wants


class PageServer(ThreadingHTTPServer):
    """Serves one run until it is shut down; a slow client holds nobody up."""

    daemon_threads = True
    block_on_close = False

    def __init__(self, run: LiveRun, port: int) -> None:
        """Listen on `port`, or on a free one for 0; BadInputError if that cannot be."""
        self.run = run
        try:
            super().__init__((HOST, port), _Handler)
        except OSError as error:
            raise BadInputError(
                f"cannot listen on {HOST}:{port}: {error.strerror}", hint="leave --port out for a free one"
            ) from error

    @property
    def url(self) -> str:
        """Where the page is."""
        return f"http://{HOST}:{self.server_address[1]}/"


class _Handler(BaseHTTPRequestHandler):
    server: PageServer
    server_version = "evalh"
    sys_version = ""
    timeout = SECONDS

    def handle(self) -> None:
        """Answer; a browser that leaves before it has its answer is nobody's error."""
        with suppress(ConnectionError):
            super().handle()

    def do_GET(self) -> None:
        """Answer one of the four addresses."""
        self._answer()

    def do_HEAD(self) -> None:
        """The same without a body."""
        self._answer()

    def _answer(self) -> None:
        if not self._is_local():
            self._send(HTTPStatus.FORBIDDEN, "text/plain", "ask for 127.0.0.1 or localhost by that name\n")
            return
        path, _, query = self.path.partition("?")
        given = {name: values[0] for name, values in parse_qs(query).items()}
        try:
            status, kind, body = self._page(path, given)
        except EvalhError as error:
            status, kind, body = HTTPStatus.SERVICE_UNAVAILABLE, "text/plain", f"{error}\n"
        self._send(status, kind, body)

    def _is_local(self) -> bool:
        """Whether the browser asked for this machine by its own name: a rebound name of elsewhere is refused."""
        hosts = self.headers.get_all("Host") or []
        return len(hosts) == 1 and hosts[0].rsplit(":", 1)[0] in NAMES

    def _page(self, path: str, given: dict[str, str]) -> tuple[HTTPStatus, str, str]:
        if path == "/":
            return HTTPStatus.OK, "text/html", self.server.run.page()
        if path == "/data":
            news = self.server.run.news(given.get("version", ""))
            return (HTTPStatus.NO_CONTENT, "", "") if news is None else (HTTPStatus.OK, "application/json", news)
        if path == "/session":
            attempt = given.get("attempt", "1")
            number = int(attempt) if attempt.isascii() and attempt.isdigit() and len(attempt) < 4 else 0
            session = self.server.run.session(given.get("trial", ""), number)
            if session is not None:
                return HTTPStatus.OK, "application/json", session
        if path == "/favicon.ico":
            return HTTPStatus.NO_CONTENT, "", ""
        return HTTPStatus.NOT_FOUND, "text/plain", "there is no such page\n"

    def _send(self, status: HTTPStatus, kind: str, body: str) -> None:
        data = body.encode("utf-8", "replace")
        self.send_response(status)
        if kind:
            self.send_header("Content-Type", f"{kind}; charset=utf-8")
        if status is not HTTPStatus.NO_CONTENT:
            self.send_header("Content-Length", str(len(data)))
        policy = f"{content_policy(live=True)}; frame-ancestors 'none'"
        for name, value in (
            ("Content-Security-Policy", policy),
            ("X-Content-Type-Options", "nosniff"),
            ("X-Frame-Options", "DENY"),
            ("Referrer-Policy", "no-referrer"),
            ("Cross-Origin-Resource-Policy", "same-origin"),
            ("Cross-Origin-Opener-Policy", "same-origin"),
            ("Cache-Control", "no-store"),
        ):
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """Refuse what is no GET or HEAD, or no request at all, in the words of every other answer."""
        del explain
        self.close_connection = True
        self._send(HTTPStatus(code), "text/plain", f"{message or 'this server only answers GET and HEAD'}\n")

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class named it
        """Say nothing: the terminal belongs to the command."""
