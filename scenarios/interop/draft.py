"""A bundle in the making: its TOML text, its larger files beside it, and its place in a suite."""

from __future__ import annotations

import json
import re
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from harness.errors import BadInputError, BundleError
from scenarios.bundle import Split
from scenarios.loader import LoadedScenario, load_file

_INLINE = 16_384  # bytes of a text that stands in the bundle itself
_BARE = re.compile(r"[A-Za-z0-9_-]+")

Scalar = str | int | float | bool
Table = Mapping[str, "Scalar | Sequence[Scalar] | Mapping[str, Scalar]"]


@dataclass(frozen=True, slots=True, kw_only=True)
class DraftFile:
    """A file of the world; `mode` is octal text."""

    path: str
    content: bytes
    mode: str = "644"
    owner: str = "operator"


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """Everything that becomes a bundle, and the notes on what was assumed while it was made."""

    id: str
    archetype: str
    origin: str  # the first sentence of its provenance
    tags: Table
    landing: Table
    files: tuple[DraftFile, ...]
    setup: str
    retrieved_when: str
    checks: tuple[Table, ...]
    replies: tuple[str, ...]
    expected: str = "exit"
    limits: Table = field(default_factory=dict)
    notes: tuple[str, ...] = ()


def is_name(text: str) -> bool:
    """Whether a text can be the name of a bundle or an archetype."""
    return re.fullmatch(r"[a-z0-9][a-z0-9-]{0,62}", text) is not None


def slug(text: str) -> str:
    """A bundle's name made of any text: small letters, digits and -; "task" if nothing is left."""
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")[:63].strip("-") or "task"


def place(draft: Draft, out: Path) -> LoadedScenario:
    """Write the bundle as OUT/ARCHETYPE/ID.toml, its larger files into ID/ beside it, and load it.

    In a folder that is named train the split is train, else holdout. A bundle that does not load is not left behind.

    Raises:
        BadInputError: the place is taken or cannot be written. BundleError: the format does not allow it.
    """
    folder = out / draft.archetype
    final, beside = folder / f"{draft.id}.toml", folder / draft.id
    for taken in (final, beside):
        if taken.exists():
            raise BadInputError(f"{taken} is there already", hint="remove it first, or say another folder with --out")
    try:
        out.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".importing-", dir=out) as scratch:
            trial = Path(scratch) / "bundle" / draft.archetype
            _write(draft, trial, Split.TRAIN if out.absolute().name == Split.TRAIN.value else Split.HOLDOUT)
            _prove(trial / f"{draft.id}.toml", final)
            folder.mkdir(exist_ok=True)
            if (trial / draft.id).is_dir():
                (trial / draft.id).rename(beside)
            (trial / f"{draft.id}.toml").replace(final)
    except OSError as error:
        raise BadInputError(f"{final} cannot be written: {error.strerror or error}") from error
    return load_file(final)[0]


def _prove(trial: Path, final: Path) -> None:
    try:
        load_file(trial)
    except BundleError as error:
        message = error.message.replace(str(trial), str(final))
        raise BundleError(message, hint="the task says something that a bundle cannot; nothing was written") from None


def _write(draft: Draft, folder: Path, split: Split) -> None:
    folder.mkdir(parents=True)
    files: list[Table] = []
    for number, file in enumerate(draft.files):
        origin = _origin(file.content)
        if origin is None:
            name = f"{number:03d}-{slug(Path(file.path).name)}"
            (folder / draft.id).mkdir(exist_ok=True)
            (folder / draft.id / name).write_bytes(file.content)
        where: Table = {"source": name} if origin is None else {"content": origin}
        files.append({"path": file.path, **where, "mode": file.mode, "owner": file.owner})
    (folder / f"{draft.id}.toml").write_text(_toml(draft, split, files), encoding="utf-8", newline="\n")


def _origin(content: bytes) -> str | None:
    """The text that may stand in the bundle itself; None for what is too large, or no plain text."""
    try:
        text = content.decode()
    except UnicodeDecodeError:
        return None
    return text if len(content) <= _INLINE and "\0" not in text else None


def _toml(draft: Draft, split: Split, files: Sequence[Table]) -> str:
    head: Table = {
        "schema_version": 1,
        "id": draft.id,
        "archetype": draft.archetype,
        "split": split.value,
        "expected_terminal": draft.expected,
        "provenance": "; ".join((draft.origin, *draft.notes)),
    }
    parts = [_pairs(head), table("[tags]", draft.tags), table("[landing]", draft.landing)]
    parts += [table("[[files]]", file) for file in files]
    if draft.setup.strip():
        parts.append(table("[setup]", {"script": draft.setup}))
    if draft.limits:
        parts.append(table("[limits]", draft.limits))
    parts.append(table("[directives]", {"retrieved_when": draft.retrieved_when}))
    parts += [table("[[checks]]", check) for check in draft.checks]
    parts.append(table("[reference]", {"replies": list(draft.replies)}))
    return "\n".join(parts)


def table(head: str, pairs: Table) -> str:
    """TOML: a table's head, as `[name]`, and its pairs."""
    return f"{head}\n{_pairs(pairs)}"


def _pairs(table: Table) -> str:
    return "".join(f"{key} = {_value(value)}\n" for key, value in table.items())


def _value(value: Scalar | Sequence[Scalar] | Mapping[str, Scalar]) -> str:
    if isinstance(value, str):
        return text_literal(value)
    if isinstance(value, Mapping):
        inner = ", ".join(f"{_key(key)} = {text_literal(item, inline=True)}" for key, item in value.items())
        return "{ " + inner + " }" if inner else "{}"
    if isinstance(value, Sequence):
        return "[\n" + "".join(f"  {text_literal(item)},\n" for item in value) + "]"
    return json.dumps(value)


def _key(key: str) -> str:
    return key if _BARE.fullmatch(key) else text_literal(key, inline=True)


def text_literal(value: Scalar, *, inline: bool = False) -> str:
    """A TOML value; a text of several lines stands between quotes of its own where that needs no escapes."""
    if not isinstance(value, str):
        return json.dumps(value)
    shown = value.replace("\n", "").replace("\t", "")
    if not inline and "\n" in value and shown.isprintable() and "'''" not in value and not value.endswith("'"):
        return f"'''\n{value}'''"
    if value.isprintable() and "'" not in value and ("\\" in value or '"' in value):
        return f"'{value}'"
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
