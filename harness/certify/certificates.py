"""Certificates on disk: one file beside the bundles that says what was proven of each, and where.

`certificates.json` lies in the folder that was checked. `certified` looks for it from a bundle's own folder upwards.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Final, Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from harness.certify.findings import Examination, Weight
from harness.errors import BadInputError
from harness.session import CONTRACT_VERSION
from scenarios import LoadedScenario

FILE: Final = "certificates.json"
_FOLDERS: Final = 4  # looked into upwards: archetype, split, suite, and one around it
_AGAIN: Final = "run `evalh scenario check` on it"


class Certificate(BaseModel):
    """What was proven of one bundle, in one image, under one session contract."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: str
    bundle: str  # the bundle's digest
    image: str  # the sandbox image's digest
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
    """The file: at most one certificate for each bundle and image."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    schema_version: Literal[1] = 1
    certificates: tuple[Certificate, ...] = ()


def certificate(examination: Examination, engine: str, image: str) -> Certificate:
    """The certificate that an examination without fatal findings earns; ValueError for any other."""
    if not examination.certified:
        msg = f"{examination.loaded.scenario.id} was not certified"
        raise ValueError(msg)
    return Certificate(
        id=examination.loaded.scenario.id,
        bundle=examination.loaded.digest,
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

    Certificates of other bundles and of other images stay. The file is exchanged whole.
    """
    found = {(each.id, each.image): each for each in read(path).certificates}
    for examination in examinations:
        key = (examination.loaded.scenario.id, image)
        found.pop(key, None)
        if examination.certified:
            found[key] = certificate(examination, engine, image)
    text = Certificates(certificates=tuple(found[key] for key in sorted(found))).model_dump_json(indent=2)
    scratch = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        scratch.write_text(text + "\n", encoding="utf-8")
        scratch.replace(path)
    except OSError as error:
        raise BadInputError(f"{path} cannot be written: {error.strerror}", hint="name another with --out") from error
    finally:
        scratch.unlink(missing_ok=True)
    return len(found)


def certified(loaded: LoadedScenario, image_digest: str | None) -> Certificate | str:
    """The bundle's certificate, or one sentence about why it has none that counts here.

    It counts where the bundle's digest, the session contract and the image are the same; `image_digest` None
    accepts any image. The files named `certificates.json` in the bundle's folder and the three above are looked into.
    Raises BadInputError for a file of that name that holds something else.
    """
    name = loaded.scenario.id
    held = [each for folder in _folders(loaded.path) for each in read(folder / FILE).certificates if each.id == name]
    if not held:
        return f"{name} has no certificate; {_AGAIN}"
    same = [each for each in held if each.bundle == loaded.digest]
    if not same:
        return f"{name} was changed since it was certified; {_AGAIN}"
    current = [each for each in same if each.session_contract == CONTRACT_VERSION]
    if not current:
        return f"{name} was certified under session contract {same[0].session_contract}; {_AGAIN}"
    here = [each for each in current if image_digest in {None, each.image}]
    return here[0] if here else f"{name} was certified in another sandbox image; {_AGAIN}"


def _folders(path: Path) -> list[Path]:
    return list(path.absolute().parents)[:_FOLDERS]
