"""Reads what tensors a safetensors checkpoint holds from its headers alone: no weights, no torch."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from harness.errors import BadInputError

MAX_HEADER_BYTES = 100_000_000  # the format's own limit
INDEX_NAME = "model.safetensors.index.json"
SINGLE_NAME = "model.safetensors"


@dataclass(frozen=True, slots=True, kw_only=True)
class TensorInfo:
    """One tensor as its file's header describes it."""

    name: str
    dtype: str  # the format's spelling: "F32", "BF16", "U8"
    shape: tuple[int, ...]


def read_header(path: Path) -> dict[str, TensorInfo]:
    """The tensors of one safetensors file by name.

    The format: 8 bytes (unsigned, little-endian) give the length of a JSON header, then the data.

    Raises:
        BadInputError: the file is missing, cut short or not a safetensors file.
    """
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            length = int.from_bytes(file.read(8), "little")
            if size < 8 or length > MAX_HEADER_BYTES or 8 + length > size:
                raise BadInputError(f"{path} is not a whole safetensors file", hint="copy it again")
            raw = json.loads(file.read(length))
    except OSError as error:
        raise BadInputError(f"{path} cannot be read: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        raise BadInputError(f"{path} is not a safetensors file: its header is no JSON") from error
    if not isinstance(raw, dict):
        raise BadInputError(f"{path} is not a safetensors file: its header is no table")
    return _tensors_of(path, raw, data_bytes=size - 8 - length)


def _tensors_of(path: Path, raw: Mapping[str, object], *, data_bytes: int) -> dict[str, TensorInfo]:
    found: dict[str, TensorInfo] = {}
    for name, entry in raw.items():
        if name == "__metadata__":
            continue
        match entry:
            case {"dtype": str(dtype), "shape": list(shape), "data_offsets": [int(start), int(end)]} if all(
                isinstance(side, int) and side >= 0 for side in shape
            ):
                if not 0 <= start <= end <= data_bytes:
                    raise BadInputError(f"{path} is cut short: {name} lies beyond its end", hint="copy it again")
                found[name] = TensorInfo(name=name, dtype=dtype, shape=tuple(shape))
            case _:
                raise BadInputError(f"{path}: the header's entry for {name} is malformed")
    return found


def read_checkpoint(directory: Path) -> dict[str, TensorInfo] | None:
    """All tensors of a checkpoint directory, sharded or not; None where it holds no safetensors at all.

    Raises:
        BadInputError: a shard is missing or damaged.
    """
    index = directory / INDEX_NAME
    if index.is_file():
        return _read_shards(directory, index)
    single = directory / SINGLE_NAME
    if single.is_file():
        return read_header(single)
    return None


def _read_shards(directory: Path, index: Path) -> dict[str, TensorInfo]:
    try:
        weight_map = json.loads(index.read_bytes())["weight_map"]
        names = sorted({str(name) for name in weight_map.values()})
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise BadInputError(f"{index} is not an index of shards", hint="it needs a table weight_map") from error
    found: dict[str, TensorInfo] = {}
    for name in names:
        if Path(name).name != name:
            raise BadInputError(f"{index} names a shard outside its directory: {name!r}")
        found |= read_header(directory / name)
    return found
