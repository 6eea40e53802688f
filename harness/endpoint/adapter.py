"""Judges a LoRA adapter directory, alone and against a base, before anything heavy starts: no torch."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from harness.endpoint.tensors import TensorInfo, read_checkpoint, read_header
from harness.errors import BadInputError

CONFIG_NAME = "adapter_config.json"
WEIGHTS_NAME = "adapter_model.safetensors"
MAX_CONFIG_BYTES = 4 << 20
LARGEST_SCALE = 1e9  # of lora_alpha; beyond it nothing finite comes out of a model
_PEFT_PREFIX = "base_model.model."
_FLOATS = frozenset({"F64", "F32", "F16", "BF16"})


@dataclass(frozen=True, slots=True, kw_only=True)
class AdapterInfo:
    """What an adapter says about itself."""

    base: str  # base_model_name_or_path as written: a path or a hub name, "" if it says nothing
    rank: int
    alpha: float
    target_modules: tuple[str, ...]  # sorted names; a single regular expression stays as it is
    digest: str  # "sha256:…" over the config's and the weights' bytes


def base_places(adapter: Path, named: str) -> Iterator[Path]:
    """The directories that an adapter may mean by its base's name: as written, else seen from its own place."""
    candidates = (Path(named), adapter / named, adapter.parent / Path(named).name) if named else ()
    with suppress(OSError, RuntimeError):  # a name that is too long for a path, or in the home of nobody
        for candidate in candidates:
            if (place := candidate.expanduser()).is_dir():
                yield place


@dataclass(frozen=True, slots=True, kw_only=True)
class _Factor:
    """One tensor of an adapter: which module of the base it changes and as what."""

    tensor: TensorInfo
    module: str
    part: str  # "A", "B", "embedding_A", "embedding_B", "magnitude", "whole" or "other"


def read_adapter(directory: Path) -> AdapterInfo:
    """Read and check one PEFT adapter directory.

    Raises:
        BadInputError: it is missing, no adapter, not LoRA, damaged, or holds no LoRA tensors
            (a server would serve the base under the adapter's name).
    """
    config = _read_config(directory)
    weights = _weights_path(directory)
    factors = [_factor(tensor) for tensor in read_header(weights).values()]
    if not any(factor.part != "other" for factor in factors):
        raise BadInputError(f"{weights} holds no LoRA tensors: serving it would serve the base", hint="train it again")
    return AdapterInfo(
        base=str(config.get("base_model_name_or_path") or ""),
        rank=_positive_int(directory, config, "r"),
        alpha=_number(directory, config, "lora_alpha"),
        target_modules=_targets(config.get("target_modules")),
        digest=_digest(directory / CONFIG_NAME, weights),
    )


def check_adapter_fits(adapter_dir: Path, base_dir: Path) -> None:
    """Check that every tensor of the adapter has its module, in its shape, in the base.

    A base whose weights are not in safetensors files cannot be read without loading it: then only
    the adapter is checked here, and the server's own load does the rest.

    Raises:
        BadInputError: the adapter is of another base; names the first tensor that shows it.
    """
    read_adapter(adapter_dir)
    weights = _weights_path(adapter_dir)
    base = read_checkpoint(base_dir)
    if base is None:
        if not (base_dir / "config.json").is_file():
            raise BadInputError(f"the base {base_dir} is no checkpoint: it holds no config.json")
        return
    transposed = bool(_read_config(adapter_dir).get("fan_in_fan_out"))
    modules = _modules_of(base)
    for factor in sorted((_factor(t) for t in read_header(weights).values()), key=lambda f: f.tensor.name):
        if factor.part != "other":
            _check_factor(factor, modules, weights=weights, base_dir=base_dir, transposed=transposed)


def _read_config(directory: Path) -> Mapping[str, object]:
    path = directory / CONFIG_NAME
    if not directory.is_dir():
        raise BadInputError(f"the adapter {directory} does not exist", hint="give the directory that training wrote")
    if not path.is_file():
        raise BadInputError(f"{directory} is no adapter: it holds no {CONFIG_NAME}", hint=_what_it_may_be(directory))
    if path.stat().st_size > MAX_CONFIG_BYTES:
        raise BadInputError(f"{path} is too large to be an adapter's configuration")
    try:
        config = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError) as error:
        raise BadInputError(f"{path} is not JSON: {error}") from error
    if not isinstance(config, dict):
        raise BadInputError(f"{path} is not a table")
    kind = config.get("peft_type")
    if kind != "LORA":
        raise BadInputError(f"{path}: peft_type is {kind!r}; only LORA adapters can be served")
    if config.get("bias") not in (None, "none"):
        raise BadInputError(
            f"{path}: bias is {config['bias']!r}: it changes the base's own biases, so the base cannot run beside it",
            hint="train it with bias='none'",
        )
    return config


def _what_it_may_be(directory: Path) -> str:
    if (directory / "config.json").is_file():
        return "this looks like a whole model: give the adapter's directory, or serve the model as a base"
    inner = sorted(path.parent.name for path in directory.glob(f"*/{CONFIG_NAME}"))
    if inner:
        return f"did you mean {directory / inner[-1]}?"
    return "give the directory that training wrote"


def _weights_path(directory: Path) -> Path:
    path = directory / WEIGHTS_NAME
    if path.is_file():
        return path
    if (directory / "adapter_model.bin").is_file():
        raise BadInputError(
            f"{directory} holds its weights as a pickle, which can run code when it is read",
            hint="save it again with safe_serialization=True",
        )
    raise BadInputError(f"{directory} holds no {WEIGHTS_NAME}", hint="training may not have finished; save it again")


def _positive_int(directory: Path, config: Mapping[str, object], key: str) -> int:
    value = config.get(key)
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise BadInputError(f"{directory / CONFIG_NAME}: {key} is {value!r}, not a positive whole number")
    return value


def _number(directory: Path, config: Mapping[str, object], key: str) -> float:
    value = config.get(key)
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) <= LARGEST_SCALE:
        raise BadInputError(f"{directory / CONFIG_NAME}: {key} is {str(value)[:40]}, not a usable number")
    return float(value)


def _targets(value: object) -> tuple[str, ...]:
    if isinstance(value, str):
        return (value,)
    return tuple(sorted(str(name) for name in value)) if isinstance(value, list) else ()


def _digest(*paths: Path) -> str:
    total = hashlib.sha256()
    for path in paths:
        with path.open("rb") as file:
            total.update(f"{path.name}:{hashlib.file_digest(file, 'sha256').hexdigest()}\n".encode())
    return f"sha256:{total.hexdigest()}"


def _factor(tensor: TensorInfo) -> _Factor:
    name = tensor.name.removeprefix(_PEFT_PREFIX)
    for mark, part in (
        (".lora_A.weight", "A"),
        (".lora_B.weight", "B"),
        (".lora_embedding_A", "embedding_A"),
        (".lora_embedding_B", "embedding_B"),
        (".lora_magnitude_vector", "magnitude"),
    ):
        module, found, _ = name.partition(mark)
        if found:
            return _Factor(tensor=tensor, module=module, part=part)
    if ".lora_" in name or not name.endswith(".weight"):
        return _Factor(tensor=tensor, module=name, part="other")  # a bias or a variant's own tensor
    # peft saves an adapted embedding or head besides its factors; the server checks that it is the base's own
    return _Factor(tensor=tensor, module=name.removesuffix(".weight").removesuffix(".base_layer"), part="whole")


def _modules_of(base: Mapping[str, TensorInfo]) -> Mapping[str, TensorInfo | None]:
    """Every module of the base with its plain float weight; None where it is packed (quantised) or has none."""
    modules: dict[str, TensorInfo | None] = {}
    for name, tensor in base.items():
        module, _, leaf = name.rpartition(".")
        if leaf == "weight":
            modules[module] = tensor if tensor.dtype in _FLOATS and len(tensor.shape) == 2 else None
        else:
            modules.setdefault(module, None)
    return modules


def _find(module: str, modules: Mapping[str, TensorInfo | None]) -> str | None:
    """The base's own name of a module: checkpoints save it with or without the outer model's name."""
    if module in modules:
        return module
    if module == "lm_head":  # tied to the input embedding, so not saved
        return next((name for name in modules if name.endswith(("embed_tokens", "wte"))), None)
    tail = module.partition(".")[2]
    endings = [name for name in modules if name.endswith(f".{module}") or (tail and name == tail)]
    return endings[0] if len(endings) == 1 else None


def _check_factor(
    factor: _Factor,
    modules: Mapping[str, TensorInfo | None],
    *,
    weights: Path,
    base_dir: Path,
    transposed: bool,
) -> None:
    found = _find(factor.module, modules)
    if found is None:
        if ".experts" in factor.module:
            return  # fused experts are saved under other names than they run
        raise BadInputError(
            f"{weights} is an adapter of another base: {factor.tensor.name} changes the module {factor.module}, "
            f"which {base_dir} does not have",
            hint="give the base that it was trained on",
        )
    weight = modules[found]
    if weight is None:
        return
    rows, columns = weight.shape if not transposed else weight.shape[::-1]
    expected = {
        "A": (1, columns),
        "B": (0, rows),
        "embedding_A": (1, rows),
        "embedding_B": (0, columns),
        "magnitude": (0, rows),
    }.get(factor.part)
    shape = factor.tensor.shape
    fits = shape == weight.shape if expected is None else len(shape) > expected[0] and shape[expected[0]] == expected[1]
    if not fits:
        raise BadInputError(
            f"{weights} is an adapter of another base: {factor.tensor.name} has the shape {_sides(shape)}, "
            f"but {found}.weight of {base_dir} has {_sides(weight.shape)}",
            hint="give the base that it was trained on",
        )


def _sides(shape: tuple[int, ...]) -> str:
    return " x ".join(str(side) for side in shape) or "none"
