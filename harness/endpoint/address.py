"""Makes a usable base URL out of what a user typed."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlsplit, urlunsplit

from harness.errors import BadInputError

_ROUTES = ("/chat/completions", "/completions", "/models", "/tokenize", "/health")
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """Where an endpoint is."""

    base: str  # the API's root without a trailing slash, e.g. http://127.0.0.1:8000/v1

    @property
    def server(self) -> str:
        """The same without its `/v1`: where vLLM has /tokenize and /health."""
        return self.base.removesuffix("/v1")

    @property
    def loopback(self) -> bool:
        """Whether it is on this machine: no proxy is asked then."""
        return urlsplit(self.base).hostname in _LOOPBACK


def parse_address(url: str) -> Address:
    """Normalise a URL: a missing scheme is http, a missing path `/v1`, routes and slashes at the end are cut.

    Raises:
        BadInputError: no http or https URL with a host.
    """
    text = url.strip()
    if "://" not in text:
        text = f"http://{text}"
    try:
        parts = urlsplit(text)
        host, _ = parts.hostname, parts.port
    except ValueError as error:
        raise BadInputError(f"{url!r} is not a URL: {error}", hint="like http://127.0.0.1:8000/v1") from error
    if parts.scheme not in ("http", "https") or not host or parts.query or parts.fragment:
        raise BadInputError(f"{url!r} is not the URL of an endpoint", hint="like http://127.0.0.1:8000/v1")
    if parts.username or parts.password:
        raise BadInputError("the endpoint's URL holds a password", hint="give the key by its own option")
    path = parts.path.rstrip("/")
    for route in _ROUTES:
        path = path.removesuffix(route).rstrip("/")
    return Address(base=urlunsplit((parts.scheme, parts.netloc, path or "/v1", "", "")))
