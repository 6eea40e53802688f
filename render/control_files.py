"""The control tokens of a tokenizer's directory, read from its files: no tokenizer is loaded."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Final

from render.control import sifted
from render.pieces import control_pieces

# What the first tekken files leave out: their control tokens are those that the library knew then.
_TEKKEN: Final = (
    *("<unk>", "<s>", "</s>", "[INST]", "[/INST]", "[AVAILABLE_TOOLS]", "[/AVAILABLE_TOOLS]"),
    *("[TOOL_RESULTS]", "[/TOOL_RESULTS]", "[TOOL_CALLS]", "[IMG]", "<pad>", "[IMG_BREAK]", "[IMG_END]"),
    *("[PREFIX]", "[MIDDLE]", "[SUFFIX]", "[SYSTEM_PROMPT]", "[/SYSTEM_PROMPT]", "[TOOL_CONTENT]"),
)


def control_tokens_in(directory: Path) -> tuple[str, ...]:
    """What `control_tokens` says of the tokenizer that is saved in `directory`, sorted.

    Reads tokenizer.json, tokenizer_config.json, special_tokens_map.json, added_tokens.json, tekken.json, SentencePiece
    models (`*.model`, `*.model.v3`) and the chat template, as far as they are there; files that are missing or broken
    count as empty.
    """
    special: set[str] = set()
    others: set[str] = set(_table(directory / "added_tokens.json"))
    config = _table(directory / "tokenizer_config.json")
    for table in (config, _table(directory / "special_tokens_map.json")):
        special.update(_named(table))
    special.update(_tekken(_table(directory / "tekken.json")))
    for path in (*directory.glob("*.model"), *directory.glob("*.model.v*")):
        special.update(control_pieces(_bytes(path)))
    for row in (
        *_rows(_table(directory / "tokenizer.json").get("added_tokens")),
        *_rows(config.get("added_tokens_decoder")),
    ):
        (special if row.get("special") else others).update(_spellings((row,)))
    return sifted(special, others, _template(directory, config))


def _tekken(table: dict[str, object]) -> set[str]:
    """The control tokens of a tekken file: listed, or known of old, and numbered ones up to its count."""
    if not table:
        return set()
    config, listed = table.get("config"), table.get("special_tokens")
    named = list(_spellings(listed)) if isinstance(listed, list) else list(_TEKKEN)
    count = config.get("default_num_special_tokens") if isinstance(config, dict) else None
    return {*named, *(f"<SPECIAL_{number}>" for number in range(len(named), count if isinstance(count, int) else 0))}


def _named(table: Mapping[str, object]) -> Iterator[str]:
    """The tokens that a config names: `eos_token` and its like, and the lists of further ones."""
    for key, value in table.items():
        if key.endswith("_token"):
            yield from _spellings((value,))
        elif key in {"additional_special_tokens", "extra_special_tokens"}:
            yield from _spellings(
                value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
            )


def _spellings(values: Iterable[object]) -> Iterator[str]:
    for value in values:
        text = (value.get("content") or value.get("token_str")) if isinstance(value, dict) else value
        if isinstance(text, str):
            yield text


def _rows(value: object) -> list[dict[str, object]]:
    rows = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return [row for row in rows if isinstance(row, dict)]


def _template(directory: Path, config: Mapping[str, object]) -> str:
    parts = [str(config.get("chat_template") or "")]
    files = [directory / "chat_template.jinja", *sorted((directory / "additional_chat_templates").glob("*.jinja"))]
    for path in files:
        try:
            parts.append(path.read_text(encoding="utf-8", errors="replace"))
        except OSError:
            continue
    parts.append(str(_table(directory / "chat_template.json").get("chat_template") or ""))
    return "\n".join(parts)


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""


def _table(path: Path) -> dict[str, object]:
    try:
        value = json.loads(_bytes(path))
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}
