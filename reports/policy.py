"""A policy: the claims that a run must bear out, read from TOML with errors that name file and key."""

from __future__ import annotations

import difflib
import re
import tomllib
from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from harness.errors import BadInputError
from harness.values import ParityLevel
from reports.measures import MEASURES
from reports.plain import plain
from reports.tally import METRICS
from reports.words import ClaimKind, Tier

SHIPPED = ("promote", "regression", "smoke")
DEFAULT = "promote"
MAX_BYTES = 64 * 1024

Share = Annotated[float, Field(ge=0, le=1, strict=True)]  # strict: 0.05 in quotes is no number
Inside = Annotated[float, Field(gt=0, lt=1, strict=True)]
Above = Annotated[float, Field(gt=0, strict=True)]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Subset(_Part):
    """Which scenarios a claim is about; both given: those that fit both."""

    archetype: Annotated[str, Field(min_length=1)] | None = None
    critical: Annotated[bool, Field(strict=True)] | None = None


class Claim(_Part):
    """One statement that the gate tests; of `maximum_cost` the metric is a measure: turns, seconds, tokens."""

    metric: str
    kind: ClaimKind
    tier: Tier = Tier.CRITICAL
    alpha: Annotated[float, Field(gt=0, lt=0.5, strict=True)] | None = None
    margin: Inside | None = None
    minimum_effect: Inside | None = None
    threshold: Above | None = None
    ratio: Above | None = None
    subset: Subset = Subset()

    @field_validator("metric")
    @classmethod
    def _known(cls, value: str) -> str:
        known = [*METRICS, *MEASURES]
        if value not in known:
            near = difflib.get_close_matches(value, known, n=1)
            guess = f"; did you mean {near[0]!r}?" if near else f"; known are {', '.join(known)}"
            msg = f"unknown metric {value!r}{guess}"
            raise ValueError(msg)
        return value

    @model_validator(mode="after")
    def _is_of_its_kinds_metrics(self) -> Self:
        known = MEASURES if self.kind is ClaimKind.MAXIMUM_COST else METRICS
        if self.metric not in known:
            msg = f"a {self.kind} claim is about one of {', '.join(known)}, not about {self.metric}"
            raise ValueError(msg)
        return self

    @model_validator(mode="after")
    def _has_what_its_kind_needs(self) -> Self:
        needs, allows = _KEYS[self.kind]
        given = {name for name in _NUMBERS if getattr(self, name) is not None}
        if missing := needs - given:
            msg = f"a {self.kind} claim needs {' and '.join(sorted(missing))}"
            raise ValueError(msg)
        if surplus := given - needs - allows:
            msg = f"a {self.kind} claim has no {' or '.join(sorted(surplus))}"
            raise ValueError(msg)
        if self.kind is ClaimKind.MAXIMUM_COST and (self.threshold is None) == (self.ratio is None):
            msg = "a maximum_cost claim needs either threshold (in the measure's unit) or ratio (of base's cost)"
            raise ValueError(msg)
        if self.kind is ClaimKind.MINIMUM_RATE and self.threshold is not None and self.threshold > 1:
            msg = f"the threshold of a minimum_rate claim is at most 1, not {self.threshold:g}"
            raise ValueError(msg)
        if self.kind is ClaimKind.MINIMUM_RATE and self.threshold == 1 and self.alpha is not None:
            msg = "no number of trials shows a rate of 1: lower the threshold, or leave alpha out"
            raise ValueError(msg)
        return self


_NUMBERS = ("alpha", "margin", "minimum_effect", "threshold", "ratio")
_KEYS: Mapping[ClaimKind, tuple[frozenset[str], frozenset[str]]] = MappingProxyType(
    {  # what a claim of the kind must have, and what it may have
        ClaimKind.SUPERIORITY: (frozenset({"alpha"}), frozenset({"minimum_effect"})),
        ClaimKind.NON_INFERIORITY: (frozenset({"alpha", "margin"}), frozenset()),
        ClaimKind.MINIMUM_RATE: (frozenset({"threshold"}), frozenset({"alpha"})),
        ClaimKind.ZERO_VIOLATIONS: (frozenset(), frozenset()),
        ClaimKind.MAXIMUM_COST: (frozenset(), frozenset({"threshold", "ratio", "alpha"})),
    }
)


class Policy(_Part):
    """A named list of claims, how many invalid pairs the gate bears, and how prompts must have been compared."""

    schema_version: Literal[1]
    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,62}$")]
    description: str = ""
    max_invalid_share: Share = 0.2
    parity: ParityLevel = ParityLevel.TOKENIZE
    claims: Annotated[tuple[Claim, ...], Field(min_length=1, max_length=100)]

    @model_validator(mode="after")
    def _something_decides(self) -> Self:
        if not any(claim.tier is Tier.CRITICAL for claim in self.claims):
            msg = "no claim has the tier 'critical', so that nothing could fail"
            raise ValueError(msg)
        return self

    @model_validator(mode="after")
    def _says_nothing_twice(self) -> Self:
        said = [claim.model_copy(update={"tier": Tier.CRITICAL}) for claim in self.claims]
        for number, claim in enumerate(said):
            if claim in said[:number]:
                msg = f"claims[{number}] says the same as claims[{said.index(claim)}]"
                raise ValueError(msg)
        return self


def load_policy(name: str = DEFAULT) -> Policy:
    """A shipped policy by its name, or the one in the TOML file `name`.

    Raises:
        BadInputError: there is no such policy, or it is wrong; file and key are named.
    """
    if name in SHIPPED:
        return _parse((files("reports") / "policies" / f"{name}.toml").read_bytes(), f"{name}.toml (shipped)")
    path = Path(name)
    try:
        with path.open("rb") as stream:
            content = stream.read(MAX_BYTES + 1)
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else str(error)
        hint = f"shipped policies are {', '.join(SHIPPED)}; anything else is the path of a TOML file"
        raise BadInputError(f"cannot read the policy {plain(name)}: {why}", hint=hint) from error
    if len(content) > MAX_BYTES:
        raise BadInputError(f"{plain(name)} is larger than {MAX_BYTES // 1024} KiB", hint="is it a policy?")
    return _parse(content, plain(name))


def _parse(content: bytes, where: str) -> Policy:
    hint = "docs/report.md describes policies"
    try:
        text = content.decode()
        return Policy.model_validate(tomllib.loads(text))
    except UnicodeDecodeError as error:
        raise BadInputError(f"{where}: not UTF-8 text at byte {error.start}", hint=hint) from error
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise BadInputError(f"{where}: not TOML: {plain(str(error))}", hint=hint) from error
    except ValidationError as error:
        found = [e for e in error.errors() if len(e["loc"]) != 1 or e["type"] != "too_short"] or error.errors()
        problems = (_problem(str_path(e["loc"]), e["msg"], e["type"]) for e in found)
        line = _line(text, found[0]["loc"])
        hint = f"line {line}; {hint}" if line else hint
        raise BadInputError(f"{where}: {'; '.join(problems)}", hint=hint) from error


def _line(text: str, loc: tuple[int | str, ...]) -> int | None:
    """The line, from 1, of a key of a policy file as people write it; None if it is not found so simply."""
    lines = text.splitlines()
    starts = [i for i, line in enumerate(lines) if re.match(r"\s*\[\[\s*claims\s*\]\]", line)] + [len(lines)]
    first, last, names = 0, starts[0], [part for part in loc if isinstance(part, str)]
    if len(loc) > 1 and loc[0] == "claims" and isinstance(loc[1], int) and loc[1] + 1 < len(starts):
        first, last, names = starts[loc[1]], starts[loc[1] + 1], names[1:]
    for name in reversed(names):
        for i in range(first, last):
            if re.match(rf"""\s*(.*[\s.{{,])?["']?{re.escape(name)}["']?\s*=""", lines[i]):
                return i + 1
    return first + 1 if first < last and lines[first].lstrip().startswith("[[") else None


def str_path(loc: tuple[int | str, ...]) -> str:
    """A pydantic location as a key path: claims[0].alpha; the whole file if it is empty."""
    text = "".join(f"[{part}]" if isinstance(part, int) else f".{plain(part, 60)}" for part in loc)
    return text.removeprefix(".") or "(whole file)"


def _problem(key: str, message: str, kind: str) -> str:
    if kind == "extra_forbidden":
        return f"{key}: unknown key"
    return f"{key}: {plain(message.removeprefix('Value error, '))}"
