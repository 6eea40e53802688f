"""The models that the resident server offers by name: the base, and the adapters that are loaded right now."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType

from harness.endpoint.answers import Json, model_card
from harness.endpoint.dialect import ApiError
from harness.errors import BadInputError

OWNER = "evalh"
MAX_NAME = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Served:
    """One model by the name that requests use."""

    name: str
    key: str  # what the worker knows its adapter by
    path: Path
    parent: str | None = None  # the base's name, for adapters
    created: int = field(default_factory=lambda: int(time.time()))


@dataclass(frozen=True, slots=True, kw_only=True)
class Catalogue:
    """Every served model; a change makes a new catalogue."""

    base: Served
    max_model_len: int
    adapters: Mapping[str, Served] = field(default_factory=lambda: MappingProxyType({}))

    def find(self, name: str) -> Served:
        """The model of that name.

        Raises:
            ApiError: 404, listing what is served.
        """
        found = self.base if name == self.base.name else self.adapters.get(name)
        if found is None:
            served = ", ".join(self.names())
            message = f"The model `{name[:MAX_NAME]}` does not exist. Served here: {served}"
            raise ApiError(404, message, param="model", code="model_not_found", kind="NotFoundError")
        return found

    def names(self) -> tuple[str, ...]:
        """Every name, the base's first."""
        return (self.base.name, *self.adapters)

    def check_name(self, name: str) -> None:
        """Refuse a name that cannot be added.

        Raises:
            BadInputError: taken, or nothing that a request could say.
        """
        if not name.strip() or not name.isprintable() or len(name) > MAX_NAME:
            raise BadInputError(f"{name[:MAX_NAME]!r} cannot be a model's name")
        if name in self.names():
            raise BadInputError(f"the name {name} is already taken", hint="unload it first, or choose another name")

    def plus(self, name: str, key: str, path: Path) -> Catalogue:
        """With one more adapter."""
        added = Served(name=name, key=key, path=path, parent=self.base.name)
        return replace(self, adapters=MappingProxyType({**self.adapters, name: added}))

    def minus(self, name: str) -> Catalogue:
        """Without an adapter."""
        rest = {other: served for other, served in self.adapters.items() if other != name}
        return replace(self, adapters=MappingProxyType(rest))

    def cards(self) -> list[Json]:
        """The entries of `GET /v1/models`."""
        return [
            model_card(
                served.name,
                owner=OWNER,
                created=served.created,
                root=str(served.path),
                parent=served.parent,
                max_model_len=self.max_model_len,
            )
            for served in (self.base, *self.adapters.values())
        ]
