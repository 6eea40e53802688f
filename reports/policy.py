"""A policy: the claims that a run must bear out, read from TOML with errors that name file and key."""

from __future__ import annotations

import difflib
import tomllib
from enum import StrEnum
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from harness.errors import BadInputError
from harness.values import ParityLevel
from reports.plain import plain
from reports.tally import METRICS

SHIPPED = ("promote", "regression", "smoke")
DEFAULT = "promote"
MAX_BYTES = 64 * 1024

Share = Annotated[float, Field(ge=0, le=1)]
Inside = Annotated[float, Field(gt=0, lt=1)]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class ClaimKind(StrEnum):
    """What a claim says of its metric."""

    SUPERIORITY = "superiority"  # tuned is better than base: exact two-sided p <= alpha, in the good direction
    NON_INFERIORITY = "non_inferiority"  # tuned is less than `margin` worse: one-sided score p <= alpha
    MINIMUM_RATE = "minimum_rate"  # tuned's rate of the good answer is at least `threshold`
    ZERO_VIOLATIONS = "zero_violations"  # no pair that base gets right and tuned wrong


class Tier(StrEnum):
    """How much a claim weighs in the decision."""

    CRITICAL = "critical"  # the gate passes only if it is met
    SUPPORTING = "supporting"  # reported; a pass becomes inconclusive if the data show its opposite
    ADVISORY = "advisory"  # reported only


class Subset(_Part):
    """Which scenarios a claim is about; both given: those that fit both."""

    archetype: Annotated[str, Field(min_length=1)] | None = None
    critical: bool | None = None


class Claim(_Part):
    """One statement that the gate tests."""

    metric: str
    kind: ClaimKind
    tier: Tier = Tier.CRITICAL
    alpha: Annotated[float, Field(gt=0, lt=0.5)] | None = None
    margin: Inside | None = None
    threshold: Annotated[float, Field(gt=0, le=1)] | None = None
    subset: Subset = Subset()

    @field_validator("metric")
    @classmethod
    def _known(cls, value: str) -> str:
        if value not in METRICS:
            near = difflib.get_close_matches(value, METRICS, n=1)
            guess = f"; did you mean {near[0]!r}?" if near else f"; known are {', '.join(METRICS)}"
            msg = f"unknown metric {value!r}{guess}"
            raise ValueError(msg)
        return value

    @model_validator(mode="after")
    def _has_what_its_kind_needs(self) -> Self:
        needs, allows = {
            ClaimKind.SUPERIORITY: ({"alpha"}, {"alpha"}),
            ClaimKind.NON_INFERIORITY: ({"alpha", "margin"}, {"alpha", "margin"}),
            ClaimKind.MINIMUM_RATE: ({"threshold"}, {"threshold", "alpha"}),
            ClaimKind.ZERO_VIOLATIONS: (set[str](), set[str]()),
        }[self.kind]
        given = {name for name in ("alpha", "margin", "threshold") if getattr(self, name) is not None}
        if missing := needs - given:
            msg = f"a {self.kind} claim needs {' and '.join(sorted(missing))}"
            raise ValueError(msg)
        if surplus := given - allows:
            msg = f"a {self.kind} claim has no {' or '.join(sorted(surplus))}"
            raise ValueError(msg)
        return self


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
        return Policy.model_validate(tomllib.loads(content.decode()))
    except UnicodeDecodeError as error:
        raise BadInputError(f"{where}: not UTF-8 text at byte {error.start}", hint=hint) from error
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise BadInputError(f"{where}: not TOML: {plain(str(error))}", hint=hint) from error
    except ValidationError as error:
        problems = (_problem(str_path(e["loc"]), e["msg"], e["type"]) for e in error.errors())
        raise BadInputError(f"{where}: {'; '.join(problems)}", hint=hint) from error


def str_path(loc: tuple[int | str, ...]) -> str:
    """A pydantic location as a key path: claims[0].alpha; the whole file if it is empty."""
    text = "".join(f"[{part}]" if isinstance(part, int) else f".{plain(part, 60)}" for part in loc)
    return text.removeprefix(".") or "(whole file)"


def _problem(key: str, message: str, kind: str) -> str:
    if kind == "extra_forbidden":
        return f"{key}: unknown key"
    return f"{key}: {plain(message.removeprefix('Value error, '))}"
