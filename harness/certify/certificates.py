"""Certificates on disk: one file beside the bundles that says what was proven of each, and where.

`certificates.json` lies in the folder that was checked. `survey` looks for it from each bundle's own folder upwards.
A certificate counts for a bundle's digest, a session contract and a sandbox recipe: what evalh adds to Debian's base.
The base itself has another digest on every day and machine, so another image of the recipe is told, not refused.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Final, Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from harness.certify.findings import Examination, Weight
from harness.errors import BadInputError
from harness.sandbox.image import inputs_digest
from harness.session import CONTRACT_VERSION
from scenarios import LoadedScenario

FILE: Final = "certificates.json"
_FOLDERS: Final = 4  # looked into upwards: archetype, split, suite, and one around it


class Certificate(BaseModel):
    """What was proven of one bundle, by one sandbox recipe, under one session contract."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: str
    bundle: str  # the bundle's digest
    recipe: str  # digest of what evalh adds to the sandbox's base
    image: str  # the digest of the very image
    engine: str
    evalh: str  # the version that examined it
    session_contract: str
    repeats: int  # runs of the reference, all alike
    flake_rate: float
    attacks: int  # tried; none passed; 0 where another instance stood for this one, or none were asked for
    attacked: str  # the id that the attacks ran on; "" where none did
    needed: tuple[int, ...] | None  # replies of the reference without which it fails; None: not looked for
    remarks: tuple[str, ...]
    date: str  # ISO 8601, UTC


class Certificates(BaseModel):
    """The file: at most one certificate for each bundle and recipe."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    schema_version: Literal[1] = 1
    certificates: tuple[Certificate, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Survey:
    """The certificates that count for some bundles, and one sentence about each bundle that has none."""

    held: tuple[Certificate, ...]
    missing: tuple[str, ...]


def certificate(examination: Examination, engine: str, image: str) -> Certificate:
    """The certificate that an examination without fatal findings earns; ValueError for any other."""
    if not examination.certified:
        msg = f"{examination.loaded.scenario.id} was not certified"
        raise ValueError(msg)
    return Certificate(
        id=examination.loaded.scenario.id,
        bundle=examination.loaded.digest,
        recipe=inputs_digest(),
        image=image,
        engine=engine,
        evalh=version("evalh"),
        session_contract=CONTRACT_VERSION,
        repeats=examination.repeats,
        flake_rate=examination.flake_rate,
        attacks=examination.battery.attacks,
        attacked=examination.battery.on,
        needed=examination.needed,
        remarks=tuple(each.message for each in examination.findings if each.weight is Weight.REMARK),
        date=datetime.now(UTC).isoformat(timespec="seconds"),
    )


def read(path: Path) -> Certificates:
    """The certificates of a file; none where there is no file. BadInputError for a file that is something else."""
    try:
        return Certificates.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        return Certificates()
    except OSError as error:
        raise BadInputError(f"{path} cannot be read: {error.strerror}") from error
    except ValidationError as error:
        raise BadInputError(
            f"{path} does not hold certificates: {error.errors()[0]['msg']}", hint="remove it, and check again"
        ) from error


def write(path: Path, examinations: Iterable[Examination], engine: str, image: str) -> int:
    """Put the certificates that were earned into the file, and take those out that were lost; returns how many hold.

    Certificates of other bundles and of other recipes stay. The file is exchanged whole.
    """
    found = {(each.id, each.recipe): each for each in read(path).certificates}
    for examination in examinations:
        key = (examination.loaded.scenario.id, inputs_digest())
        found.pop(key, None)
        if examination.certified:
            found[key] = certificate(examination, engine, image)
    scratch = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        scratch.write_text(_text([found[key] for key in sorted(found)]), encoding="utf-8")
        scratch.replace(path)
    except OSError as error:
        raise BadInputError(f"{path} cannot be written: {error.strerror}", hint="name another with --out") from error
    finally:
        scratch.unlink(missing_ok=True)
    return len(found)


def survey(loaded: Sequence[LoadedScenario]) -> Survey:
    """Which of the bundles hold a certificate that counts with this version of evalh.

    The files named `certificates.json` in a bundle's folder and the three above it are looked into.

    Raises:
        BadInputError: a file of that name holds something else.
    """
    files: dict[Path, dict[str, list[Certificate]]] = {}
    held: list[Certificate] = []
    missing: list[str] = []
    for item in loaded:
        own: list[Certificate] = []
        for folder in list(item.path.absolute().parents)[:_FOLDERS]:
            if folder not in files:
                files[folder] = _by_id(folder / FILE)
            own += files[folder].get(item.scenario.id, [])
        found = _counting(item, own)
        if isinstance(found, Certificate):
            held.append(found)
        else:
            missing.append(found)
    return Survey(held=tuple(held), missing=tuple(missing))


def _by_id(path: Path) -> dict[str, list[Certificate]]:
    found: dict[str, list[Certificate]] = {}
    for each in read(path).certificates:
        found.setdefault(each.id, []).append(each)
    return found


def _counting(item: LoadedScenario, held: Sequence[Certificate]) -> Certificate | str:
    """The certificate among those of a bundle's name that counts for it, or why none does."""
    name = item.scenario.id
    if not held:
        return f"{name} has no certificate"
    same = [each for each in held if each.bundle == item.digest]
    if not same:
        return f"{name} was changed since it was certified"
    current = [each for each in same if each.session_contract == CONTRACT_VERSION]
    if not current:
        return f"{name} was certified under session contract {same[0].session_contract}"
    here = [each for each in current if each.recipe == inputs_digest()]
    return here[0] if here else f"{name} was certified in a sandbox of another recipe"


def _text(certificates: Sequence[Certificate]) -> str:
    """The file's JSON, a certificate a line: a thousand of them stay readable, and a change shows as one line."""
    lines = ",\n".join(f"    {each.model_dump_json()}" for each in certificates)
    version_line = f'  "schema_version": {json.dumps(Certificates().schema_version)}'
    return "{\n" + version_line + ',\n  "certificates": [' + (f"\n{lines}\n  " if lines else "") + "]\n}\n"
