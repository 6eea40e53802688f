"""Reads what an adapter's directory says of itself and compares it with the base's, before anything starts."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

import render
from harness.endpoint import AdapterInfo, base_places, read_adapter
from harness.errors import BadInputError

Mode = Literal["block", "warn"]
RECORD: Final = "training.json"
HINT = "train it under this contract, give what it was trained with, or go on with --contract warn"
UNKNOWN = "the adapter does not say what contract it was trained under"

_PARTS: Final = ("model", "added_tokens", "normalizer", "pre_tokenizer", "post_processor", "decoder")
_SETTINGS: Final = ("bos_token", "eos_token", "add_bos_token", "add_eos_token", "add_prefix_space")


@dataclass(frozen=True, slots=True, kw_only=True)
class Training:
    """What `training.json` states; None where it does not."""

    base_digest: str | None
    render_contract: str | None
    template_digest: str | None
    variables: Mapping[str, object] | None  # for the chat template


def read_training(adapter: Path) -> Training | None:
    """The training record beside an adapter, or None where there is none.

    Raises:
        BadInputError: it is there, but no JSON object.
    """
    path = adapter / RECORD
    if not path.is_file():
        return None
    record = _object(path)
    identity = record.get("identity")
    identity = identity if isinstance(identity, dict) else {}
    return Training(
        base_digest=_word(identity.get("base_digest")),
        render_contract=_word(identity.get("render_contract")),
        template_digest=_word(record.get("chat_template")),
        variables=variables if isinstance(variables := record.get("chat_template_kwargs"), dict) else None,
    )


def check_training_contract(
    adapter: Path,
    *,
    render_contract: str,
    template_digest: str | None,
    variables: Mapping[str, object] | None = None,
    mode: Mode,
) -> tuple[str, ...]:
    """Compare the contract that an adapter was trained under with the one of this run; the notes to keep.

    `variables` are this run's for the chat template; None leaves them out of it.

    Raises:
        BadInputError: it was trained under another render contract, chat template or variables of it, and `mode` is
            "block".
    """
    training = read_training(adapter)
    if training is None:
        return (UNKNOWN,)
    wrong, notes = [], []
    if training.render_contract is None:
        notes.append(UNKNOWN)
    elif training.render_contract != render_contract:
        wrong.append(f"it was trained under render contract {training.render_contract}, this is {render_contract}")
    if training.template_digest is None or template_digest is None:
        notes.append("the chat template of training and of this run could not be compared")
    elif training.template_digest != template_digest:
        wrong.append(
            f"it was trained with the chat template {_short(training.template_digest)}, "
            f"the base has {_short(template_digest)}"
        )
    if training.variables is not None and variables is not None and training.variables != variables:
        told = (json.dumps(value, sort_keys=True) for value in (training.variables, variables))
        wrong.append("its chat template was given {} in training, and is given {} here".format(*told))
    return (*_settle(adapter, wrong, mode), *notes)


def check_adapter_identity(
    adapter: Path, base: Path, *, base_digest: str | None, mode: Mode, max_rank: int | None = None
) -> tuple[str, ...]:
    """Compare an adapter's directory with its base's: rank, base, tokenizer and template; the notes to keep.

    `base_digest` is the base's checkpoint digest. That the target modules exist is check_adapter_fits' part.

    Raises:
        BadInputError: no adapter, its rank is over `max_rank`, or it belongs to another base or tokenizer and `mode`
            is "block".
    """
    info = read_adapter(adapter)
    if max_rank is not None and info.rank > max_rank:
        raise BadInputError(
            f"{adapter} has rank {info.rank}, the server takes {max_rank}", hint="raise --max-lora-rank"
        )
    training = read_training(adapter)
    notes = []
    wrong = list(_tokenizer_differences(adapter, base))
    if training is not None and training.base_digest and base_digest:
        if training.base_digest != base_digest:
            wrong.append(
                f"it was trained on a base with digest {_short(training.base_digest)}, {base} has {_short(base_digest)}"
            )
    elif not _same_place(info, adapter, base):
        notes.append(
            f"that {adapter} was trained on {base} rests on its tensors' shapes: it names {info.base or 'no base'}"
        )
    return (*_settle(adapter, wrong, mode), *notes)


def _settle(adapter: Path, wrong: list[str], mode: Mode) -> tuple[str, ...]:
    if wrong and mode == "block":
        raise BadInputError(f"{adapter}: {'; '.join(wrong)}", hint=HINT)
    return tuple(f"the adapter: {one}" for one in wrong)


def _same_place(info: AdapterInfo, adapter: Path, base: Path) -> bool:
    return any(place.resolve() == base.resolve() for place in base_places(adapter, info.base or ""))


def _tokenizer_differences(adapter: Path, base: Path) -> Iterator[str]:
    """In what the tokenizer files that an adapter brings along, if any, differ from its base's."""
    brought, own = render.template_digest_in(adapter), render.template_digest_in(base)
    if brought is not None and brought != own:
        yield f"its chat template {_short(brought)} is not the base's ({_short(own or 'none')})"
    if _changed(adapter / "tokenizer.json", base / "tokenizer.json", _PARTS):
        yield "its tokenizer.json makes other ids than the base's"
    if _changed(adapter / "tokenizer_config.json", base / "tokenizer_config.json", _SETTINGS):
        yield "its tokenizer_config.json states other special tokens than the base's"
    for name in ("tokenizer.model", "tekken.json"):
        one, other = adapter / name, base / name
        if one.is_file() and other.is_file() and one.read_bytes() != other.read_bytes():
            yield f"its {name} is not the base's"


def _changed(one: Path, other: Path, keys: tuple[str, ...]) -> bool:
    """Whether both files are there and state different values; a key that only one of them has is no difference."""
    if not (one.is_file() and other.is_file()) or one.read_bytes() == other.read_bytes():
        return False
    left, right = _object(one), _object(other)
    return any(key in left and key in right and _plain(left[key]) != _plain(right[key]) for key in keys)


def _plain(value: object) -> object:
    """A special token is written as text or as a table around it."""
    return value["content"] if isinstance(value, dict) and "content" in value else value


def _object(path: Path) -> Mapping[str, object]:
    try:
        value = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError) as error:
        raise BadInputError(f"{path} is not JSON: {error}") from error
    if not isinstance(value, dict):
        raise BadInputError(f"{path} is not a table")
    return value


def _word(value: object) -> str | None:
    return value if isinstance(value, str) and value else None


def _short(digest: str) -> str:
    return digest.removeprefix("sha256:")[:12]
